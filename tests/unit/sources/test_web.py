"""Addresses that others have written: what may be asked for, and what becomes of the rest."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pyveg.core.errors import ConfigError, DataError, ServiceAwayError, ServiceError
from pyveg.core.secrets import redacted
from pyveg.core.types import Item
from pyveg.sources import web
from pyveg.sources.files import FileInputs
from pyveg.sources.input_sas import VARIABLE
from pyveg.sources.stac import gate


class _Answers(BaseHTTPRequestHandler):
    """Gives a file, sends on, or refuses, by the path."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        code = int(self.path[1:4]) if self.path[1:4].isdecimal() else 200
        self.send_response(code)
        body = b"an image" if code == 200 else b"no"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ThreadingHTTPServer, ...]]:
    """Two services of this machine, without a proxy in the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with ExitStack() as stack:
        made = []
        for _ in range(2):
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), _Answers))
            server.asked = []  # type: ignore[attr-defined]
            Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(server.shutdown)
            made.append(server)
        yield tuple(made)


def _at(server: ThreadingHTTPServer) -> str:
    return f"127.0.0.1:{server.server_address[1]}"


def _read(url: str, *hosts: str) -> bytes:
    with web.opened(url, hosts) as stream:
        return stream.read()


def test_a_private_host_is_asked_where_it_is_named(
    servers: tuple[ThreadingHTTPServer, ...],
) -> None:
    server, _ = servers
    url = f"http://{_at(server)}/a.jpg"
    with pytest.raises(DataError, match="leads into a private network"):
        _read(url)
    assert server.asked == []  # type: ignore[attr-defined]
    assert _read(url, "127.0.0.1") == b"an image"
    assert _read(url, _at(server)) == b"an image"


@pytest.mark.parametrize("to", ["http://{there}/a.jpg", "http://localhost:{port}/a.jpg"])
def test_no_redirect_leads_there(servers: tuple[ThreadingHTTPServer, ...], to: str) -> None:
    here, there = servers
    target = to.format(there=_at(there), port=there.server_address[1])
    with pytest.raises(DataError, match="leads into a private network"):
        _read(f"http://{_at(here)}/to/{target}", _at(here))
    assert there.asked == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("to", ["file:///etc/hostname", "ftp://127.0.0.1/a.jpg"])
def test_no_redirect_leads_to_files(servers: tuple[ThreadingHTTPServer, ...], to: str) -> None:
    here, _ = servers
    with pytest.raises((DataError, ServiceError)):
        _read(f"http://{_at(here)}/to/{to}", _at(here))


def test_what_the_environment_excepts_from_proxies_goes_by_the_gate_too(
    servers: tuple[ThreadingHTTPServer, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _ = servers
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    with pytest.raises(DataError, match="private network"):
        _read(f"http://{_at(server)}/a.jpg")


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "192.168.7.7:8080", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_private_addresses_in_all_their_spellings(
    host: str, scheme: str, servers: tuple[ThreadingHTTPServer, ...]
) -> None:
    del servers
    with pytest.raises(DataError, match="leads into a private network"):
        _read(f"{scheme}://{host}/latest/meta-data")


def test_a_name_that_means_a_private_address(
    servers: tuple[ThreadingHTTPServer, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is where it leads."""
    plain = socket.getaddrinfo

    def odd(host: str, *more: object, **named: object) -> object:
        there = "127.0.0.1" if host == "pictures.example.org" else host
        return plain(there, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(gate.socket, "getaddrinfo", odd)
    port = servers[0].server_address[1]
    for scheme in ("http", "https"):
        with pytest.raises(DataError, match="private network"):
            _read(f"{scheme}://pictures.example.org:{port}/a.jpg")
    assert _read(f"http://pictures.example.org:{port}/a.jpg", "pictures.example.org")


def test_answers_that_are_no_file(servers: tuple[ThreadingHTTPServer, ...]) -> None:
    host = _at(servers[0])
    with pytest.raises(FileNotFoundError):
        _read(f"http://{host}/404", host)
    with pytest.raises(ServiceError, match="HTTP 403"):
        _read(f"http://{host}/403", host)
    with pytest.raises(ServiceError, match="HTTP 500"):
        _read(f"http://{host}/500", host)


def test_a_host_that_is_away() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ServiceAwayError, match="cannot be reached"):
        _read(f"http://{host}/a.jpg", host)


def test_a_list_of_addresses(servers: tuple[ThreadingHTTPServer, ...], tmp_path: Path) -> None:
    """Each is asked for when it is opened, and has its own fate."""
    host = _at(servers[0])
    urls = [f"http://{host}/{name}" for name in ("a.jpg", "404", "403")]
    (tmp_path / "list.txt").write_text("\n".join([*urls, "http://10.0.0.1/a.jpg"]))
    inputs = FileInputs([f"@{tmp_path}/list.txt"], [host])
    items = inputs.items()
    assert servers[0].asked == []  # type: ignore[attr-defined]
    fates = [_fate(inputs, item) for item in items]
    assert fates[0] == "an image"
    assert "is not there" in fates[1]
    assert "HTTP 403" in fates[2]
    assert "private network" in fates[3]
    with pytest.raises(ConfigError, match="password or token"):
        FileInputs([f"http://{host}/a.jpg?sig=abcdefghijklmnopqrstuvwxyz0123456789"], [])


def test_a_signature_of_the_environment_is_sent_and_told_nowhere(
    servers: tuple[ThreadingHTTPServer, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = _at(servers[0])
    signature = "c2lnbmF0dXJlIG9mIGEgY29udGFpbmVy"
    special = f"http://{host}/photos/403?sp=r&sig={signature}2"
    monkeypatch.setenv(VARIABLE, f"http://{host}/photos?sp=rl&sig={signature} {special}")
    assert _read(f"http://{host}/photos/a.jpg", host) == b"an image"
    assert _read(f"http://{host}/photos?list", host) == b"an image"
    assert _read(f"http://{host}/photos2/a.jpg", host) == b"an image"
    assert _read(f"http://{host}/photos/403/x", host) == b"an image"
    assert servers[0].asked == [  # type: ignore[attr-defined]
        f"/photos/a.jpg?sp=rl&sig={signature}",
        f"/photos?list&sp=rl&sig={signature}",
        "/photos2/a.jpg",
        f"/photos/403/x?sp=r&sig={signature}2",
    ]
    monkeypatch.setenv(VARIABLE, f"http://{host}?sig={signature}")
    with pytest.raises(ServiceError, match="HTTP 403") as caught:
        _read(f"http://{host}/403", host)
    assert signature not in str(caught.value)
    assert redacted(f"the service said {signature}") == "the service said ***"


def _fate(inputs: FileInputs, item: Item) -> str:
    try:
        with inputs.open(item) as stream:
            return stream.read().decode()
    except (DataError, ServiceError) as error:
        return str(error)
