"""Who asks this machine asks it directly, whatever proxy the environment names."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest
import requests

from pyveg.core.loopback import asks_directly, is_loopback


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[int]:
    """Port of a server on this machine."""
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made.server_address[1]
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def _dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that nobody is at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.usefixtures("_dead_proxy")
def test_this_machine_is_asked_directly(host: str, server: int) -> None:
    with asks_directly(requests.Session()) as session:
        assert session.get(f"http://{host}:{server}/x", timeout=5).json() == {}
        with pytest.raises(requests.exceptions.ProxyError):  # others go by the proxy, as they must
            session.get("http://localhost.example.org/x", timeout=5)


@pytest.mark.usefixtures("_dead_proxy")
def test_all_clients_ask_it_so(server: int) -> None:
    from azure.core.credentials import AzureNamedKeyCredential
    from azure.core.rest import HttpRequest

    from pyveg.runners.azure_batch.service import BatchService
    from pyveg.scorers.kserve_v2 import _Server
    from pyveg.sources import http as sources
    from pyveg.storage.azure_access import Access, service_client

    root = f"http://127.0.0.1:{server}"
    assert sources.get_json(sources.session(0), root, 5.0, what="a catalogue") == {}
    asked = HttpRequest("GET", f"{root}/x")
    access = Access(account_key="a2V5")
    with service_client(f"{root}/devaccount", access) as blobs:
        sent = blobs._client._client._pipeline._transport.send(asked)
        assert sent.status_code == 200
    batch = BatchService(root, AzureNamedKeyCredential("a", "a2V5"), threading.Event())._client
    with batch._client._pipeline._transport as transport:
        assert transport.send(asked).status_code == 200
    model = _Server(f"{root}/v2/models/m")
    assert model._ask("GET", f"{root}/v2/models/m", patience=1.0)[0] == b"{}"
    model.close()


@pytest.mark.usefixtures("_dead_proxy")
def test_a_model_on_this_machine_is_asked_directly_by_grpc() -> None:
    from pyveg.scorers.tfserving import _Server
    from pyveg.testing.model_servers import ServedModel, tensorflow_server

    with tensorflow_server(ServedModel(lambda _: {}, outputs=("a",))) as where:
        model = _Server(where)
        assert model.version() == 3
        model.close()


def test_what_this_machine_is_called() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.1.2.3", "::1", "localhost", "a.localhost."]))
    assert not any(map(is_loopback, ["", None, "0.0.0.0", "10.0.0.1", "localhost.com", "127.com"]))
