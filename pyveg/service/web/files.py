"""Files of runs, by links that carry the right to read them."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from pyveg.service.results import OpenedFile
from pyveg.service.web import examples
from pyveg.service.web.identity import AtDesk

router = APIRouter(tags=["files"], responses=examples.PROBLEMS)

_PIECE = 256 * 1024
_POLICY = (
    "sandbox; default-src 'none'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "font-src data:"
)
"""What a run holds may be anyone's: a page of it can do nothing but look."""


@router.head("/files/{job}/{stamp}/{key:path}", include_in_schema=False)
@router.get(
    "/files/{job}/{stamp}/{key:path}", response_class=StreamingResponse, responses=examples.FILE
)
async def file(job: str, stamp: str, key: str, desk: AtDesk) -> Response:
    """Send a file of a run."""
    found = await run_in_threadpool(desk.open_file, job, stamp, key)
    headers = {
        "Content-Length": str(found.length),
        "Content-Security-Policy": _POLICY,
        "Cache-Control": "private, max-age=60",
    }
    return StreamingResponse(_pieces(found), media_type=found.type, headers=headers)


def _pieces(found: OpenedFile) -> Iterator[bytes]:
    rest = found.length
    with found.stream() as stream:
        while rest > 0 and (piece := stream.read(min(_PIECE, rest))):
            rest -= len(piece)
            yield piece
