"""A local folder when things go wrong."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import (
    KeyMissingError,
    RunLockedError,
    StoreError,
    StoreFullError,
    StoreGoneError,
)
from pyveg.core.fencing import FencedStore
from pyveg.storage import local, process_marks
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
    with pytest.raises(StoreFullError, match="the disk is full"):
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


def _note(folder: Path) -> Path:
    return folder / ".locks/_pyveg/lock.holder"


def _leave_note(folder: Path, **changes: Any) -> None:
    """What a process left that died while it had the lock."""
    with LocalStore(folder).lock("_pyveg/lock"):
        written = json.loads(_note(folder).read_text())
    _note(folder).write_text(json.dumps({**written, **changes}))


def test_a_holder_on_another_host_is_unknown(tmp_path: Path) -> None:
    """Its last sign of life is told."""
    _leave_note(tmp_path, host="far", pid=7)
    os.utime(_note(tmp_path), (1_000_000_000, 1_000_000_000))
    holder = LocalStore(tmp_path).holder("_pyveg/lock")
    assert holder is not None
    assert (str(holder), holder.alive) == ("process 7 on host far", None)
    assert holder.seen == datetime.fromtimestamp(1_000_000_000, UTC)


def test_a_later_process_of_the_same_number_is_not_the_holder(tmp_path: Path) -> None:
    mark = process_marks.mark_of(os.getpid())
    _leave_note(tmp_path, mark=f"{mark.rpartition(' ')[0]} 1" if mark else "")
    holder = LocalStore(tmp_path).holder("_pyveg/lock")
    assert holder is not None
    assert holder.pid == os.getpid()
    assert holder.alive is (not mark)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_holder_in_another_container_of_the_same_name_is_unknown(tmp_path: Path) -> None:
    boot, space, start = process_marks.mark_of(os.getpid()).split()
    for mark in (f"{boot} pid:[1] {start}", f"other {space} {start}"):
        _leave_note(tmp_path, mark=mark)
        holder = LocalStore(tmp_path).holder("_pyveg/lock")
        assert holder is not None
        assert holder.alive is None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_holder_from_before_a_restart_of_the_machine_is_dead(tmp_path: Path) -> None:
    """As soon as it should have given signs of life, which one in a container would."""
    _, space, start = process_marks.mark_of(os.getpid()).split()
    _leave_note(tmp_path, mark=f"before {space} {start}")
    os.utime(_note(tmp_path), (time.time() - 100, time.time() - 100))
    holder = LocalStore(tmp_path).holder("_pyveg/lock")
    assert holder is not None
    assert holder.alive is False


def test_a_process_is_looked_at_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_marks, "mark_of", lambda _: "")
    host = socket.gethostname()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert process_marks.is_alive(host, os.getpid(), "") is True
    assert process_marks.is_alive(host, ended.pid, "") is False
    assert process_marks.is_alive(host, 2**40, "") is False
    assert process_marks.is_alive("far", os.getpid(), "") is None


def test_a_note_of_an_older_version_has_no_epoch(tmp_path: Path) -> None:
    """Its process died, or it would have removed the note."""
    old = {"host": socket.gethostname(), "pid": 2**22 + 1, "since": "2026-01-02 03:04:05 UTC"}
    _note(tmp_path).parent.mkdir(parents=True)
    _note(tmp_path).write_text(json.dumps(old))
    store = LocalStore(tmp_path)
    assert store.epoch("_pyveg/lock") == 0
    holder = store.holder("_pyveg/lock")
    assert holder is not None
    assert holder.since == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert holder.alive is False
    with store.lock("_pyveg/lock") as lock:
        assert lock.epoch == 1


def test_a_held_lock_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyveg.storage.local_lock.BEAT_SECONDS", 0.02)
    store = LocalStore(tmp_path)
    with store.lock("_pyveg/lock"):
        os.utime(_note(tmp_path), (1_000_000_000, 1_000_000_000))
        end = time.monotonic() + 5
        while time.monotonic() < end:
            holder = store.holder("_pyveg/lock")
            assert holder is not None
            assert holder.seen is not None
            if holder.seen.year > 2001:
                return
            time.sleep(0.01)
    pytest.fail("no sign of life")


def test_a_folder_that_is_removed_takes_the_lock_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which would keep nobody out of a new folder of that name; nothing is made again."""
    monkeypatch.setattr("pyveg.storage.local_lock.BEAT_SECONDS", 0.02)
    told: list[Exception] = []
    lost = threading.Event()
    store = LocalStore(tmp_path / "run")

    def remove() -> None:
        with store.lock("_pyveg/lock") as lock:
            lock.on_lost(told.append)
            lock.on_lost(lambda _: lost.set())
            lock.check()
            shutil.rmtree(tmp_path / "run")
            assert lost.wait(10)
            with pytest.raises(StoreGoneError, match="run, is gone: somebody removed it"):
                lock.check()

    with pytest.raises(StoreGoneError):
        remove()
    assert len(told) == 1
    assert not (tmp_path / "run").exists()
    with store.lock("_pyveg/lock") as lock:
        lock.check()


def test_a_folder_that_is_removed_is_not_made_again_by_who_asks_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the journal of a run does before each write, long before the next sign of life."""
    monkeypatch.setattr("pyveg.storage.local_lock._LOOK_SECONDS", 0.0)
    store = LocalStore(tmp_path / "run")

    def remove() -> None:
        with store.lock("_pyveg/lock") as lock:
            fenced = FencedStore(store, lock.check)
            fenced.write("a", b"x")
            shutil.rmtree(tmp_path / "run")
            fenced.write("a", b"x")

    with pytest.raises(StoreGoneError, match="run, is gone: somebody removed it"):
        remove()
    assert not (tmp_path / "run").exists()


def test_who_has_to_wait_after_a_death_can_be_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is free then."""
    _leave_note(tmp_path, host="far")
    store = LocalStore(tmp_path)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pyveg.storage.local_lock.time.sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            store.lock("_pyveg/lock").__enter__()
    assert store.holder("_pyveg/lock") is None
    with store.lock("_pyveg/lock") as lock:
        assert lock.epoch == 3


def test_a_full_quota_is_no_fault_of_an_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path)
    for number in (errno.ENOSPC, errno.EDQUOT):

        def refuse(*_: Any, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("pyveg.storage.local._publish", refuse)
        said = set()
        for key in ("a", "b/c"):
            with pytest.raises(StoreFullError, match="the disk is full") as caught:
                store.write(key, b"x")
            assert caught.value.shared
            said.add(str(caught.value))
        assert len(said) == 1  # so that the Tasks of a run tell it once


def test_a_pipe_or_device_in_the_place_of_a_value_is_none(tmp_path: Path) -> None:
    """Nobody waits for its other end, or reads what has none."""
    store = LocalStore(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    assert list(store.list()) == []
    for key in ("pipe", "device"):
        assert store.size(key) is None
        with pytest.raises(KeyMissingError):
            store.read(key)
        with pytest.raises(KeyMissingError), store.open_read(key):
            pass


@pytest.mark.parametrize("path", ["a\0b", "a\ud800", "\0"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(StoreError, match="is no path"):
        LocalStore(path)
