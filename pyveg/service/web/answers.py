"""Answers of the service: JSON, and problems by RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from pyveg.core.errors import ConfigError, PyvegError, StoreError
from pyveg.core.records import plain_bytes
from pyveg.service.refusals import Refusal

PROBLEM = "application/problem+json"


class Json(JSONResponse):
    """JSON; text that cannot be written as UTF-8 is shown by escapes."""

    def render(self, content: Any) -> bytes:
        """As bytes."""
        return plain_bytes(content)


class Problem(Json):
    """Why a request was not carried out, and what to do about it."""

    media_type = PROBLEM


def refusal_of(error: PyvegError) -> Refusal:
    """Any error of pyveg as the refusal that callers are told."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, StoreError):
        return Refusal(503, error.wrong, error.cure, retry_after=10)
    if isinstance(error, ConfigError):
        return Refusal(400, error.wrong, error.cure)
    return Refusal(503, error.wrong, error.cure, retry_after=30)


def problem(request: Request, refusal: Refusal) -> Response:
    """A refusal as an answer."""
    return Problem(
        {**refusal.to_json(), "instance": request.url.path},
        status_code=refusal.status,
        headers=headers_of(refusal),
    )


def headers_of(refusal: Refusal) -> dict[str, str]:
    """What goes with a refusal."""
    headers: dict[str, str] = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="pyveg"'
    return headers


def root_of(request: Request) -> str:
    """The address of the service as callers know it, without a slash at the end."""
    public: str = request.app.state.desk.config.public_url
    return public or str(request.base_url).rstrip("/")


def link(href: str, rel: str, title: str, kind: str = "application/json") -> dict[str, str]:
    """A link as OGC API has it."""
    return {"href": href, "rel": rel, "type": kind, "title": title}


def prefers_html(accept: str) -> bool:
    """Whether somebody would rather read a page than JSON.

    Examples
    --------
    >>> prefers_html("text/html,application/xml;q=0.9,*/*;q=0.8"), prefers_html("*/*")
    (True, False)
    """
    weights: Mapping[str, float] = dict(map(_weighted, accept.lower().split(",")))
    rest = max(weights.get("*/*", 0.0), weights.get("application/*", 0.0))
    return weights.get("text/html", 0.0) > max(weights.get("application/json", 0.0), rest)


def _weighted(part: str) -> tuple[str, float]:
    name, *options = (text.strip() for text in part.split(";"))
    for option in options:
        if option.startswith("q="):
            try:
                return name, float(option[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0
