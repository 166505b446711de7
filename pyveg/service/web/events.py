"""Events as they happen, by server-sent events; who comes back gets what was missed."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from pyveg.core.errors import PyvegError
from pyveg.core.records import plain_bytes
from pyveg.service.desk import Desk
from pyveg.service.records import Caller, JobRecord
from pyveg.service.web.answers import refusal_of
from pyveg.service.web.examples import Responses
from pyveg.service.web.hub import Hub
from pyveg.service.web.identity import Asking, AtDesk

router = APIRouter(tags=["events"])

_QUIET = 15.0
"""Seconds after which a comment shows that the connection is alive."""
_LOG_EVERY = 1.0
"""Seconds between two looks at the log of a job."""
_COMMENT = b":\n\n"
_PLACE = re.compile(r"(\d{1,15})(?:~(.*))?")
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_STREAM: Responses = {
    200: {
        "description": "Events, for as long as the connection is held",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("/events", responses=_STREAM, response_class=StreamingResponse)
async def all_events(request: Request, caller: Asking, desk: AtDesk) -> StreamingResponse:
    """Changes of all jobs of the caller: the event `status` with the status of a job.

    The header `Last-Event-ID` goes on after that event; without it, only what changes from now on
    is sent.
    """
    after, _ = _last_of(request)
    begin = desk.jobs_table.last_change() if after < 0 else after
    stream = _of_all(desk, request.app.state.hub, caller, begin)
    return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)


@router.get("/jobs/{job}/events", responses=_STREAM, response_class=StreamingResponse)
async def job_events(job: str, request: Request, caller: Asking, desk: AtDesk) -> StreamingResponse:
    """What happens to one job: the events `status`, `log`, and `end` when nothing more will come.

    The header `Last-Event-ID` goes on after that event; without it, all of the log is sent.
    """
    found = desk.job(caller, job)
    after, place = _last_of(request)
    stream = _of_one(desk, request.app.state.hub, caller, found, (after, place))
    return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)


async def _of_all(desk: Desk, hub: Hub, caller: Caller, after: int) -> AsyncIterator[bytes]:
    yield b": the changes of all jobs\n\n"
    said = time.monotonic()
    while not hub.closing:
        change = hub.next_change
        try:
            events = []
            for job in desk.changes(caller, after):
                after = job.seq
                events.append(_event("status", str(after), job.to_json()))
        except PyvegError as error:
            events = [_event("trouble", "", refusal_of(error).to_json())]
        if not events and time.monotonic() - said >= _QUIET:
            events = [_COMMENT]
        for event in events:
            said = time.monotonic()
            yield event
        await hub.wait(change, _QUIET)


async def _of_one(
    desk: Desk, hub: Hub, caller: Caller, job: JobRecord, begin: tuple[int, str]
) -> AsyncIterator[bytes]:
    after, place = begin
    yield b": what happens to one job\n\n"
    said = time.monotonic()
    while not hub.closing:
        change = hub.next_change
        events, more = [], False
        try:
            for one in desk.changes(caller, after, job=job.id):
                job, after = one, one.seq
                events.append(_event("status", f"{after}~{place}", one.to_json()))
            page = await hub.log(job.url, place)
            for entry in page.entries:
                place = entry.id
                events.append(_event("log", f"{max(after, 0)}~{place}", asdict(entry)))
            place, more = page.next or place, page.more
        except PyvegError as error:  # its Store is away, say
            events.append(_event("trouble", "", refusal_of(error).to_json()))
        over = job.state.over and not events
        if not events and time.monotonic() - said >= _QUIET:
            events = [_COMMENT]
        for event in events:
            said = time.monotonic()
            yield event
        if over:
            yield _event("end", "", {})
            return
        if not more:
            await hub.wait(change, _LOG_EVERY)


def _last_of(request: Request) -> tuple[int, str]:
    """The last event that whoever asks has had; -1 where there is none."""
    found = _PLACE.fullmatch(request.headers.get("last-event-id", ""))
    return (int(found[1]), found[2] or "") if found else (-1, "")


def _event(kind: str, identity: str, data: object) -> bytes:
    line = f"id: {identity}\n" if identity else ""
    return f"event: {kind}\n{line}data: ".encode() + plain_bytes(data) + b"\n\n"
