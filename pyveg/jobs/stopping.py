"""How a run is asked to stop by other threads of its process, before it begins or later."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from pyveg.core.types import StopHow

ASKED = "the run was asked to stop"

Tell = Callable[[StopHow | None, str], None]


class StopSwitch:
    """Passes requests to stop on to a run, also those that came before it listened.

    Examples
    --------
    >>> switch = StopSwitch()
    >>> switch.ask("detach", "enough")
    >>> switch.connect(lambda how, why: print(how, why))
    detach enough
    """

    def __init__(self) -> None:
        self._guard = Lock()
        self._request: tuple[StopHow | None, str] | None = None
        self._tell: Tell | None = None

    @property
    def asked(self) -> bool:
        """Whether anybody has asked."""
        return self._request is not None

    def ask(self, how: StopHow | None = None, why: str = ASKED) -> None:
        """Ask the run to stop. Any thread may call it.

        Parameters
        ----------
        how : {"cancel", "detach"}, optional
            Whether what runs elsewhere is ended too; as the run was told for an interrupt where
            left out.
        why : str
            The reason of each Task that is given up.
        """
        with self._guard:
            self._request = how, why
            tell = self._tell
        if tell is not None:
            tell(how, why)

    def connect(self, tell: Tell) -> None:
        """Have a function called for each request, and at once where there was one."""
        with self._guard:
            self._tell = tell
            request = self._request
        if request is not None:
            tell(*request)
