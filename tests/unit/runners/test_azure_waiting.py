"""Why tasks of Azure Batch wait, as far as the service can be asked; no service is needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from azure.batch import models as m

from pyveg.core.events import EngineStatus
from pyveg.runners.azure_batch.bundles import make_bundles
from pyveg.runners.azure_batch.names import Ids
from pyveg.runners.azure_batch.pool import Nodes, RunPool
from pyveg.runners.azure_batch.service import Change, Preparation
from pyveg.runners.azure_batch.settings import BatchSettings, PoolSettings
from pyveg.runners.azure_batch.waiting import Waiting
from pyveg.runners.azure_batch.watch import JobWatch
from pyveg.testing.graphs import fake_pipeline


@dataclass
class _Service:
    """What the service would say."""

    job_found: Any = field(default_factory=lambda: SimpleNamespace(max_parallel_tasks=-1))
    task_found: Any = field(default_factory=lambda: SimpleNamespace(required_slots=1))
    pool_found: Any = field(default_factory=lambda: SimpleNamespace(task_slots_per_node=2))
    node_states: tuple[str, ...] = ("idle",)
    scheduling: str = "enabled"
    others: tuple[tuple[str, int], ...] = ()
    failed: tuple[str, ...] = ()
    counted: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def job(self, id_: str) -> Any:
        self.asked.append(f"job {id_}")
        return self.job_found

    def node_counts(self, _: str) -> tuple[dict[str, int], dict[str, int]]:
        return self.counted, {}

    def task(self, *_: str) -> Any:
        return self.task_found

    def pool(self, _: str) -> Any:
        return self.pool_found

    def nodes(self, _: str) -> list[Any]:
        return [
            SimpleNamespace(id=f"n{number}", state=state, scheduling_state=self.scheduling)
            for number, state in enumerate(self.node_states)
        ]

    def jobs_on(self, _: str) -> list[Any]:
        return [SimpleNamespace(id=id_, priority=rank) for id_, rank in (("j", 0), *self.others)]

    def preparations(self, _: str) -> list[Preparation]:
        self.asked.append("preparations")
        return [Preparation(node, "root", True, True, "exit code 3") for node in self.failed]

    def node_log(self, _: str, node: str, __: str) -> str:
        return f"one\ntwo\nthree\nthe end on {node}"


@dataclass
class _World:
    """A job whose tasks wait, and a clock that tests set."""

    service: _Service
    watch: JobWatch
    waiting: Waiting
    told: list[EngineStatus]
    clock: list[float]
    pool: RunPool

    def after(self, seconds: float) -> str:
        """Look every five seconds for so long; what is given up for, if anything is."""
        for _ in range(int(seconds / 5) + 1):
            reason = self.waiting.look(self.watch, moved=False)
            if reason:
                return reason
            self.clock[0] += 5
        return ""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Any:
    clock = [1000.0]
    monkeypatch.setattr("pyveg.runners.azure_batch.waiting.time.monotonic", lambda: clock[0])
    settings = BatchSettings(
        account_url="u",
        credential=object,
        run="r",
        pool=PoolSettings(id="p", vm_size="v"),
        blob_url="b",
        node_start_minutes=10,
    )

    def make(nodes: dict[str, int] | None = None, *, prepares: bool = False, **said: Any) -> _World:
        service: Any = _Service(**said)
        pool = RunPool(service, settings)
        pool.id, pool.nodes = "p", Nodes({"idle": 1} if nodes is None else nodes)
        watch = JobWatch("j", prepares)
        tasks = [t for t in fake_pipeline().plan().graph if t.id.startswith("A/")]
        watch.add(make_bundles(tasks, {}, Ids(), {}))
        watch.counts = {"waiting": 6, "running": 0}
        told: list[EngineStatus] = []
        return _World(
            service, watch, Waiting(service, settings, pool, told.append), told, clock, pool
        )

    return make


def test_nothing_is_asked_at_first_nor_where_nodes_work(world: Any) -> None:
    quiet = world()
    assert quiet.after(50) == ""
    assert (quiet.told, quiet.service.asked) == ([], [])
    busy = world({"running": 2}, others=(("k", 5),))
    busy.watch.counts["running"] = 2
    assert busy.after(3600) == ""
    assert (busy.told, busy.service.asked) == ([], [])


def test_each_move_begins_the_wait_anew(world: Any) -> None:
    moving = world()
    for _ in range(20):
        assert moving.after(50) == ""
        assert moving.waiting.look(moving.watch, moved=True) == ""
    assert moving.told == []


def test_what_the_service_does_not_tell_is_told_and_given_up(world: Any) -> None:
    here = world()
    assert here.after(120) == ""
    (status,) = here.told
    assert status.urgent
    assert "6 tasks wait while nodes are idle, and the service does not tell why" in status.text
    assert "the pool p in the portal" in here.after(600)
    assert len(here.told) == 1


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"pool_found": SimpleNamespace(task_slots_per_node=2)}, "needs 4 slots, and nodes"),
        ({"task_found": None}, "the task Start-00000 was deleted by somebody"),
    ],
)
def test_what_no_node_can_ever_do_is_given_up_when_it_is_found(
    world: Any, said: dict[str, Any], wrong: str
) -> None:
    here = world(**{"task_found": SimpleNamespace(required_slots=4), **said})
    assert wrong in here.after(90)
    assert wrong in here.told[0].text


def test_a_job_that_may_run_nothing_is_given_up_in_time(world: Any) -> None:
    here = world(job_found=SimpleNamespace(max_parallel_tasks=0))
    assert here.after(120) == ""
    assert "max_parallel_tasks of the job is 0" in here.told[0].text
    assert "raise that in the portal" in here.after(600)


def test_a_job_that_may_run_few_is_waited_for(world: Any) -> None:
    here = world(job_found=SimpleNamespace(max_parallel_tasks=1))
    here.watch.counts["running"] = 1
    assert here.after(3600) == ""
    assert len(here.told) == 1
    assert "max_parallel_tasks of the job is 1" in here.told[0].text


def test_others_turn_is_waited_for(world: Any) -> None:
    before = world({"running": 1}, node_states=("running",), others=(("urgent", 3), ("low", -2)))
    assert before.after(7200) == ""
    (status,) = before.told
    assert "jobs of a higher priority (urgent); wait, add nodes, or raise" in status.text
    beside = world({"running": 1}, node_states=("running",))
    assert beside.after(7200) == ""
    assert "the nodes of the pool work for other jobs" in beside.told[0].text


def test_preparations_are_looked_at_early(world: Any) -> None:
    here = world(prepares=True, node_states=("idle", "idle"), failed=("n0", "n1"))
    reason = here.after(20)
    assert reason.startswith("setting up a node failed on every node: n0: two | three | the end on")
    assert "n1: two" in reason
    assert here.told[0].urgent


def test_a_node_that_is_barred_costs_few_requests_while_the_others_work(world: Any) -> None:
    here = world(
        {"idle": 1, "running": 1}, prepares=True, node_states=("idle",) * 2, failed=("n0",)
    )
    here.watch.counts["running"] = 1
    for _ in range(100):  # a minute and forty seconds of short tasks
        for moved in (True, False, False):
            assert here.waiting.look(here.watch, moved=moved) == ""
        here.clock[0] += 1
    assert len(here.told) == 1
    assert here.service.asked.count("preparations") <= 20


def test_a_node_that_comes_up_may_still_be_prepared(world: Any) -> None:
    here = world(prepares=True, node_states=("idle", "starting"), failed=("n0",))
    assert here.after(60) == ""
    assert "on 1 of 2 nodes: n0: " in here.told[0].text
    here.service.node_states = ("idle", "unusable")
    assert "on every node" in here.after(60)


def _pool(**fields: Any) -> m.BatchPool:
    return m.BatchPool({"id": "p", "state": "active", "allocationState": "steady", **fields})


FAILED_FORMULA = {
    "timestamp": "2026-01-01T00:00:00Z",
    "error": {
        "code": "InsufficientSampleData",
        "message": "no samples yet",
        "values": [{"name": "Message", "value": "0% are there"}],
    },
}


@pytest.mark.parametrize(
    ("pool", "why"),
    [
        (_pool(), "the pool p was resized to no nodes; give it some in the portal"),
        (_pool(enableAutoScale=True), "its autoscale formula asks for no nodes now"),
        (
            _pool(enableAutoScale=True, autoScaleRun=FAILED_FORMULA),
            "its autoscale formula failed: InsufficientSampleData: no samples yet: 0% are there",
        ),
        (_pool(targetDedicatedNodes=2), ""),
    ],
)
def test_a_pool_without_nodes_says_why_and_is_given_up_late(
    world: Any, pool: m.BatchPool, why: str
) -> None:
    """A formula may ask for some later, and an owner may."""
    here = world(pool_found=pool)
    here.service.counted = {}
    here.pool.look()
    assert here.pool.hint == why
    assert str(here.pool) == (f"none yet ({why})" if why else "none yet")
    assert here.pool.hopeless() == ""
    here.clock[0] += 601
    assert f"no node came up in 10 minutes (nodes: {here.pool})" in here.pool.hopeless()


def test_a_resize_that_failed_is_an_answer_even_later(world: Any) -> None:
    """The number of nodes does not change when it fails: the pool is asked all the same."""
    here = world(pool_found=_pool(targetDedicatedNodes=1, allocationState="resizing"))
    here.service.counted = {}
    here.pool.look()
    assert here.pool.hopeless() == ""
    failed = [{"code": "AccountCoreQuotaReached", "message": "The quota is 0"}]
    here.service.pool_found = _pool(targetDedicatedNodes=1, resizeErrors=failed)
    assert not here.pool.look()
    assert "no node was given: the account may not have more dedicated" in here.pool.hopeless()


def test_a_job_that_is_paused_is_not_looked_into(world: Any) -> None:
    here = world()
    here.watch.paused = True
    assert here.after(7200) == ""
    assert here.told == []


def test_a_task_that_lost_its_node_waits_again(world: Any) -> None:
    """It has begun once; it is ready all the same."""
    here = world()
    watch = here.watch
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ids = [id_ for id_ in watch.bundles if id_.startswith("Start")]
    watch.take([Change(id_, "running", now) for id_ in ids])
    assert watch.ready is None
    watch.take([Change(ids[1], "active", now + timedelta(seconds=1))])
    assert watch.ready is not None
    assert watch.ready.id == ids[1]
