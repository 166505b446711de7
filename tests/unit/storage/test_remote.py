"""Stores at URLs: what fsspec lacks, and locks that end by themselves."""

from __future__ import annotations

import errno
import importlib.util
import json
import re
import subprocess
import sys
import threading
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import fsspec
import pytest

from pyveg.core.errors import (
    ConfigError,
    MissingPackageError,
    RunLockedError,
    StoreError,
    StoreFullError,
    UnknownNameError,
)
from pyveg.storage.remote import FsspecStore


@pytest.fixture
def url() -> str:
    return f"memory://{uuid.uuid4().hex}"


@pytest.mark.parametrize(
    ("protocol", "package", "requirement"),
    [
        ("s3", "s3fs", "s3fs"),
        ("gs", "gcsfs", "gcsfs"),
        ("abfs", "adlfs", "adlfs"),
        ("sftp", "paramiko", "paramiko"),
    ],
)
def test_a_missing_package_is_told_with_the_pip_line(
    protocol: str, package: str, requirement: str
) -> None:
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

    monkeypatch.setattr(store._objects._fs, "cat_file", refuse)
    with pytest.raises(StoreError, match=f"{url}/a: ConnectionError: no route; check the address"):
        store.read("a")


def test_a_full_disk_is_told_as_such(url: str, monkeypatch: Any) -> None:
    """It is the fault of no Item."""
    store = FsspecStore(url)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store._objects._fs, "pipe_file", refuse)
    said = set()
    for key in ("a", "b/c"):
        with pytest.raises(StoreFullError, match="the disk is full") as caught:
            store.write(key, b"x")
        said.add(str(caught.value))
    assert len(said) == 1  # so that the Tasks of a run tell it once
    with pytest.raises(StoreFullError, match=r"the disk of temporary files is full.*TMPDIR"):
        _fail_in_stream(store, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="No space"):
        _fail_in_stream(store, OSError(errno.ENOSPC, "No space left on device", "another file"))


def _fail_in_stream(store: FsspecStore, error: OSError) -> None:
    with store.open_write("b"):
        raise error


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


def test_a_lease_of_an_older_version_has_no_epoch(url: str) -> None:
    store = FsspecStore(url)
    _leave_behind(url, time.time() + 100)
    holder = store.holder("lock")
    assert holder is not None
    assert (str(holder), holder.epoch, holder.alive) == ("process 7 on host far", 0, True)
    assert holder.seen is None
    assert store.epoch("lock") == 0
    _leave_behind(url, time.time() - 1)
    holder = store.holder("lock")
    assert holder is not None
    assert holder.alive is False
    with store.lock("lock") as lock:
        assert lock.epoch == 1


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


def test_a_lease_that_was_taken_over_is_told_and_left_alone(url: str) -> None:
    store = FsspecStore(url, lease_seconds=0.3)

    def lose() -> None:
        with store.lock("lock"):
            _leave_behind(url, time.time() + 100)
            time.sleep(0.3)

    with pytest.raises(RunLockedError, match="host far"):
        lose()
    assert _lease(url)["token"] == "other"


def test_a_lease_that_is_just_being_written_is_not_free(url: str) -> None:
    store = FsspecStore(url, lease_seconds=10)
    fs, root = fsspec.core.url_to_fs(url)
    fs.pipe_file(f"{root}/.locks/lock", b"")
    writer = threading.Timer(0.1, _leave_behind, (url, time.time() + 100))
    writer.start()
    with pytest.raises(RunLockedError, match="host far"):
        store.lock("lock").__enter__()
    writer.join()


def test_a_damaged_lease_does_not_last_for_ever(url: str) -> None:
    store = FsspecStore(url, lease_seconds=0.5)
    fs, root = fsspec.core.url_to_fs(url)
    fs.pipe_file(f"{root}/.locks/lock", b"{half of i")
    with store.lock("lock"):
        assert _lease(url)["pid"] > 0


def test_a_file_system_without_exclusive_writes(url: str, monkeypatch: Any) -> None:
    store = FsspecStore(url, lease_seconds=2)
    open_ = store._objects._fs.open

    def refuse(path: str, mode: str = "rb", **more: Any) -> Any:
        if mode == "xb":
            raise ValueError(mode)
        return open_(path, mode, **more)

    monkeypatch.setattr(store._objects._fs, "open", refuse)
    with store.lock("lock"), pytest.raises(RunLockedError):
        store.lock("lock").__enter__()


@pytest.mark.parametrize("address", ["sftp://me:hush@host/folder", "s3://a:hush@bucket"])
def test_a_password_in_the_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ConfigError, match="leave the password out") as caught:
        FsspecStore(address)
    assert "hush" not in str(caught.value)


def test_two_readers_do_not_share_a_position(url: str) -> None:
    store = FsspecStore(url)
    store.write("a", b"0123456789")
    with store.open_read("a") as one, store.open_read("a") as other:
        assert one.read(5) == b"01234"
        assert other.read(5) == b"01234"
        assert one.read() == b"56789"


TAKER = """
import sys
from pyveg.core.errors import RunLockedError
from pyveg.storage.remote import FsspecStore
store = FsspecStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
try:
    with store.lock("lock"):
        print("held", flush=True)
        sys.stdin.read()
except RunLockedError:
    print("refused", flush=True)
"""


def test_of_processes_that_start_at_once_one_gets_the_lock(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    for number in range(3):
        command = [sys.executable, "-c", TAKER, f"file://{tmp_path / str(number)}"]
        with ExitStack() as stack:
            takers = [
                stack.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
                for _ in range(4)
            ]
            for taker in takers:
                assert taker.stdout.readline() == "ready\n"
            for taker in takers:
                taker.stdin.write("go\n")
                taker.stdin.flush()
            said = sorted(taker.stdout.readline().strip() for taker in takers)
            for taker in takers:  # the one that has it holds it until now
                taker.stdin.close()
        assert said == ["held", "refused", "refused", "refused"]
