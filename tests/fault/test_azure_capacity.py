"""A run that waits for what its account may not have, or Azure does not have, now."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest

from azure_batch_emulator import Faults
from pyveg.core.events import EngineStatus, Event
from pyveg.core.tasks import State
from pyveg.jobs.run import run_pipeline
from pyveg.testing.graphs import fake_pipeline


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
