"""A run is watched and stopped from another process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import pyveg
from pyveg.core.layout import LOG_FILE, STATUS_FILE
from pyveg.runs.run import Run
from pyveg.runs.watch import RunState
from pyveg.scripts import cancel, logs, run_pipeline, status
from pyveg.storage.azure import open_store
from pyveg.storage.remote import FsspecStore
from pyveg.testing.azurite import Azurite
from pyveg.testing.graphs import FAKES

KINDS = ("folder", "file", "container")
LEASE = {"folder": 5.0, "file": 70.0, "container": 45.0}
"""Seconds within which the death of a run is seen."""


def call(command: Any, *arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(command.main, list(arguments))
    assert result.exit_code == code, result.output
    return result


class Started:
    """A run in a process of its own."""

    def __init__(self, kind: str, folder: Path, **settings: Any) -> None:
        self.kind = kind
        name = f"watched-{uuid.uuid4().hex[:8]}"
        types = {"folder": "local", "file": "file", "container": "azure"}
        self.location = name if kind == "container" else str(folder / name)
        config = {
            "name": "watched",
            "output_location": self.location,
            "output_location_type": types[kind],
            "modules_to_use": {"job": [f"{FAKES}:Start"]},
            "special_config": {"job": {"count": 200, "seconds": 0.1, **settings}},
        }
        self.config = folder / f"{name}.py"
        self.config.write_text("".join(f"{key} = {value!r}\n" for key, value in config.items()))
        self.process = self.start("--config_file", str(self.config))
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.url = line.removeprefix("run: ").strip()
        assert name in self.url, line + self.process.stdout.read()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pyveg.scripts.run_pipeline", "--runner", "serial", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    @property
    def run(self) -> Run:
        return pyveg.open_run(self.url)

    def until(self, happened: Callable[[], bool], seconds: float = 30) -> float:
        """Wait; gives how long it took."""
        begin = time.monotonic()
        while not happened():
            assert time.monotonic() - begin < seconds, self.run.status()
            time.sleep(0.05)
        return time.monotonic() - begin

    def has_done(self, count: int) -> bool:
        told = self.run.status().told
        return told is not None and told.done >= count

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def start(tmp_path: Path, azure_config: Path) -> Iterator[Callable[..., Started]]:
    del azure_config  # for its variable
    started: list[Started] = []

    def begin(kind: str, **settings: Any) -> Started:
        started.append(Started(kind, tmp_path, **settings))
        return started[-1]

    yield begin
    for one in started:
        one.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_watched_and_stopped_and_finished(
    kind: str, start: Callable[..., Started]
) -> None:
    one = start(kind, count=80, seconds=0.1, fail=["00002"])
    one.until(lambda: one.has_done(5))
    told = json.loads(call(status, one.url, "--json").output)
    assert told["state"] == "running"
    assert told["holder"]["pid"] == one.process.pid
    assert told["holder"]["alive"] is True
    assert told["failures"] == [{"task": "job/Start/00002", "reason": "00002 is bad"}]
    # Right within two seconds: the manifests say what is done.
    now = sum(1 for _ in one.run.store.list("_pyveg/manifests/"))
    one.until(lambda: one.has_done(now), seconds=2)
    begin = time.monotonic()
    asked = call(cancel, one.url)
    assert time.monotonic() - begin < 5
    assert "has been stopped" in asked.output
    assert one.process.wait(5) == 130
    assert "finish it with: pyveg_run_pipeline --from_cache" in asked.output
    found = one.run.status()
    assert found.state is RunState.STOPPED
    assert found.holder is None
    manifests = set(one.run.store.list("_pyveg/manifests/"))
    again = call(run_pipeline, "--from_cache", one.url, "--runner", "serial", code=1)
    counts = one.run.status().told
    assert counts is not None
    assert counts.counts["cached"] == len(manifests), again.output
    assert counts.counts["succeeded"] == 79 - len(manifests)
    log = call(logs, one.url).output
    assert log == one.run.store.read(LOG_FILE).decode()
    begun = [line for line in log.splitlines() if re.search(r"attempt \d begins", line)]
    assert len(begun) == 2
    done = [told.record.task for told in one.run.events() if told.record.state == "succeeded"]
    # What ran when it was stopped may have ended without being asked again how.
    assert 78 <= len(done) == len(set(done))
    assert len(set(one.run.store.list("_pyveg/manifests/"))) == 79
    assert call(status, one.url).output.startswith(f"run: {one.url}\nstate: ended (exit code 1)")


@pytest.mark.parametrize("kind", ["folder", "container"])
def test_a_log_is_followed_from_another_process(kind: str, start: Callable[..., Started]) -> None:
    one = start(kind, count=40, seconds=0.1)
    with subprocess.Popen(
        [sys.executable, "-m", "pyveg.scripts.logs", one.url, "--follow"],
        stdout=subprocess.PIPE, text=True,
    ) as follower:  # fmt: skip
        assert follower.stdout is not None
        lines = []
        for line in follower.stdout:
            if not lines:
                assert one.process.poll() is None
            lines.append(line)
        assert follower.wait(20) == 0
    assert one.process.wait(20) == 0
    assert "".join(lines) == one.run.log


@pytest.mark.parametrize(
    "kind",
    ["folder", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("file", "container"))],
)
def test_one_that_is_killed_has_died(kind: str, start: Callable[..., Started]) -> None:
    one = start(kind, count=500, seconds=0.05)
    one.until(lambda: one.has_done(3))
    one.process.kill()
    one.process.wait()
    took = one.until(lambda: one.run.status().state is RunState.DIED, LEASE[kind])
    assert took < LEASE[kind]
    output = call(status, one.url).output
    assert "state: died" in output
    assert f"process {one.process.pid}" in output
    assert "finish it with" in output
    asked = call(cancel, one.url, code=2)
    assert "nothing to stop" in asked.output
    followed = call(logs, one.url, "--follow").output
    assert "it was cut off" in followed.splitlines()[-1]


def test_a_request_reaches_a_run_that_has_just_begun(start: Callable[..., Started]) -> None:
    one = start("folder")
    call(cancel, one.url)
    assert one.process.wait(5) == 130


def test_detach_reaches_the_run(start: Callable[..., Started]) -> None:
    one = start("folder")
    one.until(lambda: one.has_done(1))
    call(cancel, one.url, "--detach")
    assert one.process.wait(5) == 130


def test_one_that_does_not_listen_is_told_of(start: Callable[..., Started]) -> None:
    one = start("folder")
    one.until(lambda: one.has_done(1))
    one.process.send_signal(signal.SIGSTOP)
    result = call(cancel, one.url, "--wait", "1", code=1)
    assert "still running" in result.output
    one.process.send_signal(signal.SIGCONT)
    assert one.process.wait(10) == 130


@pytest.fixture
def some_runs(tmp_path: Path) -> Iterator[Path]:
    """Three runs of two names in one folder, and what is none."""
    from pyveg.jobs.run import run_pipeline as run
    from pyveg.testing.graphs import fake_pipeline

    for name, fail in (("demo", []), ("demo", ["00001"]), ("demo_b", [])):
        where = str(tmp_path / "runs" / name)
        run(fake_pipeline(start={"fail": fail}, output_location=where, runner="serial"))
    (tmp_path / "runs" / "notes").mkdir()
    here = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path / "runs"
    os.chdir(here)


def test_all_runs_of_a_location_are_listed(some_runs: Path) -> None:
    everywhere = {str(path) for path in some_runs.glob("demo*")}
    demo = {path for path in everywhere if "demo_b" not in path}
    for places, expected in (
        ([], everywhere),  # the working directory
        (["runs"], everywhere),
        ([str(some_runs)], everywhere),
        (["runs/demo"], demo),
        ([str(some_runs / "demo_b")], everywhere - demo),  # a list also of one
    ):
        found = json.loads(call(status, *places, "--json").output)
        assert {one["url"] for one in found} == expected
        table = call(status, *places).output
        assert table.count("ended") == len(expected)
    urls = {f"file://{path}" for path in everywhere}
    for place in (f"file://{some_runs}", f"file://{some_runs}/"):
        assert {one["url"] for one in json.loads(call(status, place, "--json").output)} == urls
    found = json.loads(call(status, f"file://{some_runs}/demo", "--json").output)
    assert {one["url"] for one in found} == {f"file://{path}" for path in demo}
    two = json.loads(call(status, *sorted(everywhere)[:2], "--json").output)
    assert [one["url"] for one in two] == sorted(everywhere)[:2]


def test_containers_of_the_account_are_listed(azurite: Azurite, azure_config: Path) -> None:
    from pyveg.jobs.run import run_pipeline as run
    from pyveg.testing.graphs import fake_pipeline

    del azurite, azure_config
    name = f"My_Place.{uuid.uuid4().hex[:6]}"
    pipeline = fake_pipeline(output_location=name, output_location_type="azure", runner="serial")
    urls = {run(pipeline).url for _ in range(2)}
    open_store(f"other-{uuid.uuid4().hex[:8]}").write("x", b"no run")
    everything = {one["url"] for one in json.loads(call(status, "azure://", "--json").output)}
    assert urls <= everything
    assert not any("other-" in url for url in everything)
    mine = json.loads(call(status, f"azure://{name}", "--json").output)
    assert {one["url"] for one in mine} == urls
    (first, *_) = urls
    for place in (first, first.removeprefix("azure://")):
        assert json.loads(call(status, place, "--json").output)["url"] == first


def test_a_task_is_told_of(some_runs: Path) -> None:
    run = next(one for one in some_runs.glob("demo_2*") if list(one.glob("_pyveg/failed/*")))
    output = call(logs, str(run), "--task", "A/Start/00001").output
    assert "state: failed" in output
    assert "DataError: 00001 is bad" in output
    assert f"pyveg_run_module --config_file {run}/_pyveg/failed/A/Start/00001.json" in output
    told = json.loads(call(logs, str(run), "--task", "A/Start/00000", "--json").output)
    assert (told["state"], told["done"], told["failed_file"]) == ("succeeded", True, "")
    assert "waiting" in call(logs, str(run), "--task", "A/Follow/00009").output
    assert "knows no task" in call(logs, str(run), "--task", "X/Start/00001", code=2).output
    assert "--follow" in call(logs, str(run), "--task", "A/Start/00001", "--follow", code=2).output


def test_logs_of_programs_are_shown(tmp_path: Path) -> None:
    from pyveg.scripts import run_command

    (tmp_path / "a.txt").write_text("x")
    result = call(
        run_command, "--input", str(tmp_path / "a.txt"), "--output_location",
        str(tmp_path / "out"), "--runner", "serial", "--name", "job", "--",
        sys.executable, "-c", "import sys; print('said \\x1b[31m'); sys.exit(3)", "{input}", code=1,
    )  # fmt: skip
    (run,) = tmp_path.glob("out_*")
    output = call(logs, str(run), "--task", "job/CommandModule/a.txt").output
    assert "stdout.txt" in output, result.output
    assert "said \\x1b[31m" in output


def test_events_are_json_lines(some_runs: Path) -> None:
    run = next(some_runs.glob("demo_b*"))
    lines = [json.loads(line) for line in call(logs, str(run), "--json").output.splitlines()]
    assert [line["kind"] for line in lines][:1] == ["run"]
    assert [line["kind"] for line in lines][-1:] == ["close"]
    keys = {"at", "attempt", "kind", "task", "state", "seconds", "text", "details", "counts"}
    assert all(set(line) == keys | {"flag", "usage", "place"} for line in lines)


def test_what_is_no_run_is_one_sentence(tmp_path: Path) -> None:
    for command in (status, logs, cancel):
        result = call(command, str(tmp_path), code=2)
        assert result.output.startswith("Error: ")
        assert len(result.output.splitlines()) == 1
    assert "no run at" in call(status, str(tmp_path / "missing"), code=2).output


def test_what_is_damaged_is_told_of_or_passed_over(some_runs: Path) -> None:
    run = next(some_runs.glob("demo_b*"))
    (segment, *_) = sorted(run.glob("_pyveg/events/*/*.jsonl"))
    segment.write_bytes(b"\xff\x00{" + segment.read_bytes()[20:])
    (run / LOG_FILE).write_bytes(b"\xff\xfe not text\n" + (run / LOG_FILE).read_bytes())
    assert "all tasks have ended" in call(logs, str(run)).output
    (run / STATUS_FILE).write_bytes(b"\xff")
    assert "state: ended" in call(status, str(run)).output  # by its log
    store = FsspecStore(f"file://{run}")
    assert Run(store).status().told is None
