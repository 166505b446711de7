"""``If-Match`` and its like: requests that are for one version only."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from azure_batch_emulator.account.records import Record
from azure_batch_emulator.errors import BatchError
from azure_batch_emulator.protocol.messages import Request


def check(request: Request, record: Record) -> None:
    """Let a request pass, or raise ``ConditionNotMet`` (``NotModified`` for a reader)."""
    check_version(
        request,
        str(record.document.get("eTag", "")),
        datetime.fromisoformat(record.document["lastModified"]),
    )


def check_version(request: Request, etag: str, modified: datetime) -> None:
    """The same for what has an eTag (or none: an empty one) and a time.

    Parameters
    ----------
    request : Request
        It may have the four headers.
    etag : str
        The version as it is.
    modified : datetime
        When it was changed, with its time zone.
    """
    headers = request.headers
    moment = modified.astimezone(UTC).replace(microsecond=0)
    if "if-match" in headers and not _names(headers["if-match"], etag):
        raise BatchError("ConditionNotMet")
    if "if-unmodified-since" in headers and moment > _moment(headers["if-unmodified-since"]):
        raise BatchError("ConditionNotMet")
    same = "if-none-match" in headers and _names(headers["if-none-match"], etag)
    old = "if-modified-since" in headers and moment <= _moment(headers["if-modified-since"])
    if same or old:
        raise BatchError("NotModified" if request.method in {"GET", "HEAD"} else "ConditionNotMet")


def _names(header: str, etag: str) -> bool:
    return header == "*" or etag in {part.strip().strip('"') for part in header.split(",")}


def _moment(text: str) -> datetime:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        raise BatchError("InvalidHeaderValue", HeaderValue=text) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
