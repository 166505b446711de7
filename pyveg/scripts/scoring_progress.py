"""Images per second, and the time left: what people who score images look at."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pyveg.core.events import EngineStatus, RunStarted, TaskEnded
from pyveg.core.tasks import State
from pyveg.scripts.run_view import in_hours

if TYPE_CHECKING:
    from pyveg.core.events import Event
    from pyveg.scripts.running import Progress

COUNT = "count"
"""Detail of an Item that says how many images it stands for."""


class ImageProgress:
    """A view of a run that also tells of images.

    Parameters
    ----------
    view : Progress
        Takes all events, and the line on images as the status of an engine.
    clock : callable
        The time in seconds.
    """

    def __init__(self, view: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._view, self._clock = view, clock
        self._begin = clock()
        self._images = self._done = self._scored = 0
        self._engine = ""

    def __call__(self, event: Event) -> None:
        """Count images, and pass the event on."""
        if isinstance(event, RunStarted):
            self._begin = self._clock()
            self._images = sum(_images(task.item.details) for task in event.graph)
        if isinstance(event, EngineStatus) and not event.urgent:
            self._engine = event.text
            event = replace(event, text=self._told())
        self._view(event)
        if isinstance(event, TaskEnded):
            count = _images(event.task.item.details)
            self._done += count
            if event.result.state is State.SUCCEEDED:
                self._scored += count
            if count and self._done < self._images:
                self._view(EngineStatus(self._told()))

    def close(self) -> None:
        """Show nothing more."""
        self._view.close()

    def _told(self) -> str:
        """The line; that of an engine before it."""
        return "; ".join(filter(None, (self._engine, self._line())))

    def _line(self) -> str:
        if not self._images:
            return ""
        line = f"images: {self._done:,} of {self._images:,}"
        gone = self._clock() - self._begin
        if self._scored and gone > 0:
            speed = self._scored / gone
            left = in_hours((self._images - self._done) / speed)
            line += f", {speed:.{0 if speed >= 10 else 1}f} a second, about {left} left"
        return line


def _images(details: object) -> int:
    count = details.get(COUNT, 0) if hasattr(details, "get") else 0
    return count if isinstance(count, int) else 0
