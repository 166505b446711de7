"""Cameras in the field: stations, their images, and series of greenness."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from pyveg.core.errors import DataError
from pyveg.core.values import not_finite, read_json
from pyveg.service.refusals import Refusal
from pyveg.service.stations import series
from pyveg.service.stations.desk import MOST_BYTES, MOST_ROWS, StationDesk
from pyveg.service.stations.records import ImageRecord, Station
from pyveg.service.web import examples
from pyveg.service.web.answers import Json
from pyveg.service.web.identity import Asking, AtDesk, address_of, caller_of
from pyveg.service.web.threads import at_table

router = APIRouter(prefix="/v1/stations", tags=["stations"], responses=examples.PROBLEMS)

_CSV = "text/csv"
_TYPES = {"jpg": "image/jpeg", "png": "image/png"}
_FIELDS = 10
_PATIENCE = 120
"""Seconds that an image may take to come; each that comes takes the place of another."""


class _InMemory(MultiPartParser):
    """Reads a form without a file on the disk: an image may have people on it."""

    spool_max_size = MOST_BYTES + 10_000_000


def _stations(request: Request) -> StationDesk:
    desk: StationDesk = request.app.state.stations
    return desk


Stations = Annotated[StationDesk, Depends(_stations)]


@router.get("", response_class=Json)
async def stations(caller: Asking, desk: Stations) -> Response:
    """List the caller's stations, and how they are."""
    return Json({"stations": await at_table(desk.stations, caller)})


@router.put("/{station}", response_class=Json)
async def put_station(
    request: Request, station: str, caller: Asking, desk: Stations, jobs: AtDesk
) -> Response:
    """Make a station, or change its settings; a new one's key is told once."""
    try:
        given = read_json(await request.body())
    except ValueError as error:
        raise Refusal(400, f"the body is no JSON: {error}", "mend it") from None
    if not_finite(given):
        raise Refusal(422, "the body holds NaN or an infinite number", "leave it out")
    found = await at_table(desk.put, caller, station, given)
    new = "key" in found
    action = "made a station" if new else "changed a station"
    await at_table(jobs.callers.note, caller.name, address_of(request), action, "", station)
    return Json(found, status_code=201 if new else 200)


@router.get("/{station}", response_class=Json)
async def station_of(station: str, caller: Asking, desk: Stations) -> Response:
    """Tell a station's settings, and how it is."""
    found = await at_table(desk.owned, caller, station)
    return Json(await at_table(desk.described, found))


@router.delete("/{station}", status_code=204, response_class=Response)
async def delete_station(
    request: Request, station: str, caller: Asking, desk: Stations, jobs: AtDesk
) -> Response:
    """Remove a station with all its images."""
    await run_in_threadpool(desk.delete, caller, station)
    address = address_of(request)
    await at_table(jobs.callers.note, caller.name, address, "removed a station", "", station)
    return Response(status_code=204)


@router.post("/{station}/key", response_class=Json)
async def rotate_key(
    request: Request, station: str, caller: Asking, desk: Stations, jobs: AtDesk
) -> Response:
    """Make a new key; the one before holds for a day more."""
    found = await at_table(desk.rotate, caller, station)
    address = address_of(request)
    await at_table(jobs.callers.note, caller.name, address, "made a new key", "", station)
    return Json(found, status_code=201)


@router.put("/{station}/masks/{roi}", status_code=204, response_class=Response)
async def put_mask(  # noqa: PLR0917 - FastAPI passes them by name
    request: Request,
    station: str,
    roi: str,
    caller: Asking,
    desk: Stations,
    start: Annotated[str, Query(alias="from", max_length=40)] = "",
) -> Response:
    """Note a mask, the body, that holds from a time on; without one, from the beginning."""
    data = await request.body()
    await run_in_threadpool(desk.put_mask, caller, station, roi, start, data)
    return Response(status_code=204)


