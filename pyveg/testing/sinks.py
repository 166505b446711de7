"""A webhook on the loopback that keeps what it was sent, to see what a sender makes of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Sink:
    """What a webhook was sent, and how it answers."""

    address: str = ""
    replies: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    """Status and headers of the next answers; 202 when there is none left."""
    messages: list[Any] = field(default_factory=list)
    """Bodies of all requests, those that were refused too."""


@contextmanager
def sink(*replies: tuple[int, Mapping[str, str]]) -> Iterator[Sink]:
    """Serve a webhook as long as the context lasts.

    Parameters
    ----------
    *replies : tuple of int and mapping
        Status and headers of the first answers; 202 after them.

    Yields
    ------
    Sink
    """
    kept = Sink(replies=list(replies))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept.messages.append(json.loads(data))
            status, headers = kept.replies.pop(0) if kept.replies else (202, {})
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Be silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.address = f"http://127.0.0.1:{server.server_address[1]}/hook/9f3a71c2d4e85b60?sig=Zm9vYmFy"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
