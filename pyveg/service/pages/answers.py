"""Responses with the headers of pages, and errors as pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pyveg.core.errors import NotARunError, PyvegError
from pyveg.core.secrets import redacted
from pyveg.service.pages.rendering import render
from pyveg.service.refusals import Refusal

Endpoint = Callable[[Request], Awaitable[Response]]

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""What a page may load: nothing but what this server gives, and no script inside of it."""
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
REFRESH = 5
"""Seconds after which a page loads itself again where scripts are off and something goes on."""


def page(request: Request, name: str, values: Mapping[str, Any], status: int = 200) -> Response:
    """A whole page.

    Parameters
    ----------
    request : Request
    name : str
        Of its template.
    values : mapping
        What the template needs beyond what all pages have.
    status : int
        Of HTTP.
    """
    usual = {
        "base": base_of(request),
        "here": "",
        "kind": "jobs",
        "who": "",
        "csrf": "",
        "live": "",
        "refresh": 0,
        "asked": dict(request.query_params),
    }
    return HTMLResponse(render(name, {**usual, **values}), status, _HEADERS)


def base_of(request: Request) -> str:
    """The path that this service is below, where a server in front says one."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def query(values: Mapping[str, str]) -> str:
    """The end of an address; what is empty is left out.

    Examples
    --------
    >>> query({"state": "failed", "cursor": ""}), query({})
    ('?state=failed', '')
    """
    given = urlencode({name: value for name, value in values.items() if value})
    return f"?{given}" if given else ""


def gone_to(address: str) -> Response:
    """Where a browser goes after a form.

    Parameters
    ----------
    address : str
        A path of this service.
    """
    return RedirectResponse(address, 303, {"Cache-Control": "no-store"})


def refused(request: Request, error: PyvegError, **values: Any) -> Response:
    """An error as a page: what is wrong, and the cure."""
    title, status = _kind(error)
    told = {"title": title, "wrong": redacted(error.wrong), "cure": redacted(error.cure)}
    return page(request, "problem", {**values, **told}, status)


def _kind(error: PyvegError) -> tuple[str, int]:
    if isinstance(error, Refusal):
        return error.title, error.status
    if isinstance(error, NotARunError):
        return "Not found", 404
    return "Not possible at the moment", 503


def with_errors(route: Endpoint) -> Endpoint:
    """Have the errors of a route shown as pages.

    Parameters
    ----------
    route : callable
    """

    @wraps(route)
    async def answer(request: Request) -> Response:
        try:
            return await route(request)
        except PyvegError as error:
            return refused(request, error)

    return answer
