"""Progress of a download: a bar in a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


class PlainDownload:
    """Prints a line now and then."""

    def __init__(self, every: float = 10.0) -> None:
        self._every = every
        self._last = time.monotonic()
        self._total = (0, 0)
        self._done = [0, 0]

    def __enter__(self) -> PlainDownload:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is to be put in order."""

    def begin(self, files: int, size: int) -> None:
        """Print what is to come."""
        self._total = (files, size)
        click.echo(f"download: {files} files, {size / 1e6:.1f} MB")

    def advance(self, files: int, size: int) -> None:
        """Count, and print it when some time has passed."""
        self._done[0] += files
        self._done[1] += size
        if time.monotonic() - self._last > self._every:
            self._last = time.monotonic()
            done = f"{self._done[0]}/{self._total[0]} files"
            click.echo(f"{done}, {self._done[1] / 1e6:.1f}/{self._total[1] / 1e6:.1f} MB")


class LiveDownload:
    """Keeps a bar on the screen, as wide as the terminal.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where it is drawn; the terminal if left out.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._bar: TaskID | None = None
        self._files = 0
        self._done = 0

    def __enter__(self) -> LiveDownload:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the screen in order, also after an error."""
        if self._progress is not None:
            self._progress.stop()

    def begin(self, files: int, size: int) -> None:
        """Draw the bar."""
        from rich import progress
        from rich.table import Column

        def whole() -> Column:
            """What is never cut or wrapped; the bar takes the room that is left."""
            return Column(no_wrap=True)

        self._files = files
        self._progress = progress.Progress(
            progress.TextColumn("{task.fields[files]} files", table_column=whole()),
            progress.BarColumn(None, table_column=Column(ratio=1, min_width=4)),
            progress.DownloadColumn(table_column=whole()),
            progress.TransferSpeedColumn(table_column=whole()),
            progress.TimeRemainingColumn(table_column=whole()),
            console=self._console,
            expand=True,
        )
        self._bar = self._progress.add_task("download", total=size, files=f"0/{files}")
        self._progress.start()

    def advance(self, files: int, size: int) -> None:
        """Move the bar."""
        if self._progress is not None and self._bar is not None:
            self._done += files
            shown = f"{self._done}/{self._files}"
            self._progress.update(self._bar, advance=size, files=shown)


def suited_watcher() -> PlainDownload | LiveDownload:
    """A bar where somebody looks at it, lines elsewhere."""
    return LiveDownload() if sys.stdout.isatty() else PlainDownload()
