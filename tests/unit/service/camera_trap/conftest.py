"""A service with the API of camera traps, a host with images, and jobs done in this process."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest
from PIL import Image

from pyveg.service import access, child, keys, notes, table
from pyveg.service.children import Children
from pyveg.service.config import ServiceConfig, settled
from pyveg.service.desk import Desk
from pyveg.service.supervisor import Supervisor
from pyveg.service.web.app import create_app
from pyveg.sources import input_sas
from pyveg.testing.asgi import AppClient
from pyveg.testing.service_server import Answer
from pyveg.testing.small_models import colour_model

PREFIX = "/v4/camera-trap/detection-batch"
SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0"
SAS = f"sv=2026-01-01&sr=c&sp=rl&sig={SECRET}"
_PAGE = 2


def png(colour: tuple[int, int, int]) -> bytes:
    """A small image."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return out.getvalue()


class Photos:
    """A host with a container of images, which wants a signature, and with public files."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.public: dict[str, bytes] = {}
        self.expired = False
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.container = f"http://{self.host}/account/photos"

    def put(self, name: str, value: Any) -> str:
        """Serve something to everybody; gives its address."""
        self.public[f"/{name}"] = value if isinstance(value, bytes) else json.dumps(value).encode()
        return f"http://{self.host}/{quote(name)}"

    def answer(self, path: str, query: Mapping[str, list[str]]) -> tuple[int, bytes]:
        """What a request gets."""
        if path in self.public:
            return 200, self.public[path]
        if self.expired or query.get("sig") != [SECRET]:
            return 403, b"Signature did not match"
        if query.get("comp") == ["list"]:
            return 200, self._page(query)
        name = path.removeprefix("/account/photos/")
        return (200, self.blobs[name]) if name in self.blobs else (404, b"")

    def _page(self, query: Mapping[str, list[str]]) -> bytes:
        prefix, marker = (query.get(name, [""])[0] for name in ("prefix", "marker"))
        names = sorted(name for name in self.blobs if name.startswith(prefix) and name >= marker)
        here, rest = names[:_PAGE], names[_PAGE:]
        blobs = "".join(f"<Blob><Name>{escape(name)}</Name></Blob>" for name in here)
        after = f"<NextMarker>{escape(rest[0])}</NextMarker>" if rest else "<NextMarker />"
        whole = f"<EnumerationResults><Blobs>{blobs}</Blobs>{after}</EnumerationResults>"
        return f'<?xml version="1.0" encoding="utf-8"?>{whole}'.encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        photos = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                status, data = photos.answer(unquote(parts.path), parse_qs(parts.query))
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                """Be silent."""

        return Handler


class Here(Children):
    """Does a job in this process, when it is started."""

    def start(self, job: str, folder: Path, order: Mapping[str, Any]) -> None:
        del job
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        notes.write(folder, notes.ORDER, order)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(input_sas.VARIABLE, access.kept(folder))
            notes.write(folder, notes.OUTCOME, child._outcome(folder))

    def alive(self, job: str, folder: Path) -> bool:
        del job, folder
        return False

    def left(self, job: str, folder: Path) -> list[int]:
        del job, folder
        return []


class Trap:
    """The service as its clients see it."""

    def __init__(self, folder: Path, **given: Any) -> None:
        self.folder = folder
        colour_model(folder)
        self.list_path = folder / "callers.json"
        self.list_path.write_text('{"zoo": "default", "other": "east"}')
        camera_trap = {
            "allow_list": "callers.json",
            "default_model_version": "4.1",
            **given.pop("camera_trap", {}),
        }
        models = {version: {"model": "colours.onnx"} for version in ("3", "4.1")}
        usual = {"scoring_models": models, "runner": "serial", "camera_trap": camera_trap}
        config = settled(ServiceConfig(**{**usual, **given}), folder)
        table.make(config.table_path)
        keys.make(config.folder)
        self.desk = Desk(config)
        self.client = AppClient(create_app(self.desk))
        self._supervisor: Supervisor | None = None

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request below the prefix."""
        return self.client.request(method, PREFIX + path, body, headers=headers)

    def submit(self, **given: Any) -> str:
        """Submit a job that is taken; gives its id."""
        found = self.ask("POST", "/request_detections", {"caller": "zoo", **given})
        assert found.status == 200, found.json
        assert list(found.json) == ["request_id"]
        job: str = found.json["request_id"]
        return job

    def status(self, job: str) -> dict[str, Any]:
        """What /task says."""
        found = self.ask("GET", f"/task/{job}")
        assert found.status == 200, found.json
        status: dict[str, Any] = found.json["Status"]
        return status

    def work(self, times: int = 3) -> None:
        """Have the supervisor look so often; jobs are done in this process."""
        desk = self.desk
        if self._supervisor is None:
            self._supervisor = Supervisor(
                desk.config,
                desk.jobs_table,
                desk.callers,
                desk.processes_known,
                desk.health,
                children=Here(),
            )
        for _ in range(times):
            self._supervisor.tick()


@pytest.fixture(scope="module")
def photos() -> Iterator[Photos]:
    """The host; tests name what is theirs."""
    made = Photos()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def make_trap(tmp_path: Path) -> Callable[..., Trap]:
    """Makes a service."""
    return lambda **given: Trap(tmp_path, **given)
