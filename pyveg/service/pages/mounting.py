"""The routes of pages put together: beside the API of a desk, or for the runs at a location."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from pyveg.core.errors import PyvegError
from pyveg.runs.outputs import media_type
from pyveg.service.desk import Desk
from pyveg.service.pages import answers, forms, lists, signing_in, stations, watched
from pyveg.service.pages.boards import JobBoard, RunBoard
from pyveg.service.pages.live import Ending
from pyveg.service.pages.rendering import static_file
from pyveg.service.pages.site import Identity, Site, Visitor
from pyveg.service.refusals import Refusal

_STATIC = ("icon.svg", "map.js", "page.js", "style.css", "world.svg")
_SCRIPT = "text/javascript"
_STYLE = "text/css"


def watch_app(location: str) -> Starlette:
    """Pages about the runs at a location, read only and without signing in.

    Parameters
    ----------
    location : str
        As `pyveg_status` takes it.

    Returns
    -------
    Starlette
        ``state.hub.close()`` has its streams end.
    """
    board = RunBoard(location)

    async def enter(request: Request) -> Visitor:
        del request
        return Visitor(board)

    ending = Ending()
    site = Site(enter, lambda: ending.closing)
    routes = [
        Route("/", lambda request: RedirectResponse(f"{request.scope.get('root_path', '')}/page")),
        *lists.routes(site),
        *watched.routes(site, board.kind),
        static_route(),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _not_there})
    app.state.hub = ending
    return app


def mount(app: Starlette, desk: Desk, identity: Identity) -> None:
    """Put the pages of a desk's jobs beside the routes that an application has.

    Parameters
    ----------
    app : Starlette
    desk : Desk
    identity : Identity
        How browsers show who they are.
    """

    async def enter(request: Request) -> Visitor | None:
        session = await run_in_threadpool(identity.session_of, request)
        if session is None:
            return None
        return Visitor(JobBoard(desk, session.caller), session)

    site = Site(enter, lambda: bool(app.state.hub.closing))
    app.router.routes += [
        *lists.routes(site),
        *forms.routes(site, identity),
        *watched.routes(site, JobBoard.kind),
        *signing_in.routes(desk, identity),
        *stations.routes(site, app.state.stations),
        static_route(),
    ]


def problem_page(request: Request, error: PyvegError) -> Response:
    """An error as a page, for routes that are not those of pages.

    Parameters
    ----------
    request : Request
    error : PyvegError
    """
    return answers.refused(request, error)


async def _not_there(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    wrong = "there is nothing at this address" if status == 404 else "this cannot be done here"
    return answers.refused(request, Refusal(status, wrong, "look at the list"), kind="runs")


def static_route() -> Route:
    """What pages load."""
    return Route("/page/static/{name}", _static)


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        return Response(status_code=404)
    kind = {"js": _SCRIPT, "css": _STYLE}.get(name.rpartition(".")[2]) or media_type(name)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    return Response(static_file(name), 200, headers, kind)
