"""What a run costs in requests to Azure Batch, counted at the emulator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential

from azure_batch_emulator import Emulator, Faults, Settings
from pyveg.core.errors import LockLostError, StoreError
from pyveg.core.events import EngineStatus
from pyveg.core.layout import LOCK
from pyveg.core.tasks import Task, TaskGraph
from pyveg.runners.azure_batch import service, watch
from pyveg.runners.azure_batch.engine import AzureBatchEngine
from pyveg.storage.azure_access import Access
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.storage.memory import MemoryStore
from pyveg.testing.graphs import fake_pipeline, work_of
from pyveg.testing.runner_contract import Reports

HELD = Faults(node_start_seconds=600)
IMAGE = {"publisher": "microsoft-dsvm", "offer": "ubuntu-hpc", "sku": "2204"}


def _runner(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> AzureBatchEngine:
    monkeypatch.setenv("PYVEG_AZURE_BATCH_ACCOUNT_KEY", emulator.key)
    settings = AzureBatchEngine.Settings(
        batch_account_name=emulator.account,
        batch_account_url=emulator.url,
        batch_pool_id="p",
        pool_vm_size="standard_d2s_v5",
        pool_dedicated_node_count=2,
        pool_image=IMAGE,
        poll_seconds=0.2,
    )
    store = AzureBlobStore("http://127.0.0.1:9/account", "run", Access("a2V5"))
    return AzureBatchEngine(settings, work_of(TaskGraph([]), store))


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "what the test waits for did not come"
        time.sleep(0.02)


def test_many_tasks_cost_few_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """2,000 dates go out in 20 requests, and a look at them costs two."""
    monkeypatch.setattr(watch, "MARGIN", timedelta(seconds=1))
    tasks = list(fake_pipeline(start={"count": 2000}).plan().graph)
    ready = [task for task in tasks if task.id.startswith("A/Start/")]
    with Emulator(Settings(faults=Faults(node_start_seconds=600))) as emulator:
        runner = _runner(emulator, monkeypatch)
        store: Any = MemoryStore()
        runner.start(store, Reports())
        try:
            runner.submit(ready)
            _until(lambda: emulator.requests.counts["create_task_collection"] == 20)
            counts = emulator.requests.counts
            looks = ("get_job_task_counts", "list_pool_node_counts", "list_tasks", "get_job")
            assert sum(n for name, n in counts.items() if name not in looks) <= 30
            assert len(list(store.list("_pyveg/tasks/"))) == 2000

            time.sleep(2)  # twice the margin: from now on no change can be listed late
            before = emulator.requests.counts
            _until(lambda: (emulator.requests.counts - before)["list_pool_node_counts"] >= 5)
            spent = emulator.requests.counts - before
            rounds = spent.pop("list_pool_node_counts")
            assert spent.total() <= 2 * (rounds + 1)
            assert set(spent) <= set(looks)
        finally:
            runner.close()
        assert emulator.requests.counts["delete_job"] == 1


class _Listener(Reports):
    """Keeps what an engine tells, too."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def tell(self, status: EngineStatus) -> None:
        """Keep it."""
        self.told.append(status.text)


class _Moody(MemoryStore):
    """Raises an error at its next writes, as long as it has some."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[Exception] = []

    def write(self, key: str, data: bytes) -> None:
        if self.errors:
            raise self.errors.pop()
        super().write(key, data)


@pytest.fixture
def held() -> Iterator[Emulator]:
    """A service whose nodes never come up, so that nothing is done."""
    with Emulator(Settings(faults=HELD)) as emulator:
        yield emulator


def _ready(count: int) -> list[Task]:
    graph = fake_pipeline(start={"count": count}).plan().graph
    return [task for task in graph if task.id.startswith("A/Start/")]


def test_what_cannot_be_submitted_now_is_submitted_later(
    held: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service and the container are away for a while: nothing fails, nothing goes out twice."""
    monkeypatch.setattr(service, "_TRIES", 2)
    runner, store, listener = _runner(held, monkeypatch), _Moody(), _Listener()
    runner.start(store, listener)
    try:
        store.errors = [StoreError("azure://run cannot be reached")] * 2
        held.faults = replace(HELD, throttle_rate=1.0, retry_after=0.0)
        runner.submit(_ready(250))
        _until(lambda: sum("trying again" in text for text in listener.told) >= 2)
        held.faults = HELD
        _until(lambda: any("cannot be reached; trying again" in text for text in listener.told))
        _until(lambda: held.requests.counts["get_job_task_counts"] >= 1)
        _until(lambda: any("250 waiting" in text for text in listener.told))
    finally:
        runner.close()
    assert listener.reports == []
    assert held.requests.counts["create_job"] == held.requests.counts["create_pool"] == 1


