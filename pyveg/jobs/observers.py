"""Who watches a run: each is told of everything, and none of them can end it."""

from __future__ import annotations

from collections.abc import Iterable

from pyveg.core.events import EngineStatus, Event, Observer
from pyveg.core.execute import describe


class Observers:
    """Passes events on to some observers.

    One that raises an error is told nothing more, and the others are told why: a terminal that is
    gone, or a bug in somebody's progress bar, is not worth hours of work. Interrupts pass.

    Parameters
    ----------
    observers : iterable of callable
    """

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = list(observers)

    def __call__(self, event: Event) -> None:
        """Tell all of them."""
        for observer in tuple(self._observers):
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - see the class
                self._observers.remove(observer)
                reason = f"an observer of the run has failed and is told no more: {describe(error)}"
                self(EngineStatus(reason, urgent=True))
