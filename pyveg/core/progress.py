"""A ready observer: one line about how far a run or an analysis is, in a notebook or a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

from pyveg.core.events import ClosingStep, EngineStatus, Event, RunEnded, RunStarted, TaskEnded
from pyveg.core.tasks import State

PAUSE = 0.2
"""Seconds between two lines at least, so that many short Tasks cost no time."""
WIDTH = 100


class ShowProgress:
    """Shows how far a run is, or an analysis, in one line that is written anew.

    In a notebook `pyveg.run_pipeline` and `pyveg.analyse` use one where they are given none; in a
    script give it as an observer of the run, or as the `progress` of an analysis.

    Parameters
    ----------
    out : text stream, optional
        Where the line is written outside of notebooks; standard error where left out.

    Examples
    --------
    >>> import io, pyveg
    >>> out = io.StringIO()
    >>> days = ["2016-01-01", "2016-02-01"]
    >>> short = {"date_range": days, "runner": "serial", "analysis": False}
    >>> job = pyveg.load_pipeline("demo", **short)
    >>> report = pyveg.run_pipeline(job, observers=[pyveg.ShowProgress(out)])
    >>> out.getvalue().splitlines()[-1].strip()
    'run: 7 of 7 tasks, ended'
    """

    def __init__(self, out: Any = None) -> None:
        self._out = out
        self._total = self._done = self._failed = 0
        self._last = 0.0
        self._display: Any = None
        self._ended = ""

    def __call__(self, event: Event | str, number: int = 0, of: int = 0) -> None:
        """Take what happens.

        Parameters
        ----------
        event : Event or str
            Of a run; or the name of a step of an analysis.
        number, of : int
            Which step of how many it is.
        """
        if isinstance(event, str):
            self._show(f"analysis: {event} ({number + 1} of {of})", at_once=True)
            return
        if isinstance(event, RunStarted):
            self._total = len(event.graph)
        elif isinstance(event, TaskEnded):
            self._done += 1
            self._failed += event.result.state in (State.FAILED, State.BLOCKED)
        elif isinstance(event, RunEnded):
            self._ended = ", interrupted" if event.interrupted else ", ended"
        note = event.text if isinstance(event, ClosingStep | EngineStatus) else ""
        self._show(self._line(note), at_once=not isinstance(event, TaskEnded))

    def _line(self, note: str) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        told = f": {note}" if note else ""
        return f"run: {self._done} of {self._total} tasks{failed}{self._ended}{told}"

    def _show(self, line: str, *, at_once: bool) -> None:
        now = time.monotonic()
        if not at_once and now - self._last < PAUSE:
            return
        self._last = now
        if self._out is None and in_notebook():
            self._in_notebook(line)
        else:
            out = sys.stderr if self._out is None else self._out
            out.write(f"\r{line[:WIDTH]:<{WIDTH}}" + ("\n" if self._ended else ""))
            out.flush()

    def _in_notebook(self, line: str) -> None:
        from IPython.display import Pretty, display

        text = Pretty(line)
        if self._display is None:
            self._display = display(text, display_id=True)
        else:
            self._display.update(text)


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
