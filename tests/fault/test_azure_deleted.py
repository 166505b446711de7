"""What others do at the portal while a run lasts: it is noticed, told, and nothing stays paid."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential

from pyveg.core.events import EngineStatus, Event, TaskStarted
from pyveg.core.report import RunReport
from pyveg.core.tasks import State
from pyveg.jobs.run import run_pipeline
from pyveg.testing.azure_cloud import LocalCloud
from pyveg.testing.graphs import fake_pipeline


def _client(cloud: LocalCloud) -> BatchClient:
    credential = AzureNamedKeyCredential(cloud.batch.account, cloud.batch.key)
    return BatchClient(cloud.batch.url, credential)


def _run(act: Callable[[], None], seconds: float = 60.0) -> tuple[RunReport, list[str], float]:
    """A run during which somebody acts once, when its first task on Batch runs."""
    moments: list[float] = []
    texts: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, EngineStatus):
            texts.append(event.text)
        if isinstance(event, TaskStarted) and event.task.step.run_mode == "batch" and not moments:
            moments.append(time.monotonic())
            act()

    pipeline = fake_pipeline(
        start={"count": 1, "run_mode": "batch", "seconds": seconds},
        follow={"run_mode": "batch"},
        output_location=f"gone-{uuid.uuid4().hex[:8]}",
        output_location_type="azure",
        runner="threads",
    )
    report = run_pipeline(pipeline, observers=[watch])
    return report, texts, time.monotonic() - moments[0]


def _delete_jobs(cloud: LocalCloud) -> None:
    for job in _client(cloud).list_jobs():
        _client(cloud).begin_delete_job(job.id)


def _delete_pools(cloud: LocalCloud) -> None:
    for pool in _client(cloud).list_pools():
        _client(cloud).begin_delete_pool(pool.id)


@pytest.mark.parametrize(
    ("act", "said"),
    [(_delete_jobs, "was deleted by somebody"), (_delete_pools, "was deleted by somebody")],
    ids=["job", "pool"],
)
def test_what_is_deleted_in_mid_run_ends_it_at_once(
    make_cloud: Any, act: Callable[[LocalCloud], None], said: str
) -> None:
    cloud = make_cloud()
    report, texts, seconds = _run(lambda: act(cloud))
    failed = {r.reason for r in report.results.values() if r.state is State.FAILED}
    assert failed
    assert all(said in reason and "--from_cache" in reason for reason in failed)
    assert seconds < 45
    assert not [text for text in texts if "trying again" in text]
    client = _client(cloud)
    assert [pool.id for pool in client.list_pools()] == []
    assert [job.id for job in client.list_jobs()] == []


def test_a_job_that_is_disabled_is_a_pause(make_cloud: Any) -> None:
    """Somebody's pause is told, nothing fails or is removed, and the run goes on after it."""
    cloud = make_cloud()

    def pause() -> None:
        (job,) = _client(cloud).list_jobs()
        _client(cloud).begin_disable_job(job.id, {"disableTasks": "wait"})

    texts: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, TaskStarted) and event.task.step.run_mode == "batch" and not texts:
            texts.append("begun")
            pause()
        if isinstance(event, EngineStatus) and "is disabled" in event.text:
            texts.append(event.text)
            (job,) = _client(cloud).list_jobs()
            _client(cloud).begin_enable_job(job.id)

    pipeline = fake_pipeline(
        start={"count": 3, "run_mode": "batch", "seconds": 2.0},
        follow={"run_mode": "batch"},
        output_location=f"pause-{uuid.uuid4().hex[:8]}",
        output_location_type="azure",
        runner="threads",
    )
    report = run_pipeline(pipeline, observers=[watch])
    assert report.exit_code == 0, report.failures()
    assert "enable it in the portal" in texts[1]
