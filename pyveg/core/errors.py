"""The errors of pyveg, one tree.

PyvegError                  everything that pyveg raises on purpose
├── ConfigError             the config or the command line is wrong: nothing was started
│   ├── UnknownNameError    a name that nothing goes by; names the nearest known one
│   └── MissingPackageError a part whose package is not installed; shows the pip line
├── RunError                a run cannot be started or resumed
│   ├── NotARunError        a folder that holds no run of pyveg
│   └── RunLockedError      another process is writing to the run
│       └── LockLostError   another process has taken over the run from this one
├── EngineError             a service that runs Tasks refuses to be used
├── StoreError              a Store cannot do what is asked of it
│   ├── KeyMissingError     nothing is stored under that key
│   ├── StoreFullError      there is no room left
│   └── StoreGoneError      the whole Store is gone, or lets nobody in any more: trying is useless
├── DataError               input of a Task that cannot be used; the Task fails with this reason
├── ServiceError            a service did not give what it was asked for; the same
│   └── ServiceAwayError    it gives nobody anything: no network, no sign-in, no quota
├── CommandError            a program that a Task ran did not do its work; the same
│   └── OutOfMemoryError    it, or the Task, wanted more memory than it may have
└── TaskTimeoutError        a Task took longer than its limit

SkipItem                    no error: there is nothing to do for this Item, and why
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, ClassVar

from pyveg.core.secrets import redacted
from pyveg.core.texts import LONGEST_MESSAGE, brief, cut, shown_lines

_SHOWN = 100
"""Known names that a message lists before it only counts them."""
_LONGEST_NAME = 120
"""Characters of a name that a message shows."""


class PyvegError(Exception):
    """Everything that pyveg raises on purpose, written for the user.

    Parameters
    ----------
    wrong : str
        What is wrong; names the file, setting or task.
    cure : str
        What to do about it; empty where the first part says it all.

    Examples
    --------
    >>> error = ConfigError("config: n_workers = 0 is out of range", "give 1 or more")
    >>> error.cure
    'give 1 or more'
    >>> print(error)
    config: n_workers = 0 is out of range; give 1 or more
    """

    shared: ClassVar[bool] = False
    """True: never the fault of one Item; all Tasks that do the same would meet it."""

    longest: ClassVar[int] = 4_000
    """Characters of either part that are kept; from the middle some are left out."""

    def __init__(self, wrong: str, cure: str = "") -> None:
        # Whatever users and libraries put into it: no secret, no escapes, no more than is read.
        wrong, cure = (cut(shown_lines(redacted(text)), self.longest) for text in (wrong, cure))
        super().__init__(wrong, cure)
        self.wrong = wrong
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.wrong}; {self.cure}" if self.cure else self.wrong


class ConfigError(PyvegError):
    """The config or the command line is wrong; nothing was started.

    Examples
    --------
    >>> raise ConfigError("config: region_size = 0 is out of range", "give more than 0")
    Traceback (most recent call last):
    pyveg.core.errors.ConfigError: config: region_size = 0 is out of range; give more than 0
    """

    longest = LONGEST_MESSAGE


class UnknownNameError(ConfigError):
    """A name that nothing goes by.

    Parameters
    ----------
    what : str
        What kind of name it is, as the user would say it: ``"module"``.
    name : str
        The name that was given.
    known : iterable of str
        The names that would have been right.
    where : str
        The place it was given at, to begin the message with; may be empty.
    """

    def __init__(self, what: str, name: object, known: Iterable[str], where: str = "") -> None:
        known = sorted(known)
        if not isinstance(name, str):
            name, known = brief(name), []
        name = cut(name, _LONGEST_NAME)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        if not near:  # a difference in case alone counts as near, however short the name
            near = [other for other in known if other.lower() == name.lower()]
        hint = f'did you mean "{near[0]}"?' if near else f"known: {_listed(known)}"
        super().__init__(f'{where}{": " if where else ""}unknown {what} "{name}"', hint)
        self._given = (what, name, tuple(known), where)

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[Any, ...]]:
        return type(self), self._given


def _listed(known: list[str]) -> str:
    """The first names, as many as a message has room for, and how many more there are."""
    listed, length = 0, 0
    while listed < min(len(known), _SHOWN) and length + len(known[listed]) < LONGEST_MESSAGE - 40:
        length += len(known[listed]) + 2
        listed += 1
    more = f" and {len(known) - listed} more" if len(known) > listed else ""
    return f"{', '.join(known[:listed]) or 'none'}{more}"


class MissingPackageError(ConfigError):
    """A part of pyveg whose package is not installed."""

    def __init__(self, part: str, requirement: str) -> None:
        from pyveg.core.installing import how_to_install  # looks at what is installed

        super().__init__(
            f"{part} needs a package that is not installed", how_to_install(requirement)
        )
        self._given = (part, requirement)

    def __reduce__(self) -> tuple[type[MissingPackageError], tuple[str, str]]:
        return type(self), self._given


class RunError(PyvegError):
    """A run cannot be started or resumed."""


class NotARunError(RunError):
    """A folder that holds no run of pyveg."""


class RunLockedError(RunError):
    """Another process is writing to the run."""


class LockLostError(RunLockedError):
    """Another process has taken over the run from this one, which must not write any more."""


class EngineError(PyvegError):
    """A service that runs Tasks refuses to be used; the text says what to do about it."""


class StoreError(PyvegError):
    """A Store cannot do what is asked of it."""


class KeyMissingError(StoreError):
    """Nothing is stored under that key."""

    def __init__(self, key: str, store: str) -> None:
        super().__init__(f"there is no {key} in {store}")
        self.key = key
        self.store = store

    def __reduce__(self) -> tuple[type[KeyMissingError], tuple[str, str]]:
        return type(self), (self.key, self.store)


class StoreFullError(StoreError):
    """There is no room left."""

    shared = True


class StoreGoneError(StoreError):
    """The whole Store is gone, or lets nobody in any more: an answer, which will stay so."""

    shared = True


class DataError(PyvegError):
    """Input of a Task that cannot be used; the Task fails with this reason.

    Examples
    --------
    >>> DataError("2016-01-16.tif has no band B8", "name it in bands").cure
    'name it in bands'
    """


class ServiceError(PyvegError):
    """A service did not give what it was asked for; the text says what to do.

    Examples
    --------
    >>> ServiceError("the catalogue answered 500").shared
    False
    """


class ServiceAwayError(ServiceError):
    """A service gives nobody anything: no network, no sign-in, disabled, over its quota.

    Examples
    --------
    >>> ServiceAwayError("the catalogue does not answer").shared
    True
    """

    shared = True


class CommandError(PyvegError):
    """A program that a Task ran did not do its work; the Task fails with this reason."""


class OutOfMemoryError(CommandError):
    """A Task, or a program of it, wanted more memory than it may have or its machine has."""


class TaskTimeoutError(PyvegError):
    """A Task took longer than its limit."""


class SkipItem(Exception):  # noqa: N818 - no error: the Task ends as skipped
    """There is nothing to do for this Item; the text says why.

    Examples
    --------
    >>> try:
    ...     raise SkipItem("no image without clouds")
    ... except SkipItem as why:
    ...     print(why)
    no image without clouds
    """
