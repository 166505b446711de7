"""An emulator with the real client, a signed request by hand, and a small blob service."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from azure_batch_emulator import Emulator, Faults, Settings

try:
    from azure.batch import BatchClient
    from azure.batch import models as m
    from azure.core.credentials import AzureNamedKeyCredential
    from azure.core.pipeline.policies import RetryPolicy
except ImportError:  # test_parts.py skips, and says why
    collect_ignore_glob = ["test_[!p]*.py", "test_pools.py", "test_preparation.py"]

UBUNTU = {"publisher": "microsoft-dsvm", "offer": "ubuntu-hpc", "sku": "2204", "version": "latest"}
AGENT = "batch.node.ubuntu 22.04"
VERSION = "api-version=2025-06-01"


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true value of a condition, which is asked again and again."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "what the test waits for did not come"
        time.sleep(0.01)
    return value


class Got(NamedTuple):
    """An answer over the wire."""

    status: int
    headers: Any
    content: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str:
        return self.document["code"]


class Cloud:
    """An emulator, a client of it and what tests do with them again and again."""

    def __init__(self, emulator: Emulator, client: BatchClient) -> None:
        self.emulator = emulator
        self.client = client
        self.until = until

    def pool(self, id_: str = "p", *, dedicated: int = 1, **options: Any) -> m.BatchPool:
        """Make a pool and wait until its nodes are there."""
        options = {"vm_size": "standard_d2s_v5", "target_dedicated_nodes": dedicated, **options}
        machine = m.VirtualMachineConfiguration(
            image_reference=m.BatchVmImageReference(**UBUNTU), node_agent_sku_id=AGENT
        )
        options.setdefault("virtual_machine_configuration", machine)
        self.client.create_pool(m.BatchPoolCreateOptions(id=id_, **options))
        until(lambda: self.client.get_pool(id_).allocation_state == "steady")
        return self.client.get_pool(id_)

    def nodes(self, state: str = "idle", pool: str = "p", number: int = 1) -> list[m.BatchNode]:
        """Nodes of a pool, when so many have a state."""

        def found() -> list[m.BatchNode]:
            nodes = [node for node in self.client.list_nodes(pool) if node.state == state]
            return nodes if len(nodes) >= number else []

        return until(found)

    def job(self, id_: str = "j", **options: Any) -> None:
        """Make a job of the pool ``p``."""
        info = m.BatchPoolInfo(pool_id=options.pop("pool", "p"))
        self.client.create_job(m.BatchJobCreateOptions(id=id_, pool_info=info, **options))

    def add(self, id_: str, command: str = "true", job: str = "j", **options: Any) -> None:
        """Add a task."""
        self.client.create_task(
            job, m.BatchTaskCreateOptions(id=id_, command_line=command, **options)
        )

    def in_state(self, state: str, *ids: str, job: str = "j") -> None:
        """Wait until tasks have a state."""
        until(lambda: all(self.client.get_task(job, id_).state == state for id_ in ids))

    def ended(self, id_: str, job: str = "j") -> m.BatchTask:
        """A task, when it is completed."""
        self.in_state("completed", id_, job=job)
        return self.client.get_task(job, id_)

    def run(self, command: str, id_: str = "t", job: str = "j", **options: Any) -> m.BatchTask:
        """Add a task and wait for its end."""
        self.add(id_, command, job, **options)
        return self.ended(id_, job)

    def output(self, id_: str = "t", name: str = "stdout.txt", job: str = "j") -> str:
        """The text of a file of a task."""
        return b"".join(self.client.download_task_file(job, id_, name)).decode()

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: str = VERSION,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        authorization: str | None = None,
    ) -> Got:
        """A request made and signed by hand.

        Parameters
        ----------
        method, path : str
            The verb; the path as it is sent.
        body
            Sent as JSON, or as it is if these are bytes.
        query : str
            As it is sent.
        key : str, optional
            Instead of the account's.
        headers : dict, optional
            Further ones.
        authorization : str, optional
            Instead of a signature.
        """
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"ocp-date": formatdate(usegmt=True), **(headers or {})}
        if data is not None:
            sent["Content-Type"] = "application/json; odata=minimalmetadata"
            sent["Content-Length"] = str(len(data))
        if authorization is None:
            account, secret = self.emulator.account, key or self.emulator.key
            mark = _mark(secret, _signed(method, f"/{account}{path}", query, sent))
            authorization = f"SharedKey {account}:{mark}"
        if authorization:
            sent["Authorization"] = authorization
        url = f"{self.emulator.url}{path}?{query}"
        request = urllib.request.Request(url, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return Got(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return Got(error.code, error.headers, error.read())


def _mark(key: str, text: str) -> str:
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _signed(method: str, resource: str, query: str, headers: dict[str, str]) -> str:
    """Written from the description of the service, apart from what the emulator has."""
    low = {name.lower(): value for name, value in headers.items()}
    length = low.get("content-length", "" if method in {"GET", "HEAD"} else "0")
    lines = [
        method, "", "", length, "", low.get("content-type", ""), "",
        low.get("if-modified-since", ""), low.get("if-match", ""),
        low.get("if-none-match", ""), low.get("if-unmodified-since", ""), low.get("range", ""),
    ]  # fmt: skip
    lines += [f"{name}:{low[name]}" for name in sorted(low) if name.startswith("ocp-")]
    lines += [resource, *(f"{name}:{value}" for name, value in sorted(parse_qsl(query)))]
    return "\n".join(lines)


Make = Callable[..., Cloud]


def connected(emulator: Any, **options: Any) -> Cloud:
    """A client of an emulator, which may be in another process: it has a URL and a key."""
    credential = AzureNamedKeyCredential(emulator.account, emulator.key)
    options.setdefault("retry_policy", RetryPolicy(retry_backoff_factor=0.01))
    return Cloud(emulator, BatchClient(emulator.url, credential, **options))


@pytest.fixture
def connect() -> Iterator[Callable[..., Cloud]]:
    """Connects to emulators of other processes."""
    with ExitStack() as stack:

        def connect(emulator: Any) -> Cloud:
            cloud = connected(emulator)
            stack.enter_context(cloud.client)
            return cloud

        yield connect


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes clouds: with settings, with faults, with options of the client."""
    with ExitStack() as stack:

        def made(
            settings: Settings | None = None, faults: Faults | None = None, **options: Any
        ) -> Cloud:
            settings = settings or Settings(faults=faults or Faults())
            cloud = connected(stack.enter_context(Emulator(settings)), **options)
            stack.enter_context(cloud.client)
            return cloud

        yield made


