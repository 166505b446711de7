"""A client of an application by ASGI in this process: no socket, no server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from pyveg.testing.service_server import Answer


class AppClient:
    """Asks an application.

    Parameters
    ----------
    app : callable
        By ASGI.
    token : str
        Sent with each request where it is not empty.
    """

    def __init__(self, app: Any, token: str = "") -> None:
        self._app = app
        self.token = token

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        address: str = "127.0.0.1",
    ) -> Answer:
        """Ask something from an address; a body that is no bytes is sent as JSON."""
        given = {"host": "127.0.0.1:8470", **{k.lower(): v for k, v in (headers or {}).items()}}
        chosen = self.token if token is None else token
        if chosen:
            given.setdefault("authorization", f"Bearer {chosen}")
        data = body if isinstance(body, bytes) else b""
        if body is not None and not isinstance(body, bytes):
            data = json.dumps(body).encode()
            given.setdefault("content-type", "application/json")
        return asyncio.run(self._ask(method, path, given, data, address))

    def get(self, path: str, **given: Any) -> Answer:
        """Ask for something."""
        return self.request("GET", path, **given)

    def execute(self, process: str, inputs: Any, **given: Any) -> Answer:
        """Submit a job."""
        return self.request("POST", f"/processes/{process}/execution", {"inputs": inputs}, **given)

    async def _ask(
        self, method: str, path: str, headers: Mapping[str, str], data: bytes, address: str
    ) -> Answer:
        parts = urlsplit(path)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()],
            "client": (address, 50_000),
            "server": ("127.0.0.1", 8470),
        }
        sent = [{"type": "http.request", "body": data, "more_body": False}]
        status, found, body = 0, {}, b""

        async def receive() -> Mapping[str, Any]:
            if sent:
                return sent.pop()
            await asyncio.Event().wait()  # nobody hangs up
            raise AssertionError

        async def send(message: Mapping[str, Any]) -> None:
            nonlocal status, found, body
            if message["type"] == "http.response.start":
                status = message["status"]
                found = {k.decode().title(): v.decode("latin-1") for k, v in message["headers"]}
            else:
                body += message.get("body", b"")

        await self._app(scope, receive, send)
        return Answer(status, found, body)
