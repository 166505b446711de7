"""What the engine of Azure Batch makes out of Tasks, and of what it sees; no service is needed."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import sys
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from azure.batch import models as m
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core import manifest
from pyveg.core.errors import ConfigError
from pyveg.core.execute import run_task, task_file
from pyveg.core.layout import LOCK, failed_task_key
from pyveg.core.report import DOUBTS, RunReport
from pyveg.core.tasks import State, Task, TaskGraph
from pyveg.runners.azure_batch import advice, models, names, outcomes, packages, resume
from pyveg.runners.azure_batch.bundles import Bundle, make_bundles, task_file_key, waves
from pyveg.runners.azure_batch.pool import Nodes, RunPool
from pyveg.runners.azure_batch.service import Change
from pyveg.runners.azure_batch.settings import BatchSettings, PoolSettings
from pyveg.runners.azure_batch.watch import JobWatch, Pace
from pyveg.storage.memory import MemoryStore
from pyveg.testing.graphs import fake_pipeline

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BLOBS = "https://me.blob.core.windows.net/run-2026"


def _tasks(**settings: Any) -> list[Task]:
    graph = fake_pipeline(**settings).plan().graph
    return [task for task in graph if task.id.startswith("A/")]


def _settings(**more: Any) -> BatchSettings:
    pool = more.pop("pool", PoolSettings(id="p", vm_size="standard_d2s_v5", dedicated=2, slots=2))
    return BatchSettings(
        account_url="https://me.west.batch.azure.com",
        credential=object,
        run="run-2026",
        pool=pool,
        blob_url=BLOBS,
        **{
            "environment": {"PYVEG_AZURE_SAS": "sig=full"},
            "read_sas": "sig=read",
            "write_sas": "sig=write",
            **more,
        },
    )


DELIVERY = packages.Delivery({"a.whl": b"wheel", packages.SCRIPT: b"script"})


# Names


@given(st.text(min_size=1), st.text(min_size=1))
def test_ids_are_those_of_the_service(module: str, item: str) -> None:
    for id_ in (
        names.task_id(module, [item], 12),
        names.task_id(module, [item, module]),
        names.job_id(item, module, 999),
        names.pool_id(module, item),
    ):
        assert re.fullmatch("[A-Za-z0-9_-]{1,64}", id_)


@given(st.lists(st.text(min_size=1), min_size=2, max_size=20, unique=True))
def test_different_items_never_share_an_id(items: list[str]) -> None:
    """Ids compare without case."""
    ids = {names.task_id("Module", [item]).lower() for item in items}
    assert len(ids) == len(items)


def test_names_read_well_in_the_portal() -> None:
    long = "NetworkCentralityCalculator"
    assert names.task_id(long, ["2016-01-16"]) == f"{long}-2016-01-16"
    assert names.task_id("NDVICalculator", ["2016-01-16", "2016-03-16"]) == (
        "NDVICalculator-2016-01-16-to-2016-03-16"
    )
    assert names.job_id("Sentinel2", "run-2026-11-21-10-00-00") == (
        "Sentinel2_run-2026-11-21-10-00-00"
    )
    assert names.job_id("Sentinel2", "run", 3) == "Sentinel2_run-r3"


# Bundles


def test_one_task_per_date_behind_the_one_that_it_needs() -> None:
    bundles = make_bundles(_tasks(start={"count": 2}), {}, names.Ids(), {})
    assert [(bundle.id, bundle.after) for bundle in bundles] == [
        ("Start-00000", ()),
        ("Start-00001", ()),
        ("Follow-00000", ("Start-00000",)),
        ("Follow-00001", ("Start-00001",)),
    ]
    assert [[b.id for b in wave] for wave in waves(bundles)] == [
        ["Start-00000", "Start-00001"],
        ["Follow-00000", "Follow-00001"],
    ]


def test_dates_are_dealt_to_as_many_tasks_as_the_module_wants() -> None:
    tasks = _tasks(start={"count": 7, "n_batch_tasks": 3})
    bundles = make_bundles(tasks, {}, names.Ids(), {"A/Start": 7})
    assert [len(bundle.tasks) for bundle in bundles] == [3, 3, 1, *[1] * 7]
    assert bundles[0].id == "Start-00000-to-00002"
    assert bundles[0].label == "A/Start/00000 to 00002, 3 in all"
    assert bundles[4].after == (bundles[0].id,)


@given(st.integers(1, 30), st.integers(-1, 12), st.integers(-1, 12))
def test_every_task_is_in_one_bundle_and_waits_for_its_own(count: int, n: int, k: int) -> None:
    tasks = _tasks(start={"count": count, "n_batch_tasks": n}, follow={"n_batch_tasks": k})
    bundles = make_bundles(tasks, {}, names.Ids(), {"A/Start": count, "A/Follow": count})
    assert sorted(t.id for b in bundles for t in b.tasks) == sorted(t.id for t in tasks)
    does = {t.id: b.id for b in bundles for t in b.tasks}
    for bundle in bundles:
        assert set(bundle.after) == {does[i] for t in bundle.tasks for i in t.after}
    added: set[str] = set()
    for wave in waves(bundles):
        assert all(set(bundle.after) <= added for bundle in wave)
        added |= {bundle.id for bundle in wave}
    assert len(added) == len(bundles)


def test_a_task_that_is_done_again_gets_an_id_of_its_own() -> None:
    (task, *_) = _tasks(start={"count": 1})
    (bundle,) = make_bundles([task], {}, names.Ids(("START-00000", "start-00000-r2")), {})
    assert bundle.id == "Start-00000-r3"


def test_what_has_ended_is_not_waited_for() -> None:
    follow = next(task for task in _tasks() if "Follow" in task.id)
    (bundle,) = make_bundles([follow], {}, names.Ids(), {})
    assert bundle.after == ()
    (bundle,) = make_bundles([follow], {follow.after[0]: "Start-x"}, names.Ids(), {})
    assert bundle.after == ("Start-x",)


def test_limits_of_dates_add_up() -> None:
    tasks = _tasks(start={"count": 3, "timeout": 2.0})
    assert Bundle("a", tuple(tasks[:3])).minutes == 6.0
    assert Bundle("a", tuple(tasks)).minutes is None


# Models


def test_a_task_as_it_is_sent() -> None:
    tasks = _tasks(start={"count": 1, "timeout": 5.0})
    bundles = make_bundles(tasks, {}, names.Ids(), {})
    first, second = (models.task(b, "job", _settings(), DELIVERY).as_dict() for b in bundles)
    script = (
        'cd "${PYVEG_ENVIRONMENTS:-$AZ_BATCH_NODE_SHARED_DIR/pyveg}"/'
        f"{DELIVERY.digest} && NUMBA_CACHE_DIR=$PWD/numba "
        f"exec bin/pyveg_run_module --config_file {BLOBS}/_pyveg/tasks/job/Start-00000.json"
    )
    assert first == {
        "id": "Start-00000",
        "displayName": "A/Start/00000",
        "commandLine": f"/bin/sh -c '{script}'",
        "constraints": {
            "maxTaskRetryCount": 1,
            "maxWallClockTime": "PT05M00S",
            "retentionTime": "P1D",
        },
        "exitConditions": {"fileUploadError": {"dependencyAction": "satisfy"}},
        "outputFiles": [
            {
                "filePattern": "../std*.txt",
                "destination": {
                    "container": {
                        "containerUrl": f"{BLOBS}?sig=write",
                        "path": "_pyveg/logs/job/Start-00000",
                    }
                },
                "uploadOptions": {"uploadCondition": "taskcompletion"},
            }
        ],
    }
    assert second["dependsOn"] == {"taskIds": ["Start-00000"]}
    assert "maxWallClockTime" not in second["constraints"]


def test_tasks_carry_nothing_that_opens_more_than_their_logs() -> None:
    (bundle, *_) = make_bundles(_tasks(), {}, names.Ids(), {})
    text = json.dumps(models.task(bundle, "job", _settings(), DELIVERY).as_dict())
    assert "sig=full" not in text
    assert "sig=read" not in text
    assert "sig" not in models.task(bundle, "job", _settings(), DELIVERY).command_line


def test_a_failed_date_of_several_does_not_hold_up_the_others() -> None:
    bundle = make_bundles(_tasks(start={"n_batch_tasks": 1}), {}, names.Ids(), {})[0]
    sent = models.task(bundle, "job", _settings(), DELIVERY).as_dict()
    assert sent["exitConditions"]["exitCodes"] == [
        {"code": 1, "exitOptions": {"dependencyAction": "satisfy"}}
    ]


def test_a_module_that_tries_again_itself_is_tried_once() -> None:
    step = replace(_tasks()[0].step, settings={"retries": 3})
    bundle = Bundle("id", (replace(_tasks()[0], step=step),))
    delivery = packages.Delivery({"a": b""})
    sent = models.task(bundle, "job", _settings(task_retries=2), delivery)
    assert sent.constraints is not None
    assert sent.constraints.max_task_retry_count == 0


def test_a_job_as_it_is_sent() -> None:
    job = models.job("A", 2, "p", _settings(), DELIVERY, prepare=False).as_dict()
    assert job == {
        "id": "A_run-2026-r2",
        "poolInfo": {"poolId": "p"},
        "usesTaskDependencies": True,
        "constraints": {"maxWallClockTime": "P6DT23H00M00S"},
        "commonEnvironmentSettings": [{"name": "PYVEG_AZURE_SAS", "value": "sig=full"}],
        "metadata": [
            {"name": "pyveg_run", "value": "run-2026"},
            {"name": "pyveg_sequence", "value": "A"},
            {"name": "pyveg_attempt", "value": "2"},
            {"name": "pyveg_delivery", "value": DELIVERY.digest},
        ],
    }
    prepared = models.job("A", 1, "p", _settings(), DELIVERY, prepare=True).as_dict()
    command = prepared["jobPreparationTask"]["commandLine"]
    assert command == f"/bin/bash batch_commands.sh setup {DELIVERY.digest}"


def _pool(**more: Any) -> dict[str, Any]:
    wanted = PoolSettings(id="p", vm_size="standard_d2s_v5", **more)
    image = m.BatchVmImageReference(publisher="a", offer="b", sku="c")
    sent = models.pool("p", _settings(pool=wanted), image, "agent", DELIVERY).as_dict()
    return dict(sent)


def test_a_pool_as_it_is_sent() -> None:
    sent = _pool(dedicated=1, spot=3, slots=4)
    assert sent["targetDedicatedNodes"] == 1
    assert sent["targetLowPriorityNodes"] == 3
    assert sent["taskSlotsPerNode"] == 4
    assert sent["metadata"] == [{"name": "pyveg_run", "value": "run-2026"}]
    assert sent["startTask"]["resourceFiles"] == [
        {
            "httpUrl": f"{BLOBS}/_pyveg/node/{DELIVERY.digest}/{name}?sig=read",
            "filePath": name,
        }
        for name in ("a.whl", "batch_commands.sh")
    ]


def test_a_formula_is_passed_through() -> None:
    sent = _pool(autoscale_formula="$TargetDedicatedNodes=1;")
    assert sent["enableAutoScale"] is True
    assert sent["autoScaleFormula"] == "$TargetDedicatedNodes=1;"
    assert sent["autoScaleEvaluationInterval"] == "PT05M00S"
    assert "targetDedicatedNodes" not in sent


def test_containers_need_no_setting_up() -> None:
    wanted = PoolSettings(
        id="p", vm_size="v", container_image="r.io/pyveg:2", container_registry="r.io"
    )
    sent = _pool(container_image="r.io/pyveg:2", container_registry="r.io")
    machine = sent["virtualMachineConfiguration"]["containerConfiguration"]
    assert machine == {
        "type": "dockerCompatible",
        "containerImageNames": ["r.io/pyveg:2"],
        "containerRegistries": [{"registryServer": "r.io"}],
    }
    assert "startTask" not in sent
    (bundle, *_) = make_bundles(_tasks(), {}, names.Ids(), {})
    task = models.task(bundle, "job", _settings(pool=wanted), DELIVERY).as_dict()
    assert task["commandLine"].startswith("pyveg_run_module --config_file https://")
    assert task["containerSettings"]["imageName"] == "r.io/pyveg:2"


def test_an_identity_needs_no_sas() -> None:
    wanted = PoolSettings(id="p", vm_size="v", identity="/subscriptions/x")
    settings = _settings(pool=wanted, read_sas="", write_sas="", environment={})
    (bundle, *_) = make_bundles(_tasks(), {}, names.Ids(), {})
    texts = (
        models.task(bundle, "job", settings, DELIVERY).as_dict(),
        models.job("A", 1, "p", settings, DELIVERY, prepare=True).as_dict(),
    )
    for text in map(json.dumps, texts):
        assert "sig=" not in text
        assert '"identityReference": {"resourceId": "/subscriptions/x"}' in text


# What is seen


def _change(id_: str, state: str = "completed", seconds: float = 0.0, **more: Any) -> Change:
    return Change(id_, state, NOW + timedelta(seconds=seconds), **more)


def _watch(**settings: Any) -> JobWatch:
    watch = JobWatch("job")
    watch.add(make_bundles(_tasks(**settings), {}, names.Ids(), {}))
    return watch


def test_changes_that_were_seen_are_not_told_again() -> None:
    watch = _watch()
    seen = [_change("Start-00000", "running"), _change("Start-00001", seconds=9, succeeded=True)]
    begun, ended = watch.take(seen)
    assert [bundle.id for bundle in begun] == ["Start-00000"]
    assert [bundle.id for bundle, _ in ended] == ["Start-00001"]
    assert watch.since == NOW + timedelta(seconds=4)
    assert watch.take(seen) == ([], [])
    assert watch.take([_change("unknown")]) == ([], [])


def test_only_news_is_asked_for_when_nothing_can_be_late(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("pyveg.runners.azure_batch.watch.time.monotonic", lambda: clock[0])
    watch = _watch()
    assert watch.since is None
    watch.take([_change("Start-00000", "running")])
    assert watch.since == NOW - timedelta(seconds=5)
    clock[0] += 6
    watch.take([_change("Start-00000", "running")])
    assert watch.since == NOW + timedelta(microseconds=1)
    watch.take([_change("Start-00000", seconds=60, succeeded=True)])
    assert watch.since == NOW + timedelta(seconds=55)


def test_ends_that_were_missed_are_looked_for() -> None:
    watch = _watch()
    watch.take([_change("Start-00000", succeeded=True), _change("from-before")])
    watch.check(2)
    assert watch.since is not None
    watch.check(3)
    assert watch.since is None


def test_a_task_that_was_pre_empted_does_not_begin_twice() -> None:
    watch = _watch()
    assert len(watch.take([_change("Start-00000", "running")])[0]) == 1
    assert watch.take([_change("Start-00000", "active", 1)]) == ([], [])
    assert watch.take([_change("Start-00000", "running", 2)]) == ([], [])


def test_dependants_of_a_failed_task_are_dropped() -> None:
    watch = _watch()
    watch.take([_change("Start-00000")])
    assert [bundle.id for bundle in watch.drop_dependants("Start-00000")] == ["Follow-00000"]
    assert "Follow-00000" not in watch.bundles
    assert "Follow-00001" in watch.bundles
    assert "Follow-00000" in watch.used


def test_nodes_in_words() -> None:
    nodes = Nodes({"idle": 1, "starting": 2, "startTaskFailed": 1, "preempted": 1, "offline": 1})
    assert (nodes.working, nodes.coming, nodes.broken, nodes.total) == (1, 2, 1, 6)
    assert str(nodes) == "2 starting, 1 idle, 1 pre-empted, 1 unusable, 1 leaving or unknown"
    assert str(Nodes({})) == "none yet"


def test_looks_become_rare_while_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("pyveg.runners.azure_batch.watch.time.monotonic", lambda: clock[0])
    pace = Pace(1.0)
    waits = []
    for _ in range(100):
        waits.append(pace.seconds)
        clock[0] += waits[-1]
    assert waits[0] == 1.0
    assert waits == sorted(waits)
    assert waits[-1] == 30.0
    pace.changed()
    assert pace.seconds == 1.0


# Outcomes


def _outcome(store: MemoryStore, task: Task, change: Change, log: str = "") -> Any:
    (result,) = outcomes.results(store, Bundle("b", (task,)), change, log)
    return result


def test_a_manifest_is_the_proof() -> None:
    store, (task, *_) = MemoryStore(), _tasks(start={"count": 1})
    nothing = _outcome(store, task, _change("b", succeeded=True))
    assert (nothing.state, nothing.reason.partition(";")[0]) == (
        State.FAILED,
        "its command ended well but left no manifest",
    )
    run_task(task, store)
    assert _outcome(store, task, _change("b", succeeded=True)).state is State.SUCCEEDED
    lost_log = _change("b", exit_code=0, failure=_failure("FileUploadMiscError"))
    assert _outcome(store, task, lost_log).state is State.SUCCEEDED


def test_a_node_with_other_packages_is_told_in_the_closing_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, (task, *_) = MemoryStore(), _tasks(start={"count": 1})
    here = manifest.versions()
    monkeypatch.setattr(manifest, "versions", lambda: {**here, "numpy": "1.26.0", "scipy": "1.9"})
    run_task(task, store)
    monkeypatch.undo()
    result = _outcome(store, task, _change("b", succeeded=True))
    assert result.state is State.SUCCEEDED
    report = RunReport(url="", graph=TaskGraph([task]), results={task.id: result}, seconds=0.0)
    (row,) = report.rows()
    assert [reason.partition(" doubtful: ")[2] for reason in row.reasons] == [
        f"made with numpy 1.26.0, and {here['numpy']} is here: numbers may differ",
        f"made with scipy 1.9, and {here['scipy']} is here: numbers may differ",
    ]


def test_a_node_with_the_packages_of_this_machine_is_no_doubt() -> None:
    store, (task, *_) = MemoryStore(), _tasks(start={"count": 1})
    run_task(task, store)
    assert DOUBTS not in _outcome(store, task, _change("b", succeeded=True)).notes


def test_a_skipped_date_keeps_its_reason() -> None:
    store, (task, *_) = MemoryStore(), _tasks(start={"count": 1, "skip": ["00000"]})
    run_task(task, store)
    result = _outcome(store, task, _change("b", succeeded=True))
    assert (result.state, result.reason) == (State.SKIPPED, "00000 is empty")


def test_a_failed_date_keeps_its_reason_and_traceback() -> None:
    store, (task, *_) = MemoryStore(), _tasks(start={"count": 1, "fail": ["00000"]})
    run_task(task, store)
    result = _outcome(store, task, _change("b", exit_code=1, failure=_failure("FailureExitCode")))
    assert (result.state, result.reason) == (State.FAILED, "00000 is bad")
    assert "DataError" in result.details


def test_a_process_that_died_tells_what_it_could() -> None:
    store, (task, *_) = MemoryStore(), _tasks(start={"count": 1, "replace_existing_files": True})
    run_task(task, store)  # the time before
    change = _change("b", exit_code=137, failure=_failure("FailureExitCode"))
    result = _outcome(store, task, change, "one\ntwo\nthree\nfour")
    assert result.state is State.FAILED
    assert result.reason == (
        "its process on the node died: exit code 137: the command ended with an error "
        "(FailureExitCode); it said: two | three | four"
    )
    assert result.details == "one\ntwo\nthree\nfour"


def _failure(code: str) -> m.BatchTaskFailureInfo:
    return m.BatchTaskFailureInfo(category="usererror", code=code)


def test_advice_keeps_what_the_service_said() -> None:
    told = advice.of_code("PoolQuotaReached", "The quota is 0\nRequestId:1")
    assert "more pools (PoolQuotaReached: The quota is 0); remove old ones" in told
    assert advice.of_code("SomethingNew", "Text") == "SomethingNew: Text"
    assert advice.of_code(None) == "no reason was given"


# Coming back


def _old(tasks: dict[str, Change]) -> resume.OldJob:
    return resume.OldJob("job", "A", 1, usable=True, tasks=tasks)


def _described(bundles: list[Bundle]) -> MemoryStore:
    store = MemoryStore()
    for bundle in bundles:
        store.write(task_file_key("job", bundle.id), task_file(bundle.tasks, store))
    return store


def test_what_runs_or_will_run_is_joined() -> None:
    tasks = _tasks(start={"count": 4})
    bundles = make_bundles(tasks, {}, names.Ids(), {})
    states = {
        "Start-00000": "running",
        "Start-00001": "active",
        "Start-00002": "completed",
        "Start-00003": "completed",
    }
    old = {
        b.id: _change(b.id, states.get(b.id, "active"), after=b.after, succeeded=b.id[-1] == "2")
        for b in bundles
    }
    alive, dead = resume.still_alive(_described(bundles), _old(old), tasks)
    assert {bundle.id for bundle in alive} == {
        *("Start-00000", "Start-00001"),
        *("Follow-00000", "Follow-00001", "Follow-00002"),
    }
    assert dead == ["Follow-00003"]


def test_what_was_changed_meanwhile_is_given_up_with_all_behind_it() -> None:
    tasks = _tasks(start={"count": 2})
    bundles = make_bundles(tasks, {}, names.Ids(), {})
    old = _old({b.id: _change(b.id, "active", after=b.after) for b in bundles})
    store = _described(bundles)
    key = task_file_key("job", "Start-00001")
    store.write(key, store.read(key).replace(tasks[1].fingerprint.encode(), b"other"))
    alive, dead = resume.still_alive(store, old, tasks)
    assert {bundle.id for bundle in alive} == {"Start-00000", "Follow-00000"}
    assert set(dead) == {"Start-00001", "Follow-00001"}


class _Service:
    """Notes what is ended."""

    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.ended: list[str] = []

    def delete_job(self, id_: str) -> bool:
        self.deleted.append(id_)
        return True

    def terminate_tasks(self, _: str, tasks: list[str]) -> None:
        self.ended.extend(tasks)


def test_what_is_adopted_is_described_anew_with_the_epoch_of_now() -> None:
    tasks = _tasks(start={"count": 2})
    bundles = make_bundles(tasks, {}, names.Ids(), {})
    old = _old({b.id: _change(b.id, "active", after=b.after) for b in bundles})
    store, service = _described(bundles), _Service()
    now = [replace(task, epoch=7) for task in tasks if task.item.name == "00000"]
    alive = resume.adopt(service, store, old, now)  # type: ignore[arg-type]
    assert alive is not None
    assert [(b.id, b.adopted, b.tasks[0].epoch) for b in alive] == [
        ("Start-00000", True, 7),
        ("Follow-00000", True, 7),
    ]
    described = json.loads(store.read(task_file_key("job", "Start-00000")))
    assert described["tasks"][0]["epoch"] == 7
    assert service.ended == ["Start-00001", "Follow-00001"]
    assert service.deleted == []


def test_an_old_job_that_is_of_no_use_is_removed() -> None:
    tasks = _tasks(start={"count": 60})
    bundles = make_bundles(tasks, {}, names.Ids(), {})
    changes = {b.id: _change(b.id, "active", after=b.after) for b in bundles}
    for old, wanted in ((replace(_old(changes), usable=False), tasks), (_old(changes), [])):
        service = _Service()
        found = resume.adopt(service, _described(bundles), old, wanted)  # type: ignore[arg-type]
        assert (found, service.deleted, service.ended) == (None, ["job"], [])


def test_an_adopted_task_that_gave_up_too_early_is_done_again() -> None:
    """It had not seen in time that it was adopted: it has written nothing, so nothing is proof."""
    store, (task, *_) = MemoryStore(), _tasks(start={"count": 1})
    change = _change("b", exit_code=1, failure=_failure("FailureExitCode"))
    assert outcomes.undone(store, Bundle("b", (task,), adopted=True), change) == [task]
    assert outcomes.undone(store, Bundle("b", (task,)), change) == []
    run_task(task, store)
    assert outcomes.undone(store, Bundle("b", (task,), adopted=True), change) == []


def test_a_failure_of_an_earlier_attempt_is_not_this_one() -> None:
    store, (task, *_) = MemoryStore(), _tasks(start={"count": 1, "fail": ["00000"]})
    run_task(task, store)
    change = _change("b", exit_code=1, failure=_failure("FailureExitCode"))
    assert _outcome(store, task, change).reason == "00000 is bad"
    later = replace(task, epoch=3)
    assert _outcome(store, later, change).reason != "00000 is bad"
    while store.epoch(LOCK) <= later.epoch:
        with store.lock(LOCK):
            pass
    assert _outcome(store, later, change).state is State.CANCELLED


def test_a_failure_of_a_service_stays_one_of_all() -> None:
    store, (task, *_) = MemoryStore(), _tasks(start={"count": 1, "fail": ["00000"]})
    run_task(task, store)
    key = failed_task_key(task.id)
    document = json.loads(store.read(key))
    change = _change("b", exit_code=1, failure=_failure("FailureExitCode"))
    assert not _outcome(store, task, change).shared
    document["result"]["shared"] = True
    store.write(key, json.dumps(document).encode())
    assert _outcome(store, task, change).shared


def test_a_pool_of_another_pyveg_does_not_set_nodes_up() -> None:
    """Its start task installs what the earlier attempt had; jobs must prepare its nodes."""
    other = packages.Delivery({"b.whl": b"newer", packages.SCRIPT: b"script"})
    pool = RunPool(_PoolService(DELIVERY), _settings())  # type: ignore[arg-type]
    pool.find(lambda status: None)  # noqa: ARG005
    assert pool.made
    assert pool.sets_up(DELIVERY)
    assert not pool.sets_up(other)


class _PoolService:
    """Has the pool that an earlier attempt has made."""

    def __init__(self, delivery: packages.Delivery) -> None:
        self._start = m.BatchStartTask(command_line=models.setup_command(delivery))

    def pool(self, id_: str) -> m.BatchPool | None:
        if id_ == "p":
            return None
        return m.BatchPool({"id": id_, "state": "active", "startTask": self._start.as_dict()})


@pytest.mark.parametrize("change", [{"format": 1}, {"steps": []}, {"tasks": None}])
def test_what_another_version_described_is_given_up(change: dict[str, object]) -> None:
    tasks = _tasks(start={"count": 2})
    bundles = make_bundles(tasks, {}, names.Ids(), {})
    old = _old({b.id: _change(b.id, "active", after=b.after) for b in bundles})
    store = _described(bundles)
    key = task_file_key("job", "Start-00001")
    store.write(key, json.dumps(json.loads(store.read(key)) | change).encode())
    alive, dead = resume.still_alive(store, old, tasks)
    assert {bundle.id for bundle in alive} == {"Start-00000", "Follow-00000"}
    assert set(dead) == {"Start-00001", "Follow-00001"}


# Packages


def test_the_wheel_is_what_is_installed() -> None:
    name, data = packages.pack(packages._installed("pyveg"))
    assert name == f"pyveg-{distribution('pyveg').version}-py3-none-any.whl"
    with zipfile.ZipFile(io.BytesIO(data)) as wheel:
        files = {entry: wheel.read(entry) for entry in wheel.namelist()}
    import pyveg

    root = Path(pyveg.__file__).parent
    for path in root.rglob("*.py"):
        assert files[path.relative_to(root.parent).as_posix()] == path.read_bytes()
    assert "pyveg/scripts/batch_commands.sh" in files
    assert not any("__pycache__" in entry for entry in files)
    (info,) = {entry.partition("/")[0] for entry in files if ".dist-info/" in entry}
    assert b"pyveg_run_module = pyveg.scripts.run_module:main" in files[f"{info}/entry_points.txt"]
    rows = list(csv.reader(io.StringIO(files[f"{info}/RECORD"].decode())))
    assert sorted(row[0] for row in rows) == sorted(files)
    for entry, digest, size in rows[:-1]:
        expected = base64.urlsafe_b64encode(hashlib.sha256(files[entry]).digest()).rstrip(b"=")
        assert digest == f"sha256={expected.decode()}"
        assert int(size) == len(files[entry])


def test_equal_contents_give_equal_deliveries() -> None:
    first, second = packages.make_delivery(), packages.make_delivery()
    assert first == second
    assert first.digest == second.digest
    assert first.files["requirements.txt"].startswith(b"./pyveg-")
    assert b"numpy==" in first.files["constraints.txt"]
    other = packages.Delivery({**first.files, packages.SCRIPT: b""})
    assert other.digest != first.digest


def test_packages_of_others_go_too() -> None:
    files = packages.make_delivery(["click"]).files
    assert any(name.startswith("click-") for name in files)
    assert packages.distribution_of("click") == "click"
    assert packages.distribution_of("nothing_like_it") is None


def test_a_compiled_package_is_asked_of_the_index() -> None:
    lines = packages.make_delivery(["numpy"]).files["requirements.txt"].decode().split()
    assert f"numpy=={distribution('numpy').version}" in lines


def test_a_package_that_is_not_installed_is_refused() -> None:
    with pytest.raises(ConfigError, match='need the package "not-there"'):
        packages.make_delivery(["not-there"])


@pytest.mark.skipif(sys.platform == "win32", reason="nodes run Linux")
def test_the_script_says_how_it_is_used() -> None:
    import subprocess

    script = Path(packages.__file__).parents[2] / "scripts" / packages.SCRIPT
    done = subprocess.run(
        ["bash", script],
        capture_output=True,
        text=True,
        check=False,
        env={"AZ_BATCH_NODE_SHARED_DIR": "/nowhere"},
    )
    assert (done.returncode, done.stderr) == (2, "usage: batch_commands.sh setup DIGEST\n")
