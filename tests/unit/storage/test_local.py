"""A local folder when things go wrong."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import RunLockedError, StoreError
from pyveg.storage import local
from pyveg.storage.local import LocalStore

posix = pytest.mark.skipif(os.name == "nt", reason="kill -9 is of POSIX systems")

WRITER = """
import sys
from pyveg.storage.local import LocalStore
store = LocalStore(sys.argv[1])
print("ready", flush=True)
number = 0
while True:
    number += 1
    store.write(f"key{number % 7}", bytes([number % 256]) * 300_000)
"""

HOLDER = """
import sys, time
from pyveg.storage.local import LocalStore
with LocalStore(sys.argv[1]).lock("_pyveg/lock"):
    print("ready", flush=True)
    time.sleep(600)
"""


def _start(code: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


@posix
def test_a_writer_that_is_killed_leaves_whole_values(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for number in range(6):
        process = _start(WRITER, tmp_path)
        time.sleep(0.02 + 0.013 * number)
        _kill(process)
        for key in store.list():
            data = store.read(key)
            assert len(data) == 300_000
            assert len(set(data)) == 1
    store.discard_partial()
    assert not list((tmp_path / ".partial").iterdir())


@posix
def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    process = _start(HOLDER, tmp_path)
    store = LocalStore(tmp_path)
    try:
        with pytest.raises(RunLockedError, match=f"by process {process.pid} on host"):
            store.lock("_pyveg/lock").__enter__()
    finally:
        _kill(process)
    with store.lock("_pyveg/lock"):
        pass


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = LocalStore(tmp_path / "file")
    for attempt in (lambda: store.write("a", b"x"), lambda: store.lock("lock").__enter__()):
        with pytest.raises(StoreError, match="a file stands where a folder is needed"):
            attempt()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    full = open("/dev/full", "wb")  # noqa: PTH123, SIM115 - a device that is always full
    monkeypatch.setattr("pyveg.storage.local._create", lambda *_: full)
    with pytest.raises(StoreError, match="the disk is full"):
        store.write("a", b"x" * 100_000)
    assert store.size("a") is None


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="change its permissions"):
            LocalStore(tmp_path).write("a", b"x")
    finally:
        tmp_path.chmod(0o700)


class _Piecemeal(io.FileIO):
    """Takes a few bytes at a time, as the system may of a large value."""

    def write(self, data: Any) -> int:
        return super().write(data[:7])


def test_a_value_that_the_system_takes_in_parts_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".partial").mkdir()
    monkeypatch.setattr(local, "_create", lambda path, _: _Piecemeal(path, "xb"))
    data = bytes(range(256))
    store = LocalStore(tmp_path)
    store.write("a", data)
    assert store.read("a") == data


def test_nothing_is_made_before_the_first_write(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "run")
    assert store.size("a") is None
    assert list(store.list()) == []
    store.discard_partial()
    assert not (tmp_path / "run").exists()
    store.write("a/b", b"x")
    assert (tmp_path / "run/a/b").read_bytes() == b"x"


def test_a_folder_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.write("a/b", b"x")
    (tmp_path / "a/b").unlink()
    (tmp_path / "a").rmdir()
    store.write("a/c", b"y")
    assert list(store.list()) == ["a/c"]
