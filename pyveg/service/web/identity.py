"""Who asks: by a token in the header Authorization, or a browser by its cookie."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Request, Response

from pyveg.service.callers import Session
from pyveg.service.desk import Desk
from pyveg.service.records import Caller
from pyveg.service.refusals import Refusal
from pyveg.service.web.threads import at_table

COOKIE = "pyveg_session"
CSRF_HEADER = "x-csrf-token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def desk_of(request: Request) -> Desk:
    """The desk of the service."""
    desk: Desk = request.app.state.desk
    return desk


async def caller_of(request: Request) -> Caller:
    """Who asks.

    A browser sends its cookie with every request, whoever made the page that sends it: with a
    cookie, a request that changes something must carry the session's CSRF token in a header too.

    Raises
    ------
    Refusal
        401 where nobody is known, 429 after too many wrong tokens; 403 where that token is not
        there.
    """
    given = request.headers.get("authorization")
    if given is not None:
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer":
            raise Refusal(401, "the header Authorization is of another kind", _HOW)
        desk = desk_of(request)
        try:
            return desk.callers.of_token(token.strip())
        except Refusal:
            await at_table(desk.attempts.failed, address_of(request))
            raise
    session = session_of(request)
    if session is None:
        raise Refusal(401, "this request says not who asks", _HOW)
    if request.method not in _SAFE:
        check_csrf(session, request.headers.get(CSRF_HEADER, ""))
    return session.caller


_HOW = "send the header Authorization: Bearer TOKEN; the operator makes one with add_caller"


def session_of(request: Request) -> Session | None:
    """The session of a browser; None where it is not signed in."""
    value = request.cookies.get(COOKIE)
    return desk_of(request).callers.session(value) if value else None


def sign_in(desk: Desk, request: Request, response: Response, token: str) -> Session:
    """Exchange a token for a cookie.

    Raises
    ------
    Refusal
        401 where the token is nobody's, 429 after too many wrong ones.
    """
    try:
        session = desk.callers.sign_in(token.strip())
    except Refusal:
        desk.attempts.failed(address_of(request))
        raise
    response.set_cookie(
        COOKIE,
        session.value,
        max_age=int(3600 * desk.config.session_hours),
        httponly=True,
        samesite="strict",
        secure=_is_secure(desk, request),
        path="/",
    )
    desk.callers.note(session.caller.name, address_of(request), "signed in")
    return session


def sign_out(desk: Desk, request: Request, response: Response) -> None:
    """End the session of a browser."""
    value = request.cookies.get(COOKIE)
    if value:
        desk.callers.sign_out(value)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


def check_csrf(session: Session, given: str) -> None:
    """Refuse what a page of somebody else has sent.

    Raises
    ------
    Refusal
        403
    """
    if not hmac.compare_digest(session.csrf.encode(), given.encode("utf-8", "replace")):
        raise Refusal(
            403,
            "this form was not made by this service, or is of an earlier session",
            "load the page again",
        )


def address_of(request: Request) -> str:
    """Where a request comes from, for the audit."""
    return request.client.host if request.client else ""


def _is_secure(desk: Desk, request: Request) -> bool:
    public = desk.config.public_url
    return public.startswith("https://") or request.url.scheme == "https"


Asking = Annotated[Caller, Depends(caller_of)]
AtDesk = Annotated[Desk, Depends(desk_of)]
