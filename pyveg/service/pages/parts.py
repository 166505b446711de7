"""The parts of pages that change while they are open, as HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from pyveg.core.errors import PyvegError
from pyveg.runs.run import Run
from pyveg.service.pages import reading
from pyveg.service.pages.boards import Board
from pyveg.service.pages.live import Parts
from pyveg.service.pages.looks import Look
from pyveg.service.pages.reading import Now, Tail
from pyveg.service.pages.rendering import render

T = TypeVar("T")

NAMES = (
    "state",
    "actions",
    "modules",
    "failures",
    "nodes",
    "results",
    "pictures",
    "report",
    "log",
    "facts",
)
"""Parts of the page of one job or run, in the order in which they stand."""
_RESULTS, _PICTURES, _NODES = 3.0, 6.0, 10.0
"""Seconds for which each is good."""


def address_of(base: str, board: Board, one: str) -> str:
    """Path of the page of a job or run."""
    return f"{base}/page/{board.kind}/{quote(one, safe='')}"


@dataclass(frozen=True)
class OneSeen:
    """How a job or run is, and the parts of its page."""

    look: Look
    parts: Parts


@dataclass(frozen=True)
class ListSeen:
    """A page of a list."""

    parts: Parts
    next: str
    """Cursor of the page after it."""


class OneView:
    """Looks at one job or run.

    Parameters
    ----------
    board : Board
    one : str
        Its id.
    base : str
        The path that the service is below.
    """

    def __init__(self, board: Board, one: str, base: str) -> None:
        self._board = board
        self._one = one
        self._usual = {
            "base": base,
            "kind": board.kind,
            "address": address_of(base, board, one),
        }
        self._over = False
        self._reader: _Reader | None = None

    def __call__(self) -> OneSeen:
        """All parts, as they are now."""
        look = self._board.look(self._one)
        ended, self._over = look.over and not self._over, look.over
        values = {**self._usual, **self._read(look, ended=ended), "look": look}
        return OneSeen(look, {name: render(f"part_{name}", values) for name in NAMES})

    def _read(self, look: Look, *, ended: bool) -> Mapping[str, Any]:
        if self._reader is None:
            run = None if look.purged else self._board.run(self._one)
            if run is None:
                return _NOTHING
            self._reader = _Reader(run, self._usual["address"])
        return self._reader.values(over=look.over, anew=ended)


_NOTHING: Mapping[str, Any] = {
    "lines": (),
    "results": (),
    "reports": (),
    "pictures": (),
    "nodes": (),
    "why_no_nodes": (),
}
"""What there is to be read where no run has begun."""


class _Reader:
    """Reads in a run what its page shows beside its state."""

    def __init__(self, run: Run, address: str) -> None:
        self._tail = Tail(run)
        self._results = Now(lambda: _tried(lambda: reading.results_of(run, address)), _RESULTS)
        self._shots = Now(lambda: _tried(lambda: reading.shots_of(run, address)), _PICTURES)
        self._nodes = Now(lambda: reading.nodes_of(run), _NODES)

    def values(self, *, over: bool, anew: bool) -> Mapping[str, Any]:
        nodes, reasons = ([], []) if over else self._nodes.get()
        results = self._results.get(anew=anew)
        return {
            "lines": _tried(self._tail.lines),
            "results": [one for one in results if one.type != "text/html"],
            "reports": [one for one in results if one.type == "text/html"],
            "pictures": self._shots.get(anew=anew),
            "nodes": nodes,
            "why_no_nodes": reasons,
        }


def _tried(read: Callable[[], list[T]]) -> list[T]:
    """What can be read; a run that is damaged shows at least how it is."""
    try:
        return read()
    except PyvegError:
        return []


class ListView:
    """Looks at a page of a list.

    Parameters
    ----------
    board : Board
    asked : mapping
        Names and values of the page's address.
    base : str
        The path that the service is below.
    """

    def __init__(self, board: Board, asked: Mapping[str, str], base: str) -> None:
        self._board = board
        self._asked = asked
        self._usual = {"base": base, "kind": board.kind, "asked": asked}

    def __call__(self) -> ListSeen:
        """The list, as it is now."""
        listed = self._board.listed(self._asked)
        html = render("part_list", {**self._usual, "looks": listed.looks})
        return ListSeen({"list": html}, listed.next)
