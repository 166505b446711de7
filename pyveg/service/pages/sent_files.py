"""Files of a run as a browser is given them: looked at, and never executed."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from starlette.responses import StreamingResponse

from pyveg.core.errors import StoreError
from pyveg.core.ports import Store
from pyveg.runs.outputs import UNKNOWN_TYPE, is_private, media_type
from pyveg.service.refusals import Refusal

POLICY = (
    "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; "
    "frame-ancestors 'self'"
)
"""What a file of a run may do, which others wrote: no script of it runs, and it is of no origin, so
that it reaches nothing of the pages."""
_CHUNK = 1 << 20
_AS_TEXT = ("text/csv", "text/plain", "application/json", "application/geo+json")
"""Types that a browser shows as they are written."""
_AS_IT_IS = ("text/html", "image/png", "image/jpeg", "image/svg+xml")


def send(store: Store, key: str) -> StreamingResponse:
    """A file of a run, in pieces.

    Parameters
    ----------
    store : Store
    key : str

    Raises
    ------
    Refusal
        404, where there is none, or it is pyveg's own.
    """
    size = None if is_private(key) else _size(store, key)
    if size is None:
        raise Refusal(404, f"there is no file {key[:200]} in this run", "look at its list of files")
    kind, shown = _sent_as(media_type(key))
    headers = {
        "Content-Length": str(size),
        "Content-Security-Policy": POLICY,
        "Content-Disposition": f"{shown}; filename*=UTF-8''{quote(key.rpartition('/')[2])}",
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    return StreamingResponse(_pieces(store, key), 200, headers, kind)


def _size(store: Store, key: str) -> int | None:
    try:
        return store.size(key)
    except StoreError:  # nothing that a key can be
        return None


def _sent_as(kind: str) -> tuple[str, str]:
    if kind in _AS_TEXT:
        return "text/plain; charset=utf-8", "inline"
    if kind in _AS_IT_IS:
        return kind, "inline"
    return UNKNOWN_TYPE, "attachment"


def _pieces(store: Store, key: str) -> Iterator[bytes]:
    with store.open_read(key) as stream:
        while piece := stream.read(_CHUNK):
            yield piece
