"""Downloads and stores when the service fails, lies or goes away."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobClient

from pyveg.core.errors import (
    ConfigError,
    KeyMissingError,
    RunLockedError,
    StoreError,
    StoreGoneError,
)
from pyveg.storage.azure_access import Access, container_sas
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.storage.azure_download import PARTS, download_folder, download_zip
from pyveg.testing.azurite import Azurite


def _store(azurite: Azurite, name: str = "") -> AzureBlobStore:
    return AzureBlobStore(azurite.url, name or f"f-{uuid.uuid4().hex[:16]}", Access(azurite.key))


@pytest.fixture
def store(azurite: Azurite) -> AzureBlobStore:
    return _store(azurite)


class _Watcher:
    """Counts, and does something after some bytes."""

    def __init__(self, after: int = 0, act: Any = None) -> None:
        self.total = self.done = self.files = 0
        self.after, self.act = after, act

    def begin(self, files: int, size: int) -> None:
        self.expected, self.total = files, size

    def advance(self, files: int, size: int) -> None:
        self.done += size
        self.files += files
        if self.act and self.done >= self.after:
            act, self.act = self.act, None
            act()


def _whole(store: AzureBlobStore, folder: Path) -> None:
    keys = list(store.list())
    assert {key: (folder / key).read_bytes() for key in keys} == {k: store.read(k) for k in keys}
    assert not (folder / PARTS).exists()


def test_azurite_killed_half_way_of_a_download(tmp_path: Path) -> None:
    """The same call goes on: what has come is not fetched again."""
    with Azurite(tmp_path / "data") as first:
        store = _store(first, "killed")
        for number in range(6):
            store.write(f"a/{number}", bytes([number]) * 9_000_000)
        first.wait_until_noted("a/5")
    with Azurite(tmp_path / "data", first.port) as second:
        blobs = store.inventory()
        watcher = _Watcher(20_000_000, second._process.end)
        begin = time.monotonic()
        with pytest.raises(StoreError, match=r"cannot be reached|broke off|did not answer"):
            download_folder(store, blobs, tmp_path / "out", watcher=watcher, n_threads=3)
        assert time.monotonic() - begin < 60
        came = watcher.done
        assert 20_000_000 <= came < watcher.total
    with Azurite(tmp_path / "data", first.port) as again:
        store = _store(again, "killed")
        fetched = _Chunks(store)
        done = download_folder(store, store.inventory(), tmp_path / "out", n_threads=3)
        assert done.files == 6
        assert fetched.size <= 54_000_000 - came
        _whole(store, tmp_path / "out")


class _Chunks:
    """Counts bytes that a Store fetches in parts; may change them."""

    def __init__(self, store: AzureBlobStore, change: Any = None) -> None:
        self.size = 0
        self._lock = threading.Lock()
        self._change = change
        self._chunks = store.chunks
        store.chunks = self  # type: ignore[method-assign, assignment]

    def __call__(self, blob: Any, start: int = 0) -> Iterator[bytes]:
        for data in self._chunks(blob, start):
            with self._lock:
                self.size += len(data)
            yield self._change(data) if self._change else data


def test_folders_of_an_account_are_no_values(store: AzureBlobStore, tmp_path: Path) -> None:
    """Accounts with folders list them as empty blobs; empty values are values."""
    values = {"app/main.py": b"x", "app/deep/empty.txt": b"", "notes/a": b"y", "empty": b""}
    for key, data in values.items():
        store.write(key, data)
    for name, metadata in (
        ("app", {"hdi_isfolder": "true"}),
        ("app/deep", {"hdi_isfolder": "true"}),
        ("nothing_in_it", {"Hdi_isfolder": "true"}),
        ("notes/", {}),
    ):
        store._client.get_blob_client(name).upload_blob(b"", metadata=metadata)
    store._client.get_blob_client("other").upload_blob(b"z", metadata={"hdi_isfolder": "false"})
    keys = sorted([*values, "other"])
    assert list(store.list()) == [blob.key for blob in store.inventory()] == keys
    assert list(store.list("app")) == ["app/deep/empty.txt", "app/main.py"]
    assert list(store.list("notes/")) == ["notes/a"]
    assert (store.size("app"), store.size("empty"), store.size("other")) == (None, 0, 1)
    with pytest.raises(KeyMissingError), store.open_read("app"):
        pass
    download_folder(store, store.inventory(), tmp_path)
    _whole(store, tmp_path)


HOLDER = """
import sys, time
from pyveg.storage.azure_access import Access
from pyveg.storage.azure_blob import AzureBlobStore
store = AzureBlobStore(sys.argv[1], sys.argv[2], Access(sys.argv[3]), lease_seconds=15)
with store.lock("a"):
    print("held", flush=True)
    time.sleep(120)
