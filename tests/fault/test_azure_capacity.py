"""A run whose account may not have, or Azure does not have, what it asks for now."""

from __future__ import annotations

import threading
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.batch.models import BatchPool
from azure.core.credentials import AzureNamedKeyCredential

from azure_batch_emulator import Emulator, Faults, Settings
from pyveg.azure_config import AzureConfig
from pyveg.core.errors import ConfigError
from pyveg.core.events import EngineStatus, Event
from pyveg.core.tasks import State, TaskGraph
from pyveg.jobs.run import run_pipeline
from pyveg.runners.azure_batch.checks import check
from pyveg.runners.azure_batch.engine import AzureBatchEngine
from pyveg.runners.azure_batch.spot import SpotFirst, Target
from pyveg.storage.azure_access import Access
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.storage.memory import MemoryStore
from pyveg.testing.graphs import fake_pipeline, work_of
from pyveg.testing.runner_contract import Reports


class _Listener(Reports):
    """Keeps what an engine tells, too."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[EngineStatus] = []

    def tell(self, status: EngineStatus) -> None:
        """Keep it."""
        self.told.append(status)


def _pool_of(emulator: Emulator) -> BatchPool:
    key = AzureNamedKeyCredential(emulator.account, emulator.key)
    (pool,) = BatchClient(emulator.url, key).list_pools()
    return pool


@pytest.mark.parametrize(
    ("faults", "why"),
    [
        ({"core_quota": 4}, "the account may not have more Spot cores"),
        ({"node_supply": 2}, "Azure has no such machines to give now"),
    ],
)
def test_dedicated_nodes_replace_spot_nodes_that_do_not_come(
    monkeypatch: pytest.MonkeyPatch, faults: dict[str, int], why: str
) -> None:
    # Nodes are busy with their start task: what they would install is not there, and not needed.
    monkeypatch.setattr("pyveg.runners.azure_batch.models.setup_command", lambda _: "sleep 60")
    monkeypatch.setattr("pyveg.runners.azure_batch.models._resources", lambda *_: [])
    with Emulator(Settings(faults=Faults(**faults))) as emulator:
        monkeypatch.setenv("PYVEG_AZURE_BATCH_ACCOUNT_KEY", emulator.key)
        settings = AzureBatchEngine.Settings(
            batch_account_name=emulator.account,
            batch_account_url=emulator.url,
            pool_dedicated_node_count=0,
            pool_low_priority_node_count=3,
            pool_vm_size="standard_d2s_v5",
            dedicated_after="0.2s",
            poll_seconds=0.05,
        )
        store = AzureBlobStore("http://127.0.0.1:9/account", "run", Access("a2V5"))
        runner = AzureBatchEngine(settings, work_of(TaskGraph([]), store))
        listener = _Listener()
        graph = fake_pipeline(start={"count": 1}).plan().graph
        runner.start(MemoryStore(), listener)
        try:
            runner.submit([task for task in graph if task.id.startswith("A/Start/")])
            end = time.monotonic() + 20
            while not any("dedicated_after" in status.text for status in listener.told):
                assert time.monotonic() < end, listener.told
                time.sleep(0.02)
            pool = _pool_of(emulator)
            time.sleep(0.2)  # a look at them
        finally:
            runner.close()
    assert (pool.target_dedicated_nodes, pool.target_low_priority_nodes) == (1, 2)
    (told,) = [status for status in listener.told if "dedicated_after" in status.text]
    assert told.urgent
    assert pool.resize_timeout == timedelta(minutes=5)
    assert told.text.startswith(f"2 of 3 Spot nodes are there ({why}")
    assert "asked for 1 dedicated nodes" in told.text
    used = {use.spot: use.seconds for use in runner.nodes_used()}
    assert used[True] > used[False] > 0


@pytest.mark.parametrize(
    ("quota", "wait", "sizes", "ends"),
    [
        (4, "", ["standard_d8s_v5", "standard_d4s_v5"], ""),
        (1, "", ["standard_d8s_v5", "standard_d4s_v5", "standard_d2s_v5"], "no node was given"),
        (1, "1h", ["standard_d8s_v5", "standard_d4s_v5", "standard_d2s_v5"], ""),
    ],
)
def test_the_next_size_is_tried(
    monkeypatch: pytest.MonkeyPatch, quota: int, wait: str, sizes: list[str], ends: str
) -> None:
    monkeypatch.setattr("pyveg.runners.azure_batch.models.setup_command", lambda _: "sleep 60")
    monkeypatch.setattr("pyveg.runners.azure_batch.models._resources", lambda *_: [])
    monkeypatch.setattr("pyveg.runners.azure_batch.capacity.ASK_AGAIN", 0.0)
    faults = Faults(core_quota=quota, deleting_seconds=0.3)
    with Emulator(Settings(faults=faults)) as emulator:
        monkeypatch.setenv("PYVEG_AZURE_BATCH_ACCOUNT_KEY", emulator.key)
        settings = AzureBatchEngine.Settings(
            batch_account_name=emulator.account,
            batch_account_url=emulator.url,
            pool_vm_sizes=("standard_d8s_v5", "standard_d4s_v5", "standard_d2s_v5"),
            poll_seconds=0.05,
            wait_for_quota=wait,
        )
        store = AzureBlobStore("http://127.0.0.1:9/account", "run", Access("a2V5"))
        runner = AzureBatchEngine(settings, work_of(TaskGraph([]), store))
        listener = _Listener()
        graph = fake_pipeline(start={"count": 1}).plan().graph
        runner.start(MemoryStore(), listener)

        def arrived() -> bool:
            if ends:
                return bool(listener.reports)
            if wait:
                return emulator.requests.counts["resize_pool"] >= 2
            return any(use.seconds for use in runner.nodes_used())

        try:
            runner.submit([task for task in graph if task.id.startswith("A/Start/")])
            end = time.monotonic() + 20
            while not arrived():
                assert time.monotonic() < end, listener.told
                time.sleep(0.02)
            if not ends:
                assert _pool_of(emulator).vm_size.lower() == sizes[-1]
                assert not listener.reports
        finally:
            runner.close()
        counts = emulator.requests.counts
        assert counts["create_pool"] == len(sizes)
        assert counts["create_job"] == counts["create_task_collection"] == 1
    if ends:
        assert all(result.reason.startswith(ends) for result in listener.reports)
    moved = [status.text for status in listener.told if "(pool_vm_sizes)" in status.text]
    assert [text.split("; trying ")[1].split()[0] for text in moved] == sizes[1:]
    assert all(status.urgent for status in listener.told if "(pool_vm_sizes)" in status.text)
    assert {use.size for use in runner.nodes_used()} <= {sizes[-1]}


@pytest.mark.parametrize(
    ("looks", "asked"),
    [
        ([(0, 4), (700, 4)], None),  # all are there
        ([(0, 1), (599, 1)], None),
        ([(0, 1), (300, 4), (900, 4), (950, 3), (1549, 3)], None),  # whole for long enough between
        ([(0, 1), (300, 4), (650, 3)], Target(2, 3)),  # taken away again
        ([(0, 0), (600, 0)], Target(5, 0)),
    ],
)
def test_when_spot_nodes_are_replaced(looks: list[tuple[float, int]], asked: Target | None) -> None:
    first = SpotFirst(Target(dedicated=1, spot=4), after=600)
    found: Target | None = None
    for now, spot in looks:
        assert found is None
        found = first.see(spot, now)
    assert found == asked
    if found is not None:
        first.asked_for(found)
        assert first.see(found.spot, 1e6) is None
        assert first.target.total == 5
    never = SpotFirst(Target(dedicated=1, spot=4), after=0)
    assert [never.see(spot, now) for now, spot in looks] == [None] * len(looks)


def test_a_formula_and_spot_first_do_not_go_together() -> None:
    config = AzureConfig(
        batch_account_name="a",
        batch_account_key="a2V5",
        batch_account_url="https://a.r.batch.azure.com",
        dedicated_after="10m",
        pool_autoscale_formula="$TargetDedicatedNodes = 1;",
    )
    store = AzureBlobStore("http://127.0.0.1:9/account", "run", Access("a2V5"))
    with pytest.raises(ConfigError, match="dedicated_after is set, but pool_autoscale_formula"):
        check(config, work_of(TaskGraph([]), store))


@pytest.mark.slow
def test_a_run_whose_spot_nodes_are_always_taken_away_ends_on_dedicated_ones(
    make_cloud: Any,
) -> None:
    faults = Faults(preempt_rate=1.0, preempt_within_seconds=0.1, node_start_seconds=1)
    make_cloud(
        faults=faults,
        pool_dedicated_node_count=0,
        pool_low_priority_node_count=2,
        dedicated_after="4s",
    )
    told: list[Event] = []
    pipeline = fake_pipeline(
        start={"count": 2, "run_mode": "batch"},
        output_location=f"capacity-{uuid.uuid4().hex[:8]}",
        output_location_type="azure",
        runner="threads",
    )
    report = run_pipeline(pipeline, observers=[told.append])
    assert report.counts == {State.SUCCEEDED: len(report.results)}
    assert any(isinstance(e, EngineStatus) and "dedicated_after" in e.text for e in told)


@pytest.mark.slow
@pytest.mark.parametrize("lacking", ["pool_quota", "job_quota", "core_quota", "node_supply"])
def test_it_waits_until_it_gets_it(
    make_cloud: Any, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    monkeypatch.setattr("pyveg.runners.azure_batch.capacity.ASK_AGAIN", 1.0)
    cloud = make_cloud(faults=Faults(**{lacking: 0}), wait_for_quota="2m")
    told: list[str] = []

    def note(event: Event) -> None:
        if isinstance(event, EngineStatus) and event.urgent:
            if not told:
                threading.Timer(3.0, free).start()
            told.append(event.text)

    def free() -> None:
        cloud.batch.faults = Faults()

    pipeline = fake_pipeline(
        start={"count": 1, "run_mode": "batch"},
        output_location=f"capacity-{uuid.uuid4().hex[:8]}",
        output_location_type="azure",
        runner="threads",
    )
    report = run_pipeline(pipeline, observers=[note])
    assert report.counts == {State.SUCCEEDED: len(report.results)}
    assert told
    assert len(told) < 6, told


@pytest.mark.slow
def test_it_gives_up_when_the_time_is_over(
    make_cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyveg.runners.azure_batch.capacity.ASK_AGAIN", 1.0)
    make_cloud(faults=Faults(core_quota=0), wait_for_quota="4s")
    pipeline = fake_pipeline(
        start={"count": 1, "run_mode": "batch"},
        output_location=f"capacity-{uuid.uuid4().hex[:8]}",
        output_location_type="azure",
        runner="threads",
    )
    report = run_pipeline(pipeline)
    assert report.exit_code == 1
    reasons = {r.reason for r in report.results.values() if r.state is State.FAILED}
    assert any(reason.startswith("no node was given: ") for reason in reasons), reasons


@pytest.mark.slow
def test_a_run_ends_on_nodes_of_the_next_size(make_cloud: Any) -> None:
    make_cloud(
        faults=Faults(core_quota=2, deleting_seconds=1),
        pool_vm_sizes=("standard_d4s_v5", "standard_d2s_v5"),
    )
    told: list[Event] = []
    pipeline = fake_pipeline(
        start={"count": 2, "run_mode": "batch"},
        output_location=f"capacity-{uuid.uuid4().hex[:8]}",
        output_location_type="azure",
        runner="threads",
    )
    report = run_pipeline(pipeline, observers=[told.append])
    assert report.counts == {State.SUCCEEDED: len(report.results)}
    assert sum(isinstance(e, EngineStatus) and "(pool_vm_sizes)" in e.text for e in told) == 1
