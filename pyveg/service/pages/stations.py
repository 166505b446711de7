"""Pages of stations: all of a caller's, and one with its last picture, series and health."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pyveg.service.pages import answers
from pyveg.service.pages.boards import JobBoard
from pyveg.service.pages.site import Site, Visitor
from pyveg.service.pages.watched import Page, entered
from pyveg.service.refusals import Refusal
from pyveg.service.stations import series
from pyveg.service.stations.desk import StationDesk

SHOWN_DAYS = 366
"""Days of the series that a page shows, the last ones."""
WIDTH, HEIGHT = 720, 160
"""Of the picture of the series."""
_TYPES = {"jpg": "image/jpeg", "png": "image/png"}


def routes(site: Site, desk: StationDesk) -> list[Route]:
    """Routes of the pages.

    Parameters
    ----------
    site : Site
    desk : StationDesk
    """
    one = "/page/stations/{station}"
    return [
        Route("/page/stations", entered(site, _all(desk))),
        Route(one, entered(site, _one(desk))),
        Route(f"{one}/latest", entered(site, _latest(desk))),
    ]


def _all(desk: StationDesk) -> Page:
    async def show(request: Request, visitor: Visitor) -> Response:
        found = await run_in_threadpool(desk.stations, _board(visitor).caller)
        values = {**visitor.values(), "here": "stations", "stations": found}
        return answers.page(request, "stations", values)

    return show


def _one(desk: StationDesk) -> Page:
    async def show(request: Request, visitor: Visitor) -> Response:
        station = request.path_params["station"]
        values = await run_in_threadpool(_values, desk, visitor, station)
        return answers.page(request, "station", {**visitor.values(), **values})

    return show


def _latest(desk: StationDesk) -> Page:
    async def send(request: Request, visitor: Visitor) -> Response:
        station = request.path_params["station"]
        await run_in_threadpool(desk.owned, _board(visitor).caller, station)
        record, data = await run_in_threadpool(desk.latest, station)
        kind = _TYPES[record.file.rsplit(".", 1)[-1]]
        return Response(data, media_type=kind, headers={"Cache-Control": "no-store"})

    return send


def _values(desk: StationDesk, visitor: Visitor, station: str) -> dict[str, Any]:
    """What the page of a station shows."""
    found = desk.owned(_board(visitor).caller, station)
    _, records = desk.series(station, "", "")
    days = series.periods(found.settings.camera(station), records, 1)[-SHOWN_DAYS:]
    known = [day for day in days if day["gcc_90"] is not None]
    return {
        "here": "stations",
        "station": desk.described(found),
        "first": days[0]["date"] if days else "",
        "last": days[-1]["date"] if days else "",
        "lines": lines([day["gcc_90"] for day in days]),
        "low": min((day["gcc_90"] for day in known), default=None),
        "high": max((day["gcc_90"] for day in known), default=None),
        "gaps": gaps(days),
        "size": (WIDTH, HEIGHT),
    }


def lines(values: Sequence[float | None]) -> list[str]:
    """Points of the lines of a series, as SVG has them; a line ends where a value is missing.

    Examples
    --------
    >>> lines([0.3, 0.4, None, 0.3])
    ['0.0,160.0 240.0,0.0', '720.0,160.0']
    >>> lines([])
    []
    """
    known = [value for value in values if value is not None]
    if not known:
        return []
    low, high = min(known), max(known)
    step = WIDTH / max(len(values) - 1, 1)
    parts: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            parts.append([])
            continue
        share = (value - low) / (high - low) if high > low else 0.5
        parts[-1].append(f"{place * step:.1f},{HEIGHT * (1 - share):.1f}")
    return [" ".join(part) for part in parts if part]


def gaps(days: Sequence[dict[str, Any]]) -> list[tuple[str, str, int]]:
    """First and last day of each gap, and its length; the longest ones first.

    Examples
    --------
    >>> gaps([{"date": "2026-01-01", "image_count": 2}, {"date": "2026-01-02", "image_count": 0}])
    [('2026-01-02', '2026-01-02', 1)]
    """
    found: list[tuple[str, str, int]] = []
    before = math.inf
    for place, day in enumerate(days):
        if day["image_count"]:
            continue
        if found and before == place - 1:
            first, _, length = found.pop()
            found.append((first, day["date"], length + 1))
        else:
            found.append((day["date"], day["date"], 1))
        before = place
    return sorted(found, key=lambda one: -one[2])[:10]


def _board(visitor: Visitor) -> JobBoard:
    """Stations have owners; runs that are only watched have none."""
    if not isinstance(visitor.board, JobBoard):
        raise Refusal(404, "there are no stations here", "look at the runs")
    return visitor.board
