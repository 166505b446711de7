"""Services that give one answer to everybody, or none, to see what a client makes of it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def answering(
    status: int, body: Any = None, headers: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Serve on the loopback as long as the context lasts.

    Parameters
    ----------
    status : int
        Of HTTP.
    body : bytes or plain data, optional
        Plain data goes as JSON.
    headers : mapping, optional
        More of them; ``Date`` replaces the true one.

    Yields
    ------
    str
        Its address.
    """
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
    given = {"Date": formatdate(usegmt=True), "Content-Type": "application/json", **(headers or {})}

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response_only(status)
            for name, value in {**given, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - names of the base

        def log_message(self, *args: Any) -> None:
            """Be silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def silent() -> Iterator[str]:
    """An address at which packets are dropped, as behind many firewalls.

    Yields
    ------
    str
    """
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        # Nobody takes these connections; once its queue is full, the system drops the others.
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
