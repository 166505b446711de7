"""Requests and answers, apart from how they travel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

from azure_batch_emulator.account.records import Record
from azure_batch_emulator.errors import BatchError, invalid_parameter
from azure_batch_emulator.protocol.files import Slice
from azure_batch_emulator.protocol.shapes import Shape

Document = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """What a client asks.

    Parameters
    ----------
    method : str
        The HTTP verb.
    target : str
        Path and query as they were sent.
    headers : mapping
        Names in lower case.
    content : bytes
        The body.
    query : mapping
        Parameters of the query, decoded; the first of each name.
    ids : mapping
        What stands in the path for ``{pool}``, ``{job}`` ...
    """

    method: str
    target: str
    headers: Mapping[str, str]
    content: bytes = b""
    query: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, method: str, target: str, headers: Mapping[str, str], content: bytes) -> Request:
        """Take a request apart."""
        query: dict[str, str] = {}
        for name, value in parse_qsl(target.partition("?")[2], keep_blank_values=True):
            query.setdefault(name, value)
        return cls(method, target, headers, content, query)

    @property
    def path(self) -> str:
        """The path as it was sent."""
        return self.target.partition("?")[0]

    @property
    def parts(self) -> tuple[str, ...]:
        """The path, split before it is decoded: an id may hold an encoded slash."""
        return tuple(unquote(part) for part in self.path.strip("/").split("/"))

    def with_ids(self, ids: Mapping[str, str]) -> Request:
        """The same request, with what its path names."""
        return replace(self, ids=ids)

    def body(self, shape: Shape) -> Document:
        """The body, if it has a shape; no body at all is an empty object."""
        try:
            body: Any = json.loads(self.content) if self.content else {}
        except (ValueError, RecursionError) as error:
            raise BatchError("InvalidRequestBody", Reason=str(error)) from None
        shape(body)
        return dict(body)

    def flag(self, name: str) -> bool:
        """A parameter of the query that is true or false, and false where it is absent."""
        value = self.query.get(name, "false").lower()
        if value not in {"true", "false"}:
            raise invalid_parameter(name, value, "It must be true or false.")
        return value == "true"


@dataclass(frozen=True)
class Answer:
    """What the client gets.

    Parameters
    ----------
    document : dict, optional
        Sent as JSON.
    file : Slice, optional
        Sent as it is, instead of a document.
    headers : mapping
        Further headers.
    status : int, optional
        Where it is not the one that the operation has.
    """

    document: Document | None = None
    file: Slice | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int | None = None


def about(record: Record) -> dict[str, str]:
    """Headers that tell the version of a record."""
    document = record.document
    return {"ETag": document["eTag"]} if "eTag" in document else {}


def made(record: Record) -> Answer:
    """The answer to a request that made something."""
    return Answer(headers={**about(record), "Location": record.url, "DataServiceId": record.url})
