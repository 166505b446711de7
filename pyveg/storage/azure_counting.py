"""Counts the requests to a storage account, repeated ones too, and the bytes of their bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azure.core.pipeline.policies import SansIOHTTPPolicy

from pyveg.core import transfers

_LENGTH = "Content-Length"


class CountingPolicy(SansIOHTTPPolicy):  # type: ignore[type-arg]
    """The last step of a request before it goes out, so that it sees each repetition."""

    def on_response(self, request: Any, response: Any) -> None:
        """Count what was asked and answered."""
        asked, answered = request.http_request, response.http_response
        empty = asked.method == "HEAD"  # its length is that of what was not sent
        received = 0 if empty else _length(answered.headers)
        transfers.count(1, received, _length(asked.headers), storage=True)

    def on_exception(self, request: Any) -> None:
        """Count what was asked and not answered."""
        transfers.count(1, 0, _length(request.http_request.headers), storage=True)


def _length(headers: Mapping[str, str]) -> int:
    text = headers.get(_LENGTH, "")
    return int(text) if str(text).isdigit() else 0
