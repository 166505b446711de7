"""A browser exchanges a token for a cookie, and gives it back."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pyveg.service.desk import Desk
from pyveg.service.pages import answers
from pyveg.service.pages.form_fields import fields_of, last
from pyveg.service.pages.site import Identity
from pyveg.service.refusals import Refusal


def routes(desk: Desk, identity: Identity) -> list[Route]:
    """Signing in and out.

    Parameters
    ----------
    desk : Desk
    identity : Identity
    """
    return [
        Route("/login", answers.with_errors(_login), methods=["GET"]),
        Route("/login", answers.with_errors(_signing_in(desk, identity)), methods=["POST"]),
        Route("/logout", answers.with_errors(_signing_out(desk, identity)), methods=["POST"]),
    ]


async def _login(request: Request) -> Response:
    wanted = _local(request.query_params.get("next", ""))
    return answers.page(request, "login", {"wrong": "", "cure": "", "next": wanted})


def _signing_in(desk: Desk, identity: Identity) -> answers.Endpoint:
    async def answer(request: Request) -> Response:
        given = await fields_of(request)
        wanted = _local(last(given, "next"))
        response = answers.gone_to(f"{answers.base_of(request)}{wanted}")
        try:
            await run_in_threadpool(identity.sign_in, desk, request, response, last(given, "token"))
        except Refusal as refusal:
            told = {"wrong": refusal.wrong, "cure": refusal.cure, "next": wanted}
            page = answers.page(request, "login", told, refusal.status)
            if refusal.retry_after is not None:
                page.headers["Retry-After"] = str(refusal.retry_after)
            return page
        return response

    return answer


def _signing_out(desk: Desk, identity: Identity) -> answers.Endpoint:
    async def answer(request: Request) -> Response:
        session = await run_in_threadpool(identity.session_of, request)
        response = answers.gone_to(f"{answers.base_of(request)}/login")
        if session is not None:
            identity.check_csrf(session, last(await fields_of(request), "csrf"))
            await run_in_threadpool(identity.sign_out, desk, request, response)
        return response

    return answer


def _local(address: str) -> str:
    r"""A path of this service, never of another host; the list of jobs where it is none.

    Examples
    --------
    >>> [_local(one) for one in ("/page/jobs/a?still=1", "//evil.org", "/\\evil.org", "https://a")]
    ['/page/jobs/a?still=1', '/page', '/page', '/page']
    """
    fine = address.startswith("/") and address.isprintable() and "\\" not in address
    return address if fine and not address.startswith("//") else "/page"