def test_a_lost_lock_ends_the_engine_without_a_word(
    held: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who lost it reports nothing and removes nothing."""
    runner, store, listener = _runner(held, monkeypatch), _Moody(), _Listener()
    runner.start(store, listener)
    store.errors = [LockLostError("the run was taken over")] * 9
    runner.submit(_ready(2))
    (of_pool,) = runner._runners.values()
    of_pool._thread.join(60)
    assert not of_pool._thread.is_alive()
    runner.close()
    assert listener.reports == []
    assert held.requests.counts["delete_job"] == held.requests.counts["delete_pool"] == 0


def test_a_client_that_was_overtaken_removes_nothing(
    held: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is told to end before it has noticed."""
    runner, store, listener = _runner(held, monkeypatch), MemoryStore(), _Listener()
    with store.lock(LOCK):
        runner.start(store, listener)
    runner.submit([replace(task, epoch=1) for task in _ready(2)])
    _until(lambda: held.requests.counts["create_task_collection"] == 1)
    with store.lock(LOCK):
        runner.cancel()
        runner.close()
    assert held.requests.counts["delete_job"] == held.requests.counts["delete_pool"] == 0


def test_tasks_that_are_taken_back(held: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are with the service are ended there; the others go on."""
    runner, listener = _runner(held, monkeypatch), _Listener()
    runner.start(MemoryStore(), listener)
    tasks = _ready(5)
    try:
        runner.submit(tasks)
        _until(lambda: any("5 waiting" in text for text in listener.told))
        runner.withdraw([task.id for task in tasks[1:]])
        _until(lambda: held.requests.counts["terminate_task"] == 4)
        _until(lambda: any("1 waiting, 4 failed" in text for text in listener.told))
    finally:
        runner.close()
    assert listener.reports == []


def test_what_is_given_up_is_removed_at_once(
    held: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other engines may have hours to go; and what comes later fails with the same reason."""
    held.faults = Faults(core_quota=0)
    runner, listener = _runner(held, monkeypatch), _Listener()
    runner.start(MemoryStore(), listener)
    first, later = _ready(4)[:2], _ready(4)[2:]
    try:
        runner.submit(first)
        _until(lambda: len(listener.reports) == 2)
        _until(lambda: held.requests.counts["delete_pool"] == 1)
        assert held.requests.counts["delete_job"] == 1
        runner.submit(later)
        _until(lambda: len(listener.reports) == 4)
    finally:
        runner.close()
    (reason,) = {result.reason for result in listener.reports}
    assert reason.startswith("no node was given: the account may not have more dedicated cores")
    assert held.requests.counts["create_task_collection"] == 1
    assert held.requests.counts["delete_pool"] == held.requests.counts["delete_job"] == 1


def test_a_job_that_is_over_takes_nothing_more(
    held: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks that come after somebody has deleted it fail with that, too."""
    runner, listener = _runner(held, monkeypatch), _Listener()
    runner.start(MemoryStore(), listener)
    first, later = _ready(2)[:1], _ready(2)[1:]
    try:
        runner.submit(first)
        _until(lambda: any("1 waiting" in text for text in listener.told))
        credential = AzureNamedKeyCredential(held.account, held.key)
        with BatchClient(held.url, credential) as client:
            (job,) = client.list_jobs()
            client.begin_delete_job(job.id)
        _until(lambda: len(listener.reports) == 1)
        runner.submit(later)
        _until(lambda: len(listener.reports) == 2)
    finally:
        runner.close()
    (reason,) = {result.reason for result in listener.reports}
    assert "was deleted by somebody; finish the run with --from_cache" in reason


def test_an_hour_without_work_is_no_hour_without_an_answer(
    held: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patience is counted from the first request that was not answered."""
    monkeypatch.setattr(service, "_TRIES", 1)
    monkeypatch.setattr("pyveg.runners.azure_batch.runner.PATIENCE", 3.0)
    runner, listener = _runner(held, monkeypatch), _Listener()
    runner.start(MemoryStore(), listener)
    try:
        time.sleep(3.5)  # nothing to do
        held.faults = replace(HELD, throttle_rate=1.0, retry_after=0.0)
        runner.submit(_ready(2))
        _until(lambda: any("trying again" in text for text in listener.told))
        held.faults = HELD
        _until(lambda: any("2 waiting" in text for text in listener.told))
        assert listener.reports == []
        held.faults = replace(HELD, throttle_rate=1.0, retry_after=0.0)
        _until(lambda: len(listener.reports) == 2)
    finally:
        held.faults = HELD
        runner.close()
    (reason,) = {result.reason for result in listener.reports}
    assert reason.startswith("no answer for 0 minutes: ")
    assert "come back with --from_cache" in reason
