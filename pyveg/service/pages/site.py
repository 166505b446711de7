"""Who looks at pages, and what they look at, kept for all open pages together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pyveg.service.callers import Session
from pyveg.service.desk import Desk
from pyveg.service.pages.answers import base_of
from pyveg.service.pages.boards import Board
from pyveg.service.pages.live import Glances
from pyveg.service.pages.parts import ListSeen, ListView, OneSeen, OneView


@dataclass(frozen=True)
class Visitor:
    """Whoever asks for a page, and what they may see."""

    board: Board
    session: Session | None = None
    """None where nobody signs in, and there are no forms."""

    def values(self) -> Mapping[str, Any]:
        """What all templates need of it."""
        session = self.session
        return {
            "kind": self.board.kind,
            "who": session.caller.name if session else "",
            "csrf": session.csrf if session else "",
        }


@dataclass(frozen=True)
class OneKey:
    """Which page of one job or run."""

    seen_by: Hashable
    one: str
    base: str
    board: Board = field(compare=False)


@dataclass(frozen=True)
class ListKey:
    """Which page of a list."""

    seen_by: Hashable
    asked: tuple[tuple[str, str], ...]
    base: str
    board: Board = field(compare=False)


class Identity(Protocol):
    """How browsers show who they are: a session for a cookie, and what forms send back."""

    def session_of(self, request: Request, /) -> Session | None:
        """The session of a browser; None where nobody is signed in."""
        ...

    def sign_in(self, desk: Desk, request: Request, response: Response, token: str, /) -> Session:
        """Begin a session; `Refusal` 401 where the token is nobody's."""
        ...

    def sign_out(self, desk: Desk, request: Request, response: Response, /) -> None:
        """End the session of a browser."""
        ...

    def check_csrf(self, session: Session, given: str, /) -> None:
        """Refuse what a page of somebody else has sent: `Refusal` 403."""
        ...

    def address_of(self, request: Request, /) -> str:
        """Where a request comes from, for the audit."""
        ...


Enter = Callable[[Request], Awaitable[Visitor | None]]
"""Tells who asks; None where they have to sign in first."""


class Site:
    """What all routes of pages share.

    Parameters
    ----------
    enter : callable
    ends : callable
        Whether the server ends.
    """

    def __init__(self, enter: Enter, ends: Callable[[], bool]) -> None:
        self.enter = enter
        self.ends = ends
        self.ones: Glances[OneKey, OneSeen] = Glances(
            lambda key: OneView(key.board, key.one, key.base),
        )
        self.lists: Glances[ListKey, ListSeen] = Glances(
            lambda key: ListView(key.board, dict(key.asked), key.base),
        )

    def one_key(self, request: Request, visitor: Visitor) -> OneKey:
        """The key of what a request for one job or run is about."""
        board, one = visitor.board, request.path_params["one"]
        return OneKey(board.key, one, base_of(request), board)

    def list_key(self, request: Request, visitor: Visitor) -> ListKey:
        """The key of the list that a request asks for."""
        asked = {"state": "", "process": "", "cursor": ""}
        asked |= {name: request.query_params.get(name, "") for name in asked}
        return ListKey(visitor.board.key, tuple(asked.items()), base_of(request), visitor.board)

    async def may_read(self, request: Request) -> bool:
        """Whether whoever opened a page may still see it."""
        return await self.enter(request) is not None


def to_sign_in(request: Request) -> Response:
    """Where a browser goes that nobody has signed in with; it comes back afterwards."""
    base = base_of(request)
    query = f"?{request.url.query}" if request.url.query else ""
    wanted = request.url.path.removeprefix(base) + query if request.method == "GET" else "/page"
    address = request.url.replace(path=f"{base}/login", query="").include_query_params(next=wanted)
    return RedirectResponse(f"{address.path}?{address.query}", 303)
