"""A server that answers without end is given up."""

from __future__ import annotations

import http.server
import threading

import pytest

from pyveg.core.errors import ServiceError
from pyveg.scorers import kserve_v2


class _Long(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * 3000)

    def log_message(self, *_: object) -> None:
        pass


def test_an_answer_that_is_too_large_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Long)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        model = kserve_v2._Server(f"http://127.0.0.1:{server.server_port}/v2/models/m")
        monkeypatch.setattr(kserve_v2, "_LARGEST", 2**20)
        with pytest.raises(ServiceError, match="no JSON"):
            model.about(1.0)
        monkeypatch.setattr(kserve_v2, "_LARGEST", 2999)
        with pytest.raises(ServiceError, match="answers with more than"):
            model.about(1.0)
        model.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
