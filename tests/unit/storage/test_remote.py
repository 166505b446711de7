"""Stores at URLs: what fsspec lacks, and locks that end by themselves."""

from __future__ import annotations

import importlib.util
import json
import re
import time
import uuid
from typing import Any

import fsspec
import pytest

from pyveg.core.errors import MissingPackageError, RunLockedError, StoreError, UnknownNameError
from pyveg.storage.remote import FsspecStore, _package


@pytest.fixture
def url() -> str:
    return f"memory://{uuid.uuid4().hex}"


@pytest.mark.parametrize(
    ("protocol", "package", "requirement"),
    [
        ("s3", "s3fs", "s3fs"),
        ("gs", "gcsfs", "gcsfs"),
        ("abfs", "adlfs", "adlfs"),
        ("sftp", "paramiko", "fsspec[sftp]"),
    ],
)
def test_a_missing_package_is_told_with_the_pip_line(
    protocol: str, package: str, requirement: str
) -> None:
    assert _package(protocol) == requirement
    if importlib.util.find_spec(package) is None:
        with pytest.raises(MissingPackageError, match=re.escape(f"pip install '{requirement}'")):
            FsspecStore(f"{protocol}://place/folder")


def test_an_unknown_protocol_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match='storage protocol "s33"; did you mean "s3"'):
        FsspecStore("s33://place")


def test_options_are_no_part_of_what_is_written_down(url: str) -> None:
    store = FsspecStore(url, secret="hush")
    assert "hush" not in json.dumps(store.spec())
    assert "hush" not in store.url


def test_errors_of_clients_are_told_with_the_address(url: str, monkeypatch: Any) -> None:
    store = FsspecStore(url)

    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(store._fs, "cat_file", refuse)
    with pytest.raises(StoreError, match=f"{url}: ConnectionError: no route: check the address"):
        store.read("a")


def _lease(url: str) -> Any:
    fs, root = fsspec.core.url_to_fs(url)
    return json.loads(fs.cat_file(f"{root}/.locks/lock"))


def _leave_behind(url: str, expires: float) -> None:
    """What a killed process leaves."""
    fs, root = fsspec.core.url_to_fs(url)
    lease = {"host": "far", "pid": 7, "since": "then", "token": "other", "expires": expires}
    fs.pipe_file(f"{root}/.locks/lock", json.dumps(lease).encode())


def test_the_lease_of_a_killed_process_ends(url: str) -> None:
    store = FsspecStore(url)
    _leave_behind(url, time.time() + 100)
    with pytest.raises(RunLockedError, match=r"process 7 on host far since then.*60 seconds"):
        store.lock("lock").__enter__()
    _leave_behind(url, time.time() - 1)
    with store.lock("lock"):
        assert _lease(url)["token"] != "other"


def test_a_lease_is_renewed_while_its_holder_lives(url: str) -> None:
    store = FsspecStore(url, lease_seconds=0.3)
    with store.lock("lock"):
        first = _lease(url)["expires"]
        time.sleep(0.7)
        assert _lease(url)["expires"] > first
        with pytest.raises(RunLockedError):
            FsspecStore(url).lock("lock").__enter__()
    with FsspecStore(url).lock("lock"):
        pass


def test_a_lease_that_was_taken_over_is_left_alone(url: str) -> None:
    store = FsspecStore(url)
    with store.lock("lock"):
        _leave_behind(url, time.time() + 100)
    assert _lease(url)["token"] == "other"


def test_a_file_system_without_exclusive_writes(url: str, monkeypatch: Any) -> None:
    store = FsspecStore(url)
    write = store._fs.pipe_file

    def pipe_file(path: str, data: bytes, mode: str = "overwrite") -> None:
        if mode == "create":
            raise NotImplementedError
        write(path, data)

    monkeypatch.setattr(store._fs, "pipe_file", pipe_file)
    with store.lock("lock"), pytest.raises(RunLockedError):
        store.lock("lock").__enter__()
