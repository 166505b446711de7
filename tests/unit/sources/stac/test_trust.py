"""Links of a catalogue lead nowhere that its text may not send this machine to."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import ConfigError, DataError, PyvegError
from pyveg.earth.types import DateRange
from pyveg.sources import http
from pyveg.sources.grid import Grid
from pyveg.sources.stac import catalogue, gate, reading, trust
from pyveg.sources.stac.settings import StacSettings

PUBLIC = "93.184.216.34"
API = "https://stac.example.org/v1"


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of hosts, without asking anybody."""
    known = {"stac.example.org": PUBLIC, "images.example.org": PUBLIC, "10.0.0.5": "10.0.0.5",
             "inside.example.org": "192.168.1.7", "both.example.org": "169.254.1.1"}  # fmt: skip
    look = socket.getaddrinfo

    def found(host: str, *more: Any, **named: Any) -> Any:
        if host.endswith("nowhere.org"):
            raise socket.gaierror
        return look(known.get(host, host), *more, **named)

    monkeypatch.setattr(trust.socket, "getaddrinfo", found)
    trust._private.cache_clear()


def _settings(url: str = API, **more: Any) -> StacSettings:
    return StacSettings(catalogue=url, stac_collection="s2", **more)


@pytest.mark.parametrize(
    "href",
    [
        "https://images.example.org/a.tif",
        "https://stac.example.org/a.tif",
        "https://images.example.org/a.tif?sv=1&sig=abc",
        "https://nowhere.org/a.tif",
        f"https://{PUBLIC}/a.tif",
    ],
)
def test_links_to_the_world_are_followed(href: str) -> None:
    trust.check_link(href, _settings())


@pytest.mark.parametrize(
    "href",
    [
        "file:///etc/passwd", "/etc/passwd", "etc/passwd", "../x.tif", "", None, 3, "//host/x",
        "/vsicurl/https://images.example.org/a.tif", "/vsizip//etc/x.zip", "/vsimem/x",
        "vrt:///etc/x.tif", "s3://bucket/a.tif", "gs://b/a", "ftp://images.example.org/a.tif",
        "http://images.example.org/a.tif", "http://stac.example.org/v1/a.tif",
        "http://127.0.0.1:8080/a.tif", "https://127.0.0.1/a.tif", "https://localhost/a.tif",
        "https://[::1]/a.tif", "https://0.0.0.0/a.tif", "https://10.0.0.5/a.tif",
        "https://2130706433/a.tif", "https://127.1/a.tif", "https://inside.example.org/a.tif",
        "https://both.example.org/latest/meta-data", "https://169.254.169.254/latest",
        "https://[::ffff:127.0.0.1]/a.tif", "https://[fe80::1]/a", "https://user@images.example.org/a",
        "https://images.example.org\\@127.0.0.1/a", "https://images.example.org/a b",
        "https://images.example.org:port/a", "https://[bad/a", '<VRTDataset rasterXSize="1">',
        "GTIFF_DIR:1:/etc/x.tif", "NETCDF:/etc/x.nc:a", "/proc/self/environ",
    ],
)  # fmt: skip
def test_links_elsewhere_are_not(href: Any) -> None:
    with pytest.raises(DataError, match="links to"):
        trust.check_link(href, _settings())


def test_a_secret_in_a_link_is_not_repeated() -> None:
    with pytest.raises(DataError) as caught:
        trust.check_link("http://images.example.org/a.tif?sv=1&sig=abcdefgh", _settings())
    assert "abcdefgh" not in str(caught.value)


