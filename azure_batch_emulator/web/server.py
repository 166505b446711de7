"""The HTTP server: connections that stay open, one thread for each."""

from __future__ import annotations

import logging
import socket
import socketserver
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from azure_batch_emulator.web.service import LARGEST_BODY, Reply, Service

IDLE_SECONDS = 120.0
"""How long a connection may be silent; its thread ends with it."""

_log = logging.getLogger(__name__)


class Server(ThreadingHTTPServer):
    """Listens for a service.

    Parameters
    ----------
    host : str
        Where.
    port : int
        0 takes a free one.
    service : Service
        Answers the requests.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, service: Service) -> None:
        self.service = service
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Take the address, without a question to the name service."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember a connection, so that `close` can end it."""
        with self._guard:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that has ended."""
        with self._guard:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """To the log; a client that went away is no error of ours."""
        level = logging.DEBUG if isinstance(sys.exception(), OSError) else logging.ERROR
        _log.log(level, "the connection of %s was lost", client_address, exc_info=True)

    def close(self) -> None:
        """Listen no more, and end the connections that are open."""
        self.shutdown()
        self.server_close()
        with self._guard:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "AzureBatchEmulator"
    sys_version = ""
    timeout = IDLE_SECONDS
    wbufsize = -1  # head and body leave together
    disable_nagle_algorithm = True
    server: Server

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal():
            self.close_connection = True
            self.send_error(411)
            return
        content = self.rfile.read(min(int(length), LARGEST_BODY + 1))
        self._skip(int(length) - len(content))
        self._send(self.server.service.answer(self.command, self.path, headers, content))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _skip(self, length: int) -> None:
        """Read what nobody wants, so that the connection can be used again."""
        while length > 0 and (piece := self.rfile.read(min(length, 65_536))):
            length -= len(piece)

    def _send(self, reply: Reply) -> None:
        content = BytesIO(reply.content) if isinstance(reply.content, bytes) else reply.content
        with content:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(reply.length))
            self.end_headers()
            if self.command != "HEAD" and reply.status != 304:
                self._copy(content, reply.length)

    def _copy(self, content: Any, length: int) -> None:
        while length > 0 and (piece := content.read(min(length, 65_536))):
            self.wfile.write(piece)
            length -= len(piece)
        if length:  # the file became shorter: only a broken connection tells the client so
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is inherited
        """To the log of Python instead of the terminal."""
        _log.debug(format, *args)
