"""Progress of a run in a terminal: one line for the run, one for each Module, and what is told.

No line is wider than the terminal. The times stand in the first line, which is laid out from what
it must hold: bars take what is left, and names are shortened before anything else is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyveg.core import waiting
from pyveg.core.events import (
    ClosingStep,
    EngineStatus,
    Event,
    RunEnded,
    RunStarted,
    TaskEnded,
    TaskStarted,
)
from pyveg.core.secrets import redacted
from pyveg.core.texts import shown_lines
from pyveg.scripts.edge import say
from pyveg.scripts.run_view import ModuleView, RunView, in_hours
from pyveg.scripts.tables import short_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live
    from rich.text import Text

_BAR = (6, 60)
"""Columns of a bar, at least and at most."""
_BAR_SHARE = 6
"""A bar has one part in so many of a line before a name is shown whole."""
_LONGEST_NOTE = 32


class LiveProgress:
    """An observer that keeps the state of the run on the screen.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where it is drawn; the terminal if left out.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._live: Live | None = None
        self._view: RunView | None = None
        self._status = ""
        self._over = False
        self._note_width = 0

    def __call__(self, event: Event) -> None:
        """Count what happens, and print what is worth a line."""
        if isinstance(event, RunStarted):
            say(f"run: {event.url}")
            self._begin(RunView(event.graph))
        elif isinstance(event, TaskStarted) and self._view is not None:
            self._view.started(event)
        elif isinstance(event, TaskEnded) and self._view is not None:
            self._view.ended(event)
        elif isinstance(event, EngineStatus):
            self._tell(event)
        elif isinstance(event, ClosingStep):
            say(event.text)
        elif isinstance(event, RunEnded):
            self._over = True
            self.close()

    def _begin(self, view: RunView) -> None:
        from rich.live import Live

        self._view = view
        self._live = Live(
            self, console=self._console, refresh_per_second=4, vertical_overflow="crop"
        )
        self._live.start()

    def _tell(self, event: EngineStatus) -> None:
        text = shown_lines(redacted(event.text))
        if not event.urgent:
            self._status = text
        elif self._live is not None:
            self._live.console.print(text, markup=False, highlight=False)
        else:
            say(event.text)

    def close(self) -> None:
        """Leave the screen in order, also after an error."""
        if self._live is not None:
            self._status = ""
            self._live.stop()
            self._live = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it as it is now; called by the terminal's own thread."""
        if self._view is not None:
            told = filter(None, (self._status, waiting.line()))
            height = options.height or console.height
            notes = [len(one.note) for one in self._view.modules.values()]
            self._note_width = max(self._note_width, *notes)  # so that bars do not jump about
            sheet = Sheet(
                self._view,
                options.max_width,
                ascii_only=options.ascii_only,
                note_width=self._note_width,
                over=self._over,
            )
            yield from sheet.lines(list(told), height)


class Sheet:
    """The lines of the view, for a terminal of some width.

    Parameters
    ----------
    view : RunView
    width : int
        Columns.
    ascii_only : bool
        Whether the terminal knows no other characters; to print one would end the view.
    note_width : int
        Columns that are kept for notes behind the bars.
    over : bool
        Whether no time is left to tell.
    """

    def __init__(
        self,
        view: RunView,
        width: int,
        *,
        ascii_only: bool = False,
        note_width: int = 0,
        over: bool = False,
    ) -> None:
        self._view = view
        self._width = width
        self._ascii_only = ascii_only
        self._full, self._empty = ("=", ".") if ascii_only else ("━", "╌")
        self._note_width = note_width
        self._over = over

    def lines(self, told: Sequence[str] = (), height: int = 1000) -> Iterator[Text]:
        """The whole run, its Modules as far as there is room, and what is told below."""
        from rich.text import Text

        yield self._total()
        modules = list(self._view.modules.values())
        room = max(1, height - 2 - len(told))
        kept = modules if len(modules) <= room else _first(modules, room - 1)
        yield from self._rows(kept)
        if len(kept) < len(modules):
            yield Text(f"... and {len(modules) - len(kept)} more modules", "dim")
        for text in told:
            yield self._fitted(Text(text))

    def _total(self) -> Text:
        """The one line that has the percentage and the times."""
        view = self._view
        left = None if self._over else view.left
        times = f"{in_hours(view.gone)} gone"
        if left is not None:
            times += f", about {in_hours(left)} left"
        begin = f"{view.percent:3} %  "
        end = f"  {view.done}/{view.total}  {times}"
        room = self._width - len(begin) - len(end)
        if room < _BAR[0]:  # what can be seen in the lines below goes before a time is cut
            begin, end, room = f"{view.percent:3} %", f"  {times}", 0
        line = self._bar_of(view.done, view.bad, view.total, room) if room else []
        return self._fitted(_joined((begin, "bold"), line, (end, "")))

    def _rows(self, modules: Sequence[ModuleView]) -> Iterator[Text]:
        counts = {one.label: f"{one.done}/{one.total}" for one in modules}
        count_width = max((len(text) for text in counts.values()), default=0)
        note_width = max([self._note_width, *(len(one.note) for one in modules)])
        note_width = min(_LONGEST_NOTE, note_width)
        fixed = count_width + note_width + 6
        name_width = max(8, self._width - fixed - max(_BAR[0], self._width // _BAR_SHARE))
        names = short_names([one.label for one in modules], name_width)
        name_width = max((len(name) for name in names.values()), default=0)
        bar_width = self._width - fixed - name_width
        for one in modules:
            bar = self._bar_of(one.done, one.bad, one.total, bar_width)
            end = f"  {counts[one.label]:>{count_width}}  {one.note}"
            yield self._fitted(_joined((f"{names[one.label]:<{name_width}}  ", ""), bar, (end, "")))

    def _bar_of(self, done: int, bad: int, total: int, width: int) -> list[tuple[str, str]]:
        """What succeeded, what failed, and what is not done."""
        width = max(_BAR[0], min(_BAR[1], width))
        # Not full before all is done, and never without a trace of what failed.
        filled = width * done // total if total else width
        red = min(filled, -(-width * bad // total)) if total else 0
        return [
            (self._full * (filled - red), "green"),
            (self._full * red, "red"),
            (self._empty * (width - filled), "bright_black"),
        ]

    def _fitted(self, text: Text) -> Text:
        text.no_wrap = True
        text.truncate(self._width, overflow="ellipsis")
        if self._ascii_only:
            text.plain = text.plain.replace("…", "~").encode("ascii", "replace").decode()
        return text


def _first(modules: Sequence[ModuleView], most: int) -> list[ModuleView]:
    """Those that there is most to say of, in the order of the plan."""
    by_interest = sorted(modules, key=lambda one: (one.running == 0, one.left == 0))
    kept = {one.label for one in by_interest[: max(0, most)]}
    return [one for one in modules if one.label in kept]


def _joined(
    begin: tuple[str, str], middle: Sequence[tuple[str, str]], end: tuple[str, str]
) -> Text:
    from rich.text import Text

    return Text.assemble(begin, *middle, end)
