"""What the supervisor does about jobs, with processes that a test plays."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import StoreError
from pyveg.service import access, health, looking, notes, supervisor, telling, tidying
from pyveg.service.children import Children
from pyveg.service.desk import Desk
from pyveg.service.notes import ChildNote, Outcome
from pyveg.service.records import Caller, JobRecord
from pyveg.service.states import JobState
from pyveg.service.supervisor import Supervisor
from pyveg.service.web.guard import Tally
from pyveg.service.web.metrics import keep, text


class Played(Children):
    """Processes that live as long as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: list[Mapping[str, Any]] = []
        self.living: set[str] = set()
        self.remains: set[str] = set()
        self.signals: list[signal.Signals] = []

    def start(self, job: str, folder: Path, order: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        notes.write(folder, notes.ORDER, order)
        self.orders.append(order)
        self.living.add(job)

    def alive(self, job: str, folder: Path) -> bool:
        del folder
        return job in self.living

    def end(self, folder: Path, number: signal.Signals) -> None:
        del folder
        self.signals.append(number)

    def left(self, job: str, folder: Path) -> list[int]:
        del folder
        return [1] if job in self.living | self.remains else []

    def kill_left(self, job: str, folder: Path) -> None:
        del folder
        self.signals.append(signal.SIGKILL)
        self.living.discard(job)
        self.remains.discard(job)

    def die(self, job: str, outcome: Outcome | None = None, folder: Path | None = None) -> None:
        """End as a process does, with a word or without."""
        self.living.discard(job)
        if outcome is not None and folder is not None:
            notes.write(folder, notes.OUTCOME, outcome)

    @property
    def started(self) -> list[str]:
        return [order["job"] for order in self.orders]


class Stage:
    """A supervisor, its jobs and the processes that are played."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.children = Played()
        self.supervisor = Supervisor(
            desk.config,
            desk.jobs_table,
            desk.callers,
            desk.processes_known,
            desk.health,
            children=self.children,
        )

    def submit(self, caller: str = "kim") -> str:
        return self.desk.submit(Caller(caller), "steps", {"count": 1}).job.id

    def tick(self) -> None:
        self.supervisor.tick()

    def job(self, name: str) -> JobRecord:
        found = self.desk.jobs_table.get(name)
        assert found
        return found

    def folder(self, name: str) -> Path:
        return self.desk.config.job_folder(name)


@pytest.fixture
def stage(make_desk: Callable[..., Desk]) -> Stage:
    return Stage(make_desk(max_running=2))


def test_so_many_run_at_once_and_each_caller_has_a_turn(stage: Stage) -> None:
    kims = [stage.submit("kim") for _ in range(3)]
    lees = stage.submit("lee")
    stage.tick()
    assert stage.children.started == [kims[0], lees]
    stage.tick()
    assert len(stage.children.started) == 2
    stage.children.die(kims[0], Outcome("refused", "no"), stage.folder(kims[0]))
    stage.tick()
    assert stage.job(kims[0]).state is JobState.FAILED
    assert stage.job(kims[0]).message == "no"
    assert stage.children.started == [kims[0], lees, kims[1]]
    order = stage.children.orders[0]
    assert json.loads(json.dumps(order)) == order
    assert order["url"] == stage.job(kims[0]).url


def test_what_waits_is_dismissed_at_once(stage: Stage) -> None:
    jobs = [stage.submit() for _ in range(3)]
    stage.tick()
    stage.desk.cancel(Caller("kim"), jobs[2])
    stage.tick()
    assert stage.job(jobs[2]).state is JobState.DISMISSED
    assert jobs[2] not in stage.children.started


def test_a_process_that_dies_is_started_again_when_nothing_is_left_of_it(stage: Stage) -> None:
    job = stage.submit()
    stage.tick()
    stage.children.remains.add(job)
    stage.children.die(job)
    stage.tick()
    assert len(stage.children.started) == 1, "something of it lives yet"
    stage.children.remains.clear()
    for restarts in (1, 2):
        stage.tick()
        assert stage.job(job).restarts == restarts
        assert len(stage.children.started) == restarts + 1
        (stage.folder(job) / notes.LOG).write_text("one\nthe key is 'Bearer abcdefgh1234567890'\n")
        stage.children.die(job)
    stage.tick()
    found = stage.job(job)
    assert found.state is JobState.FAILED
    assert found.message.startswith("its process died 3 times; its last words: one | ")
    assert "abcdefgh" not in found.message


def test_what_outlives_its_process_is_killed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    job = stage.submit()
    stage.tick()
    stage.children.remains.add(job)
    stage.children.die(job)
    stage.tick()
    monkeypatch.setattr(supervisor, "_GROUP_SECONDS", 0.0)
    stage.tick()
    assert stage.children.signals == [signal.SIGKILL]
    stage.tick()
    assert len(stage.children.started) == 2


def test_a_stop_is_followed_by_signals(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    job = stage.submit()
    stage.tick()
    stage.desk.cancel(Caller("kim"), job)
    stage.tick()
    stage.tick()
    assert stage.children.signals == [signal.SIGTERM], "its run has not begun: at once, and once"
    monkeypatch.setattr(supervisor, "_KILL_AFTER", 0.0)
    stage.tick()
    assert stage.children.signals[-1] is signal.SIGKILL
    stage.tick()
    assert stage.job(job).state is JobState.DISMISSED
    assert stage.job(job).message == "dismissed before it began"


def test_another_supervisor_goes_on_where_one_was_killed(stage: Stage) -> None:
    living, dead = stage.submit(), stage.submit()
    stage.tick()
    stage.children.die(dead)
    other = Stage(stage.desk)
    other.children.living.add(living)
    other.tick()
    assert other.children.started == [dead]
    assert stage.job(living).restarts == 0
    assert stage.job(dead).restarts == 1


def test_a_store_that_is_away_is_told_and_stops_nothing_else(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, fine = stage.submit(), stage.submit()
    stage.tick()
    find = telling.store_at

    def refuse(url: str) -> Any:
        if away in url:
            raise StoreError("the drive is away", "plug it in")
        return find(url)

    monkeypatch.setattr(looking, "store_at", refuse)
    stage.children.die(fine, Outcome("refused", "no"), stage.folder(fine))
    stage.tick()
    assert stage.job(fine).state is JobState.FAILED
    assert stage.job(away).state is JobState.ACCEPTED
    stage.desk.health.beat()
    assert stage.desk.report().troubles == {f"job {away}": "the drive is away; plug it in"}
    monkeypatch.setattr(looking, "store_at", find)
    stage.tick()
    stage.desk.health.beat()
    assert stage.desk.report().well


def test_a_disk_that_is_full_loses_no_job(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    job = stage.submit()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    start = stage.children.start
    monkeypatch.setattr(stage.children, "start", refuse)
    stage.tick()
    stage.desk.health.beat()
    assert "No space left" in stage.desk.report().troubles[f"job {job}"]
    monkeypatch.setattr(stage.children, "start", start)
    stage.tick()
    assert stage.children.started == [job]


def test_a_supervisor_outlives_a_damaged_table(stage: Stage) -> None:
    job = stage.submit()
    stage.desk.table.close()
    path = stage.desk.config.table_path
    kept = {one: one.read_bytes() for one in path.parent.glob("jobs.sqlite*")}
    for one in kept:
        one.unlink()
    path.write_bytes(b"no database, and long enough to be taken for one" * 99)
    again = Stage(stage.desk)
    for _ in range(2):
        with pytest.raises(StoreError, match="is damaged"):
            again.tick()
    path.unlink()
    for one, data in kept.items():
        one.write_bytes(data)
    again.tick()
    assert again.children.started == [job]


def test_what_is_old_is_removed(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(make_desk(of_process={"steps": {"keep_days": 2.0}}, max_running=1))
    old, new = stage.submit(), stage.submit()
    for job, days in ((old, 3), (new, 1)):
        stage.desk.jobs_table.move(job, JobState.DISMISSED, at=time.time() - 86400 * days)
        Path(stage.job(job).url).mkdir(parents=True)
    assert [one.id for one in tidying.expired(stage.desk.jobs_table, stage.desk.config)] == [old]
    where = Path(stage.job(old).url)
    stage.tick()
    stage.tick()
    assert not where.exists()
    assert Path(stage.job(new).url).exists()
    assert stage.desk.jobs_table.get(old) is None
    tally = Tally()
    tally.add("GET", "/jobs", 200, 0.1)
    keep(stage.desk.table, tally)
    assert b'pyveg_jobs{process="steps",state="dismissed"} 2.0' in text(stage.desk)
    monkeypatch.undo()


def test_the_note_of_another_start_of_this_machine_is_no_living_process(tmp_path: Path) -> None:
    import os

    mine = ChildNote.of(os.getpid())
    notes.write(tmp_path, notes.CHILD, mine)
    children = Children()
    assert children.alive("a", tmp_path)
    notes.write(tmp_path, notes.CHILD, ChildNote(mine.pid, mine.host, f"{mine.mark[:-1]}x"))
    assert not children.alive("a", tmp_path), "the number is that of another process now"


def test_signatures_in_the_environment_of_the_server_are_for_no_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may submit jobs could read by them what the operator may read."""
    monkeypatch.setenv("PYVEG_INPUT_SAS", "https://a.example/own?sp=rl&sig=of-the-operator")
    given: list[dict[str, str]] = []
    monkeypatch.setattr(
        "pyveg.service.children.subprocess.Popen", lambda *_, env, **__: given.append(env)
    )
    children = Children()
    children.start("a", tmp_path / "a", {})
    access.keep(tmp_path / "b", "https://a.example/theirs?sp=r&sig=of-the-caller")
    children.start("b", tmp_path / "b", {})
    assert [env["PYVEG_INPUT_SAS"] for env in given] == [
        "",
        "https://a.example/theirs?sp=r&sig=of-the-caller",
    ]


@pytest.mark.parametrize(("mode", "far"), [("local", False), ("dask", True), ("batch", True)])
def test_what_was_planned_tells_whether_tasks_are_elsewhere(
    stage: Stage, mode: str, far: bool
) -> None:
    job = stage.submit()
    stage.tick()
    looker = looking.Looker(stage.desk.config, stage.children, stage.desk.processes_known)
    step = ["a:B", {"run_mode": mode}]
    planned = {
        "runner": "threads",
        "sequences": [{"modules": [["a:A", {"run_mode": "local"}], step]}],
    }
    notes.write(stage.folder(job), notes.PIPELINE, planned)
    stage.desk.cancel(Caller("kim"), job)
    assert looker.policy(stage.job(job)).far is far


class Hanging:
    """A Store elsewhere that does not answer."""

    url = "s3://away/run"

    def __init__(self) -> None:
        self.answers = threading.Event()

    def size(self, key: str) -> None:
        del key
        self.answers.wait(30)


def test_a_store_that_hangs_is_told_and_holds_nobody(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, store = stage.submit(), Hanging()
    stage.tick()
    monkeypatch.setattr(looking, "store_at", lambda _: store)
    begin = time.monotonic()
    stage.tick()
    assert time.monotonic() - begin < 20
    monkeypatch.setattr(looking, "_LONG", 0.0)
    stage.tick()
    stage.desk.health.beat()
    assert "s3://away/run has not answered" in stage.desk.report().troubles[f"job {job}"]
    store.answers.set()
    monkeypatch.undo()


def test_a_full_disk_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.desk.health.beat()
    assert stage.desk.report().well
    monkeypatch.setattr(health, "_LEAST_FREE", 1e30)
    (trouble,) = stage.desk.report().troubles
    assert trouble == f"disk of {stage.desk.config.folder}"
