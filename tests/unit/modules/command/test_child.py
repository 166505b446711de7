"""Programs run as children: their world, their time, and that they never outlive us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyveg.core.errors import CommandError
from pyveg.modules.command import child
from pyveg.modules.command.child import Ended

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="commands need Linux or macOS")

SLEEPER = """
import os, subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1] + ".new", "w").write(f"{os.getpid()} {grandchild.pid}")
os.replace(sys.argv[1] + ".new", sys.argv[1])
time.sleep(60)
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def _run(work: Path, *command: str, limit: float | None = None, **environment: str) -> Ended:
    return child.run(command, work, {"PATH": os.environ["PATH"], **environment}, work, limit)


def _until_gone(*pids: int) -> None:
    end = time.monotonic() + 10
    while any(psutil.pid_exists(pid) and _lives(pid) for pid in pids):
        assert time.monotonic() < end, "a process goes on"
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_it_has_the_exit_code_and_what_was_said(work: Path) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    ended = _run(work, sys.executable, "-c", code)
    assert (ended.code, ended.why, ended.well) == (3, "", False)
    assert 0 < ended.seconds < 30
    assert (work / "stdout.txt").read_bytes() == b"out\n"
    assert (work / "stderr.txt").read_bytes() == b"err\n"
    assert _run(work, sys.executable, "-c", "").well
    assert (work / "stdout.txt").read_bytes() == b""


def test_a_signal_is_a_negative_code(work: Path) -> None:
    ended = _run(work, sys.executable, "-c", "import os; os.kill(os.getpid(), 9)")
    assert (ended.code, ended.why) == (-9, "")


@pytest.mark.parametrize("program", ["no-such-program", "./none", "/", "a\0b"])
def test_a_program_that_is_none(work: Path, program: str) -> None:
    ended = _run(work, program)
    assert ended.code is None
    assert ended.why.startswith("it cannot be started: ")


def test_it_reads_nothing_and_sees_no_more_variables(work: Path) -> None:
    code = "import os, sys, json; print(json.dumps([sys.stdin.read(), dict(os.environ)]))"
    _run(work, sys.executable, "-c", code, A="1")
    said, seen = json.loads((work / "stdout.txt").read_bytes())
    assert said == ""
    assert set(seen) <= {"PATH", "A", "LC_CTYPE"}  # Python itself sets the last


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))))
def test_arguments_arrive_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, arguments: list[str]
) -> None:
    work = tmp_path_factory.mktemp("arguments")
    code = "import sys; sys.stdout.buffer.write(repr(sys.argv[1:]).encode())"
    variables = {"PYTHONUTF8": "1"}
    child.run([sys.executable, "-c", code, *arguments], work, variables, work, None)
    assert (work / "stdout.txt").read_bytes().decode() == repr(arguments)


def test_at_the_limit_all_that_it_has_started_ends(work: Path) -> None:
    begin = time.monotonic()
    ended = _run(work, sys.executable, "-c", SLEEPER, str(work / "pids"), limit=1.5)
    assert ended.why == "late"
    assert time.monotonic() - begin < 50
    _until_gone(*map(int, (work / "pids").read_text().split()))


def test_one_that_will_not_end_is_ended(work: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    begin = time.monotonic()
    assert _run(work, sys.executable, "-c", code, limit=0.5).why == "late"
    assert time.monotonic() - begin < 50


def test_what_it_leaves_behind_ends_with_it(work: Path) -> None:
    code = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', "
        "'import time; time.sleep(60)']); print(p.pid)"
    )
    assert _run(work, sys.executable, "-c", code).well
    _until_gone(int((work / "stdout.txt").read_text()))


