"""Asking a model server until it answers: it may be away for some seconds, and images are many."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

from pyveg.core import waiting
from pyveg.core.errors import ServiceAwayError

T = TypeVar("T")

PATIENCE = 90.0
"""Seconds for which a server that was there is waited for."""
_FIRST, _LONGEST = 0.5, 8.0
"""Seconds between two tries."""


class AwayError(Exception):
    """No answer, or one that says to come back; its text says why in a word or two."""


def patiently(ask: Callable[[], T], whom: str, patience: float | None = None) -> T:
    """Ask until there is an answer.

    Parameters
    ----------
    ask : callable
        Raises `AwayError` where it is worth asking again.
    whom : str
        The server, as messages name it.
    patience : float, optional
        Seconds after which nobody waits any more; `PATIENCE` where left out.

    Raises
    ------
    ServiceAwayError
        If nobody answers.
    """
    began, pause = time.monotonic(), _FIRST
    patience = PATIENCE if patience is None else patience
    while True:
        try:
            return ask()
        except AwayError as error:
            if time.monotonic() - began + pause > patience:
                _give_up(whom, str(error), error)
            with waiting.told(whom, str(error), pause):
                time.sleep(pause)
            pause = min(2 * pause, _LONGEST)


def _give_up(whom: str, why: str, error: AwayError) -> NoReturn:
    raise ServiceAwayError(
        f"the model server {whom} does not answer ({why})",
        "start it, and finish the run with --from_cache",
    ) from error