@pytest.fixture
def cloud(make: Make) -> Cloud:
    """An account without pools."""
    return make()


@pytest.fixture
def ready(cloud: Cloud) -> Cloud:
    """An account with a pool ``p`` of one node with 4 slots, and a job ``j`` with dependencies."""
    cloud.pool(task_slots_per_node=4)
    cloud.job(uses_task_dependencies=True)
    return cloud


class Blobs:
    """What a tiny blob service has and was asked."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}
        self.kinds: dict[str, str] = {}
        self.answers: list[int] = []
        self.url = ""
        self.sas = "sig=secret"


@pytest.fixture
def blobs() -> Iterator[Blobs]:
    """A blob service that takes, gives and lists blobs with the right SAS."""
    store = Blobs()
    with _listening(store) as url:
        store.url = url
        yield store


class _BlobServer(ThreadingHTTPServer):
    def __init__(self, store: Blobs) -> None:
        super().__init__(("127.0.0.1", 0), _BlobHandler)
        self.store = store


class _BlobHandler(BaseHTTPRequestHandler):
    server: _BlobServer

    def _answer(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _refused(self) -> bool:
        if self.server.store.answers:
            self._answer(self.server.store.answers.pop(0))
            return True
        if self.server.store.sas not in urlsplit(self.path).query:
            self._answer(403)
            return True
        return False

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        name = unquote(parts.path)
        if self._refused():
            return
        if query.get("comp") == "list":
            self._list(name, query)
        elif name in self.server.store.content:
            self._answer(200, self.server.store.content[name])
        else:
            self._answer(404)

    def _list(self, container: str, query: dict[str, str]) -> None:
        """Two names to a page."""
        prefix = f"{container}/"
        names = sorted(
            n.removeprefix(prefix) for n in self.server.store.content if n.startswith(prefix)
        )
        names = [n for n in names if n.startswith(query.get("prefix", ""))]
        start = int(query.get("marker", "0"))
        shown = "".join(f"<Blob><Name>{n}</Name></Blob>" for n in names[start : start + 2])
        following = str(start + 2) if len(names) > start + 2 else ""
        page = f"<R><Blobs>{shown}</Blobs><NextMarker>{following}</NextMarker></R>"
        self._answer(200, page.encode())

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self._refused():
            return
        name = unquote(urlsplit(self.path).path)
        self.server.store.content[name] = content
        self.server.store.kinds[name] = self.headers["Content-Type"]
        self._answer(201)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def _listening(store: Blobs) -> Iterator[str]:
    with _BlobServer(store) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
