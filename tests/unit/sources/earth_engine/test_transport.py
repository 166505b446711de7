"""HTTP over a true socket: headers, time limits, and the whole client behind it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pyveg.sources.earth_engine import session
from pyveg.sources.earth_engine.transport import Meter, Wire
from pyveg.testing.earth_engine import StandIn


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    service: StandIn

    def handle_error(self, *_: Any) -> None:
        """A client that did not wait is no error of this one."""


class _Handler(BaseHTTPRequestHandler):
    """Hands requests to a stand-in."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(1)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        method = self.command
        response, content = self.server.service.request(self.path, method, body or None)
        self.send_response(response.status)
        for name in ("content-type", "x-earth-engine-quota-status"):
            if name in response:
                self.send_header(name, response[name])
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as made:
        made.service = StandIn(headers={"x-earth-engine-quota-status": "ok"})
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def _url(server: _Server, path: str = "/") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire(timeout=0.3)
    yield made
    made.close()


def test_answers_have_status_and_headers(server: _Server, wire: Wire) -> None:
    response, content = wire.request(_url(server))
    assert response.status == 200
    assert response["x-earth-engine-quota-status"] == "ok"
    assert content == b"{}"


def test_no_answer_in_time(server: _Server, wire: Wire) -> None:
    with pytest.raises(TimeoutError, match=r"no answer within 0\.3 s"):
        wire.request(_url(server, "/slow"))


def test_nobody_there(wire: Wire) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening, so that connections are refused
        with pytest.raises(ConnectionError):
            wire.request(f"http://127.0.0.1:{taken.getsockname()[1]}/")


def test_the_meter_counts(server: _Server, wire: Wire) -> None:
    meter = Meter(wire)
    for _ in range(3):
        response, _ = meter.request(_url(server), method="GET")
        assert "x-earth-engine-quota-status" not in response
    assert (meter.requests, meter.bytes, meter.restricted) == (3, 6, False)


def test_the_whole_client_over_a_socket(
    server: _Server,
    sentinel2: Any,
    source: Any,
    request_of: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the name of the host is another."""

    class Elsewhere(Wire):
        def request(self, uri: str, *args: Any, **kwargs: Any) -> tuple[Any, bytes]:
            path = "/" + uri.split("/", 3)[3]
            return super().request(_url(server, path), *args, **kwargs)

    server.service.scenes = sentinel2("a", "2020-01-03", 1000, 5000)
    with server.service.instead(fresh=True):
        monkeypatch.setattr(session, "open_wire", lambda terms: Elsewhere(terms.timeout))
        scene = source(request_timeout=20.0).fetch(request_of())
    assert scene.record["valid_fraction"] == 1
    assert server.service.count("pixels") == 1