@router.post("/{station}/images", response_class=Json)
async def post_image(request: Request, station: str, desk: Stations, jobs: AtDesk) -> Response:
    """Take an image of a station that shows its key: a form with image, taken and sequence."""
    key = _key_of(request)
    try:
        await at_table(desk.check_key, station, key)
    except Refusal:
        if key:
            await at_table(jobs.attempts.failed, address_of(request))
        raise
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(desk.slots.one())
        except Refusal:
            # Read to its end, else the sender sees a broken connection in place of the answer.
            async for _ in request.stream():
                pass
            raise
        form = await _form(request)
        given = await run_in_threadpool(_post, desk, station, form)
    return Json(given)


@router.get("/{station}/latest", response_class=Response)
async def latest(request: Request, station: str, desk: Stations) -> Response:
    """Show the last image."""
    await _may_read(request, station, desk)
    record, data = await run_in_threadpool(desk.latest, station)
    name = record.file.rsplit("/", 1)[-1]
    headers = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "no-store"}
    return Response(data, media_type=_TYPES[name.rsplit(".", 1)[-1]], headers=headers)


@router.get("/{station}/series", response_class=Json)
async def series_of(  # noqa: PLR0917 - FastAPI passes them by name
    request: Request,
    station: str,
    desk: Stations,
    begin: Annotated[str, Query(alias="from", max_length=40)] = "",
    end: Annotated[str, Query(alias="to", max_length=40)] = "",
    summary: Annotated[int, Query(ge=0, le=3)] = 0,
    form: Annotated[str, Query(alias="format", pattern="^(json|csv)$")] = "json",
) -> Response:
    """Tell greenness image by image, or of days (summary=1) or three days (summary=3)."""
    await _may_read(request, station, desk)
    if summary not in (0, 1, 3):
        raise Refusal(422, f"summary = {summary} is no length of periods", "give 1 or 3")
    if form == "csv" and not summary:
        raise Refusal(422, "a CSV has periods", "add summary=1 or summary=3")
    found, records = await run_in_threadpool(desk.series, station, begin, end)
    return await run_in_threadpool(_series, found, records, summary, form)


def _series(found: Station, records: list[ImageRecord], summary: int, form: str) -> Response:
    camera = found.settings.camera(found.id)
    if form == "csv":
        try:
            return Response(series.table(camera, records, summary), media_type=_CSV)
        except DataError as error:
            raise Refusal(404, error.wrong, error.cure) from None
    rows = (
        series.periods(camera, records, summary)
        if summary
        else [series.answer(one) for one in records]
    )
    return Json({"station": found.id, "rows": rows, "complete": len(records) < MOST_ROWS})


async def _may_read(request: Request, station: str, desk: StationDesk) -> None:
    """With the key of the station, or as its owner."""
    key = _key_of(request)
    holds: bool = key != "" and await run_in_threadpool(desk.records.holds, station, key)
    if holds:
        return
    await at_table(desk.owned, await caller_of(request), station)


def _key_of(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


async def _form(request: Request) -> dict[str, Any]:
    """The parts of the form, all in memory."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise Refusal(
            415, f"the body is {kind[:60] or 'of no kind'}", "send multipart/form-data with image"
        )
    parser = _InMemory(request.headers, request.stream(), max_files=1, max_fields=_FIELDS)
    try:
        async with asyncio.timeout(_PATIENCE):
            parts = await parser.parse()
    except TimeoutError:
        raise Refusal(
            503, f"the image has not come within {_PATIENCE} s", "send it again", retry_after=30
        ) from None
    except (MultiPartException, KeyError, ValueError) as error:
        said = getattr(error, "message", "") or "it has no boundary"
        raise Refusal(400, f"the form cannot be read: {said}", "mend it") from None
    image = parts.get("image")
    if not isinstance(image, UploadFile):
        await parts.close()
        raise Refusal(422, "there is no part image with a file", "send it as image")
    try:
        data = await image.read()
    finally:
        await parts.close()
    texts = {name: str(parts.get(name) or "") for name in ("taken", "sequence")}
    return {"data": data, "name": image.filename or "", **texts}


def _post(desk: StationDesk, station: str, form: dict[str, Any]) -> dict[str, Any]:
    return desk.post(
        station,
        form["data"],
        taken=form["taken"],
        name=form["name"],
        sequence=form["sequence"],
    )