"""


def test_the_lease_of_a_process_that_was_killed_ends(
    azurite: Azurite, store: AzureBlobStore
) -> None:
    """By itself, after 15 seconds; nobody else can end it sooner."""
    command = [sys.executable, "-c", HOLDER, azurite.url, store.container, azurite.key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.kill()
    with pytest.raises(RunLockedError, match=f"process {process.pid}"), store.lock("a"):
        pass
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with store.lock("a"):
                return
        except RunLockedError:
            time.sleep(0.5)
    pytest.fail("the lease did not end")


def test_a_download_that_is_interrupted_goes_on(store: AzureBlobStore, tmp_path: Path) -> None:
    store.write("large", bytes(range(256)) * 50_000)
    store.write("small", b"x")

    def interrupt() -> None:
        raise KeyboardInterrupt

    target = tmp_path / "all.zip"
    watcher = _Watcher(5_000_000, interrupt)
    with pytest.raises(KeyboardInterrupt):
        download_zip(store, store.inventory(), target, watcher=watcher, n_threads=1)
    assert not target.exists()
    fetched = _Chunks(store)
    download_zip(store, store.inventory(), target)
    assert fetched.size < 12_800_000 - 4_000_000
    assert sorted(tmp_path.iterdir()) == [target]


def test_a_part_that_was_damaged_is_fetched_anew(store: AzureBlobStore, tmp_path: Path) -> None:
    store.write("large", bytes(range(256)) * 40_000)
    (blob,) = store.inventory()
    name = hashlib.sha256(f"large\0{blob.etag}".encode()).hexdigest()[:32]
    part = tmp_path / PARTS / name
    part.parent.mkdir()
    part.write_bytes(b"\xff" * 5_000_000)
    watcher = _Watcher()
    download_folder(store, [blob], tmp_path, watcher=watcher)
    _whole(store, tmp_path)
    assert (watcher.done, watcher.files) == (watcher.total, 1)


def test_a_blob_that_changed_since_is_not_mixed(store: AzureBlobStore, tmp_path: Path) -> None:
    store.write("large", b"a" * 5_000_000)
    (old,) = store.inventory()
    store.write("large", b"b" * 5_000_000)
    with pytest.raises(StoreError, match="replaced while it was read"):
        download_folder(store, [old], tmp_path)
    download_folder(store, store.inventory(), tmp_path)
    _whole(store, tmp_path)


def test_a_corrupted_blob_is_told_and_the_others_come(
    store: AzureBlobStore, tmp_path: Path
) -> None:
    """Its MD5 is not the one that was noted when it was written."""
    for name in ("a", "b", "c"):
        store.write(name, name.encode() * 1000)
    client = store._blob("b")
    settings = client.get_blob_properties().content_settings
    client.upload_blob(b"B" + b"b" * 999, overwrite=True)
    client.set_http_headers(settings)
    with pytest.raises(StoreError, match=r"1 of 3 files are damaged in azure://.*: b; run"):
        download_folder(store, store.inventory(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c"]
    with pytest.raises(StoreError, match="damaged"):
        download_zip(store, store.inventory(), tmp_path / "all.zip")
    assert not (tmp_path / "all.zip").exists()


def test_bytes_damaged_on_the_way(store: AzureBlobStore, tmp_path: Path) -> None:
    store.write("a", b"good" * 1000)
    changed = _Chunks(store, lambda data: b"x" + data[1:])
    with pytest.raises(StoreError, match="damaged"):
        download_folder(store, store.inventory(), tmp_path)
    assert changed.size == 4000
    assert list(tmp_path.iterdir()) == []


def test_names_that_would_leave_the_folder(store: AzureBlobStore, tmp_path: Path) -> None:
    store.write("a", b"x")
    (blob,) = store.inventory()
    for key in ("../a", "/a", "b/../../a", "C:/a"):
        with pytest.raises(StoreError, match="cannot be a key"):
            download_folder(store, [replace(blob, key=key)], tmp_path / "out")
    (tmp_path / "out").mkdir(exist_ok=True)
    (tmp_path / "out/link").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(StoreError, match="would lie outside"):
        download_folder(store, [replace(blob, key="link/a")], tmp_path / "out")
    with pytest.raises(StoreError, match="a file and a folder"):
        download_folder(store, [blob, replace(blob, key="a/b")], tmp_path / "out")
    assert not (tmp_path / "a").exists()


def test_two_downloads_to_one_folder(store: AzureBlobStore, tmp_path: Path) -> None:
    store.write("a", b"x")
    told: list[str] = []

    def second() -> None:
        try:
            download_folder(store, store.inventory(), tmp_path)
        except StoreError as error:
            told.append(str(error))

    download_folder(store, store.inventory(), tmp_path, watcher=_Watcher(1, second))
    assert len(told) == 1
    assert "another download is writing" in told[0]
    _whole(store, tmp_path)


def test_a_folder_that_cannot_be_written(store: AzureBlobStore, tmp_path: Path) -> None:
    store.write("a", b"x")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be written"):
        download_folder(store, store.inventory(), tmp_path / "file")
    with pytest.raises(ConfigError, match="is a folder"):
        download_zip(store, store.inventory(), tmp_path)


def test_requests_that_are_refused(azurite: Azurite, store: AzureBlobStore) -> None:
    """A SAS that may only read writes nothing, and its signature is not told."""
    from datetime import timedelta

    store.write("a", b"x")
    sas = container_sas(
        azurite.url,
        store.container,
        timedelta(hours=1),
        account_key=azurite.key,
        permissions="r",
    )
    reader = AzureBlobStore(azurite.url, store.container, Access(sas=sas))
    assert reader.read("a") == b"x"
    signature = sas.partition("sig=")[2].partition("&")[0]
    for act in (lambda: reader.write("a", b"y"), lambda: list(reader.list())):
        with pytest.raises(StoreError, match="racwdl") as caught:
            act()
        assert signature not in str(caught.value)
        assert caught.value.__cause__ is None
    assert store.read("a") == b"x"
    other = AzureBlobStore(azurite.url, f"{store.container}x", Access(sas=sas))
    with pytest.raises(StoreError) as caught:
        other.read("a")
    assert not isinstance(caught.value, KeyMissingError)


def _missing(store: AzureBlobStore, key: str) -> None:
    with pytest.raises(KeyMissingError):
        store.read(key)


@pytest.mark.parametrize(
    ("method", "ask"),
    [
        ("upload_blob", lambda store: store.write("mine", b"2")),
        ("download_blob", lambda store: _missing(store, "mine")),
        ("get_blob_properties", lambda store: store.size("mine")),
    ],
)
def test_a_container_that_is_made_while_an_answer_is_on_its_way_is_not_gone(
    store: AzureBlobStore, monkeypatch: pytest.MonkeyPatch, method: str, ask: Any
) -> None:
    """A thread is told that it is not there, and before it reads that, another has made it."""
    real = getattr(BlobClient, method)

    def late(blob: BlobClient, *args: Any, **options: Any) -> Any:
        monkeypatch.setattr(BlobClient, method, real)
        try:
            return real(blob, *args, **options)
        except ResourceNotFoundError:
            store.write("of another", b"1")
            raise

    monkeypatch.setattr(BlobClient, method, late)
    ask(store)
    assert store.read("of another") == b"1"
    if method == "upload_blob":
        assert store.read("mine") == b"2"
    store._client.delete_container()
    with pytest.raises(StoreGoneError, match="somebody deleted it"):
        store.read("of another")