def test_hosts_that_the_user_names_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    trusting = _settings(trusted_hosts=("10.0.0.5", "images.example.org", "s3://mine"))
    for href in ("http://10.0.0.5/a", "http://images.example.org/a", "s3://mine/a.tif"):
        trust.check_link(href, trusting)
    for href in ("s3://other/a.tif", "http://10.0.0.6/a", "file://10.0.0.5/etc/passwd"):
        with pytest.raises(DataError):
            trust.check_link(href, trusting)
    monkeypatch.setenv(trust.VARIABLE, "127.0.0.1:80, 10.0.0.6")
    trust.check_link("http://10.0.0.6/a", _settings())
    with pytest.raises(DataError):
        trust.check_link("http://127.0.0.1:81/a", _settings())


def test_a_catalogue_in_files_is_the_users_own() -> None:
    trust.check_link("/data/a.tif", StacSettings(path="/data/catalog.json", stac_collection="s2"))


class _Server(ThreadingHTTPServer):
    """Gives what it was told to, and counts who asks."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        answer = self.server.answers.get(path, {})
        if isinstance(answer, str):  # a redirect
            self.send_response(302)
            self.send_header("Location", answer)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_POST = do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def servers() -> Iterator[tuple[_Server, _Server]]:
    made = _Server(), _Server()
    for server in made:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    for server in made:
        server.shutdown()
        server.server_close()


def _catalog(*links: tuple[str, str]) -> dict[str, Any]:
    return {
        "type": "Catalog", "id": "x", "stac_version": "1.0.0", "description": "x",
        "links": [{"rel": r, "href": h, "type": "application/geo+json"} for r, h in links],
    }  # fmt: skip


def _find(url: str) -> None:
    settings = _settings(url, retries=0, retry_wait=0.0)
    box = (27.9, 11.5, 28.0, 11.6)
    from datetime import date

    catalogue.find(settings, box, DateRange(date(2020, 1, 1), date(2020, 2, 1)))


@pytest.mark.parametrize("rel", ["item", "child"])
@pytest.mark.parametrize("kind", ["file", "other server", "redirect"])
def test_links_between_the_files_of_a_catalogue_are_looked_at_too(
    rel: str, kind: str, servers: tuple[_Server, _Server], tmp_path: Path
) -> None:
    own, other = servers
    private = tmp_path / "private.json"
    private.write_text(json.dumps(_catalog()))
    href = {"file": f"file://{private}", "other server": f"{other.url}/x.json",
            "redirect": f"{own.url}/moved.json"}[kind]  # fmt: skip
    own.answers = {"/catalog.json": _catalog((rel, href)), "/moved.json": f"{other.url}/x.json"}
    with pytest.raises(PyvegError, match="links to"):
        _find(f"{own.url}/catalog.json")
    assert not other.asked


@pytest.mark.parametrize("rel", ["search", "next"])
def test_a_service_that_searches_elsewhere(rel: str, servers: tuple[_Server, _Server]) -> None:
    own, other = servers
    away = f"{other.url}/search"
    links = [("search", away if rel == "search" else f"{own.url}/search")]
    found = {
        "type": "FeatureCollection",
        "features": [{"id": "a"}],
        "links": [{"rel": "next", "href": away, "method": "GET"}],
    }
    own.answers = {
        "/": {**_catalog(*links), "conformsTo": ["https://api.stacspec.org/v1.0.0/item-search"]},
        "/search": found,
    }
    with pytest.raises(PyvegError, match="links to"):
        _find(f"{own.url}/")
    assert not other.asked


SQUARE = {"type": "Polygon", "coordinates": [[[26, 10], [28, 10], [28, 12], [26, 12], [26, 10]]]}


def _scene(href: str) -> dict[str, Any]:
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": "a", "links": [],
        "bbox": [26, 10, 28, 12],
        "geometry": SQUARE, "properties": {"datetime": "2020-01-01T00:00:00Z"},
        "assets": {"red": {"href": href, "type": "image/tiff", "roles": ["data"]}},
    }  # fmt: skip


GRID = Grid("EPSG:32635", (10.0, 0.0, 500_000.0, 0.0, -10.0, 1_200_000.0), 4, 4)


@pytest.mark.parametrize("where", ["other server", "file", "past the gate", "past it all"])
def test_files_that_are_sent_on_are_not_followed_astray(
    where: str,
    servers: tuple[_Server, _Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, other = servers
    if where.startswith("past"):
        monkeypatch.setenv("no_proxy", "*" if where == "past it all" else "localhost,127.0.0.1")
    (tmp_path / "a.tif").write_bytes(b"x")
    address = f"file://{tmp_path}/a.tif" if where == "file" else f"{other.url}/a.tif"
    own.answers = {"/moved.tif": address}
    scene, settings = _scene(f"{own.url}/moved.tif"), _settings(own.url, retries=0)
    with pytest.raises(PyvegError) as caught:
        reading.read(scene, ["red"], GRID, settings)
    assert own.asked
    assert not other.asked
    if where == "file":  # which GDAL refuses by itself
        return
    assert isinstance(caught.value, DataError)
    assert "is sent on to http://127.0.0.1" in str(caught.value)
    trusting = _settings(own.url, retries=0, trusted_hosts=("127.0.0.1",))
    with pytest.raises(PyvegError):  # what is there is no image
        reading.read(_scene(f"{own.url}/moved.tif?again"), ["red"], GRID, trusting)
    assert other.asked


@pytest.mark.parametrize(
    "change",
    [
        {"geometry": None},
        {"geometry": {"type": "Polygon", "coordinates": "x"}},
        {"properties": {"datetime": "yesterday"}},
        {"properties": {"datetime": None}},
        {"stac_version": [1]},
        {"properties": {"datetime": "2020-01-01T00:00:00Z", "proj:epsg": "x"}},
    ],
)
def test_a_scene_that_is_none_is_one_sentence(change: dict[str, Any], tmp_path: Path) -> None:
    scene = {**_scene(str(tmp_path / "no.tif")), **change}
    settings = StacSettings(path="/data/catalog.json", stac_collection="s2")
    with pytest.raises((DataError, reading.SceneGoneError)):
        reading.read(scene, ["red"], GRID, settings)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://10.0.0.5/a", "inside a private network"),
        ("https://127.0.0.1:8443/a", "inside a private network"),
        ("https://inside.example.org/a", "inside a private network"),
        ("http://images.example.org/a", "neither https nor the service"),
        ("ftp://images.example.org/a", "neither https nor the service"),
    ],
)
def test_the_gate_connects_to_nobody_private(url: str, words: str) -> None:
    made = gate.Gate(trust.Onward(API, "example", ()))
    begin = time.monotonic()
    with pytest.raises(DataError, match=words):
        made.connect(url)
    assert words in str(made.refused(begin))
    assert made.refused(time.monotonic() + 1) is None


def test_tunnels_of_the_gate(servers: tuple[_Server, _Server]) -> None:
    """As GDAL has them to hosts of https: bytes go both ways, and to nobody else."""
    own, other = servers
    host = other.url.removeprefix("http://")
    for trusted, answer in (((), b"403"), ((host,), b"200")):
        made = gate.Gate(trust.Onward(API, "example", trusted))
        address = made.address.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1])), 10) as client:
            client.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert client.recv(100).split()[1] == answer
            if trusted:
                client.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
                assert b"200 OK" in client.recv(100)
    assert other.asked == ["/hello"]
    assert not own.asked


def test_where_there_is_a_proxy_it_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trust.gate_of(_settings()) is trust.gate_of(_settings())
    assert trust.gate_of(_settings(trusted_hosts=("s3://mine",))) is None
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    assert trust.gate_of(_settings()) is None


def test_an_answer_without_end_is_given_up(
    servers: tuple[_Server, _Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, _ = servers
    monkeypatch.setattr(http, "LARGEST", 10_000)
    own.answers = {"/catalog.json": b"[" * 100_000}
    with pytest.raises((DataError, ConfigError), match="more than"):
        _find(f"{own.url}/catalog.json")
