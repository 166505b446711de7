"""The list of jobs or runs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pyveg.service.pages import answers, live
from pyveg.service.pages.site import Site, Visitor
from pyveg.service.pages.watched import Page, entered, listening
from pyveg.service.states import JobState


def routes(site: Site) -> list[Route]:
    """Routes of the list.

    Parameters
    ----------
    site : Site
    """
    return [
        Route("/page", entered(site, _list(site))),
        Route("/page/live", listening(site, _live(site))),
    ]


def _list(site: Site) -> Page:
    async def show(request: Request, visitor: Visitor) -> Response:
        key = site.list_key(request, visitor)
        seen = await site.lists.get(key)
        asked = dict(key.asked)
        query = answers.query(asked)
        standing = bool(request.query_params.get("still"))
        values = {
            **visitor.values(),
            "here": "list",
            "parts": seen.parts,
            "next": seen.next,
            "place": visitor.board.place,
            "states": [str(state) for state in JobState],
            "processes": visitor.board.processes(),
            "live": f"{key.base}/page/live{query}",
            "refresh": 0 if standing else answers.REFRESH,
            "asked": {**asked, "still": request.query_params.get("still", "")},
        }
        return answers.page(request, "list", values)

    return show


def _live(site: Site) -> Page:
    async def listen(request: Request, visitor: Visitor) -> Response:
        key = site.list_key(request, visitor)
        await site.lists.get(key)

        async def look() -> live.Parts:
            return (await site.lists.get(key)).parts

        return live.stream(look, lambda: site.may_read(request), site.ends)

    return listen