def test_it_ends_when_its_worker_is_killed(work: Path) -> None:
    """And the folder of its work is removed, as nobody else could."""
    pids = work.parent / "pids"
    code = f"""
from pathlib import Path
from pyveg.modules.command import child
child.run({[sys.executable, "-c", SLEEPER, str(pids)]!r}, Path({str(work)!r}), {{}},
          Path({str(work)!r}), None)
"""
    with subprocess.Popen([sys.executable, "-c", code]) as worker:
        end = time.monotonic() + 20
        while not pids.exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        worker.kill()
    _until_gone(*map(int, pids.read_text().split()))
    end = time.monotonic() + 10
    while work.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_only_harmless_variables_are_passed_on() -> None:
    given_ = {
        "PATH": "p",
        "HOME": "h",
        "LC_ALL": "C",
        "https_proxy": "x",
        "PYVEG_AZURE_SAS": "secret",
        "AZURE_CLIENT_SECRET": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "EE_TOKEN": "secret",
        "MY_KEY": "secret",
        "PYTHONPATH": "x",
        "MINE": "1",
    }
    found: dict[str, Any] = child.passed_on(given_, ["MINE", "ABSENT"])
    assert set(found) == {"PATH", "HOME", "LC_ALL", "https_proxy", "MINE"}


ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")

DAEMON = """
import os, sys, time
def daemon(depth):
    if os.fork():
        return
    os.setsid()
    if depth:
        daemon(depth - 1)
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(60)
    os._exit(0)
daemon(int(sys.argv[2]))
time.sleep(float(sys.argv[3]))
os._exit(int(sys.argv[4]))
"""
"""Leaves daemons in sessions of their own; path, how many more, seconds, exit code."""


def _pids(path: Path, count: int) -> list[int]:
    end = time.monotonic() + 10
    while not path.exists() or len(path.read_text().split()) < count:
        assert time.monotonic() < end, "they did not begin"
        time.sleep(0.02)
    return [int(pid) for pid in path.read_text().split()]


@ON_LINUX
@pytest.mark.parametrize(
    ("seconds", "code", "limit"), [(0.3, 0, None), (0.3, 3, None), (60, 0, 0.5)]
)
def test_daemons_end_with_their_program(
    seconds: float, code: int, limit: float | None, work: Path, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    arguments = (str(pids), "2", str(seconds), str(code))
    ended = _run(work, sys.executable, "-c", DAEMON, *arguments, limit=limit)
    assert ended.why == ("late" if limit else "")
    assert limit or ended.code == code
    _until_gone(*_pids(pids, 3))


@ON_LINUX
@pytest.mark.parametrize("daemon", [False, True])
def test_a_program_that_kills_its_supervisor_ends_too(
    daemon: bool, work: Path, tmp_path: Path
) -> None:
    """As the killer of the system does that frees memory."""
    pids = tmp_path / "pids"
    code = f"""
import os, signal, sys, time
parent = os.getppid()
open({str(pids)!r}, "a").write(f"{{os.getpid()}}\\n")
if os.fork() == 0:
    if {daemon}:
        os.setsid()
    open({str(pids)!r}, "a").write(f"{{os.getpid()}}\\n")
    time.sleep(60)
time.sleep(0.3)
os.kill(parent, signal.SIGKILL)
time.sleep(60)
"""
    with pytest.raises(CommandError, match="watched over the program was killed"):
        _run(work, sys.executable, "-c", code)
    _until_gone(*_pids(pids, 2))


def _mounted(folder: Path, size: str) -> bool:
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


@ON_LINUX
def test_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    if not _mounted(folder, "1m"):
        pytest.skip("no file system can be mounted here")
    try:
        work = folder / "work"
        work.mkdir()
        code = f"open({str(work / 'big')!r}, 'wb').write(bytes(1_500_000))"
        ended = _run(work, sys.executable, "-c", code)
        assert ended.code, "how it ended can be told though there is no room"
        (work / "status.json").unlink()
        with suppress(OSError):
            (work / "more").write_bytes(bytes(2_000_000))
        with pytest.raises(CommandError, match=r"no space is left in .*small"):
            _run(work, sys.executable, "-c", "pass")
    finally:
        subprocess.run(["umount", str(folder)], check=True)
