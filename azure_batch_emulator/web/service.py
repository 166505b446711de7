"""From a request to the reply that goes over the wire."""

from __future__ import annotations

import itertools
import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from azure_batch_emulator.account.account import Account
from azure_batch_emulator.dice import chance, hits
from azure_batch_emulator.errors import BatchError
from azure_batch_emulator.operations.operation import Operation
from azure_batch_emulator.protocol.files import Slice
from azure_batch_emulator.protocol.messages import Request
from azure_batch_emulator.settings import API_VERSIONS
from azure_batch_emulator.web import auth, routing
from azure_batch_emulator.web.request_log import RequestLog

JSON = "application/json; odata=minimalmetadata"
LARGEST_BODY = 1_048_576
"""Bytes of a request; more is an error of the service."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reply:
    """What is sent.

    Parameters
    ----------
    status : int
        The HTTP status.
    headers : mapping
        All of them but ``Content-Length``.
    length : int
        Bytes of the body; those that a HEAD request would have got.
    content : bytes or open file
        The body. Whoever sends it closes the file.
    """

    status: int
    headers: Mapping[str, str]
    length: int = 0
    content: bytes | BinaryIO = b""


class Service:
    """Answers requests.

    Parameters
    ----------
    account : Account
        What they are about.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._host = account.host
        self._numbers = itertools.count()
        self.requests = RequestLog()

    def answer(self, method: str, target: str, headers: Mapping[str, str], content: bytes) -> Reply:
        """Answer a request.

        Parameters
        ----------
        method, target : str
            The HTTP verb; path and query as they were sent.
        headers : mapping
            Names in lower case.
        content : bytes
            The body.
        """
        operation: Operation | None = None
        request = Request.read(method, target, headers, content)
        try:
            auth.check(self._host.settings, method, target, headers)
            self._refuse_if_disabled()
            self._throttle()
            operation, request = routing.find(request)
            _check_common(request)
            reply = self._done(operation, request)
        except BatchError as error:
            reply = self._refusal(error)
        except Exception as error:  # noqa: BLE001 - one mistake must not stop the server
            _log.exception("a request failed inside the emulator: %s %s", method, request.path)
            reply = self._refusal(BatchError("InternalError", Reason=repr(error)))
        self.requests.add(method, request.path, reply.status, operation.name if operation else None)
        return reply

    def _done(self, operation: Operation, request: Request) -> Reply:
        with self._host.background.lock:
            answer = operation.handle(self._account, request)
            # documents change in place, so they are written down before others may change them
            content = b"" if answer.document is None else json.dumps(answer.document).encode()
            file = None if answer.file is None else _opened(answer.file)
        headers = {**_marks(request.headers), **answer.headers}
        status = answer.status or operation.status
        if answer.file is not None and file is not None:
            return Reply(status, headers, answer.file.length, file)
        if content:
            headers["Content-Type"] = JSON
        return Reply(status, headers, len(content), content)

    def _refuse_if_disabled(self) -> None:
        if self._host.faults.disabled:
            raise BatchError("AccountIsDisabled")

    def _throttle(self) -> None:
        """Refuse a share of the requests, half of them with 429 and half with 503."""
        faults = self._host.faults
        number = next(self._numbers)
        if not hits(faults.throttle_rate, faults.seed, "throttle", number):
            return
        headers = {}
        if faults.retry_after is not None:
            headers["Retry-After"] = f"{faults.retry_after:g}"
        first = chance(faults.seed, "which", number) < 0.5
        raise BatchError("TooManyRequests" if first else "ServerBusy", headers=headers)

    def _refusal(self, error: BatchError) -> Reply:
        if error.status == 304:
            return Reply(304, _marks({}))
        content = json.dumps(error.body(self._host.url)).encode()
        headers = {**_marks({}), "Content-Type": JSON, **error.headers}
        return Reply(error.status, headers, len(content), content)


def _marks(asked: Mapping[str, str]) -> dict[str, str]:
    """Headers by which client and service find a request again."""
    marks = {"request-id": str(uuid.uuid4()), "DataServiceVersion": "3.0"}
    if asked.get("return-client-request-id", "").lower() == "true":
        marks["client-request-id"] = asked.get("client-request-id", "")
    return marks


def _check_common(request: Request) -> None:
    version = request.query.get("api-version")
    if version is None:
        raise BatchError("MissingRequiredQueryParameter", QueryParameterName="api-version")
    if version not in API_VERSIONS:
        spoken = ", ".join(sorted(API_VERSIONS))
        raise BatchError("UnsupportedRequestVersion", Version=version, Supported=spoken)
    if len(request.content) > LARGEST_BODY:
        raise BatchError("RequestBodyTooLarge", MaxLimit=LARGEST_BODY)


def _opened(part: Slice) -> BinaryIO:
    if part.path.is_dir():  # only its properties can be asked for
        return BytesIO()
    try:
        file = part.path.open("rb")
    except FileNotFoundError:
        raise BatchError("FileNotFound", FilePath=part.path.name) from None
    file.seek(part.start)
    return file
