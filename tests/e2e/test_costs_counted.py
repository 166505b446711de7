"""Node-hours and requests of emulated Batch: as counted, as estimated, and stopped by limits."""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import pyveg
from pyveg.core.report import EXIT_LIMIT, RunReport
from pyveg.core.tasks import State
from pyveg.jobs import run_use
from pyveg.jobs.estimates import estimate
from pyveg.jobs.run import prepare
from pyveg.runs.run import open_run
from pyveg.testing import azurite as azurite_module
from pyveg.testing.azure_cloud import LocalCloud
from pyveg.testing.azurite import Azurite

pytestmark = pytest.mark.slow
log = logging.getLogger(__name__)
SIZE = "Standard_D2s_v5"
PRICES = {"currency": "EUR", "node_hour": {SIZE: 100.0, f"{SIZE} spot": 20.0}}


class _Telling(azurite_module.TiedProcess):
    """Azurite that writes a line for each request."""

    def __init__(self, command: list[str], *rest: Any, **more: Any) -> None:
        super().__init__([word for word in command if word != "--silent"], *rest, **more)


@pytest.fixture
def azurite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azurite]:
    monkeypatch.setattr(azurite_module, "TiedProcess", _Telling)
    with Azurite(tmp_path / "blobs") as server:
        yield server


def _requests(folder: Path, container: str) -> int:
    """Requests about a container that Azurite has told of."""
    text = (folder / "blobs/azurite.out").read_text(errors="replace")
    return len(re.findall(rf'"[A-Z]+ \S*/{container}[/?]', text))


@contextmanager
def _node_seconds(cloud: LocalCloud) -> Iterator[dict[bool, float]]:
    """Seconds of the emulator's nodes, dedicated or not, looked at twenty times a second."""
    counted: dict[bool, float] = {True: 0.0, False: 0.0}
    over = threading.Event()

    def look() -> None:
        last = time.monotonic()
        while not over.wait(0.05):
            pause, last = time.monotonic() - last, time.monotonic()
            for pool in list(cloud.batch._account.pools.values()):
                for node in list(pool.nodes.values()):
                    counted[node.dedicated] += pause

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield counted
    finally:
        over.set()
        thread.join()


def _job(folder: Path, name: str, items: int, seconds: float = 1.0) -> pyveg.Pipeline:
    inputs = folder / f"inputs{items}"
    inputs.mkdir(exist_ok=True)
    for number in range(items):
        (inputs / f"{number:02}.txt").write_text(str(number))
    command = ["sh", "-c", f"sleep {seconds}; cp {{input}} {{output_dir}}"]
    return pyveg.load_pipeline(
        {
            "name": name,
            "output_location": name,
            "output_location_type": "azure",
            "modules_to_use": {"files": ["CommandModule"]},
            "special_config": {
                "CommandModule": {
                    "command": command,
                    "inputs": [f"{inputs}/*.txt"],
                    "items_per_task": 1,
                    "run_mode": "batch",
                }
            },
        }
    )


def _left(cloud: LocalCloud) -> list[str]:
    account = cloud.batch._account
    return [*account.pools, *account.jobs]


def _outputs(report: RunReport) -> dict[str, bytes]:
    store = open_run(report.url).store
    return {key: store.read(key) for key in store.list("files/") if key.endswith(".txt")}


@pytest.mark.parametrize(
    ("nodes", "counts"),
    [
        ({"dedicated": 1}, (8, 20)),
        ({"dedicated": 1, "low_priority": 1}, (12, 30)),
        ({"dedicated": 2}, (6, 16)),
    ],
)
def test_estimates_are_what_the_emulators_count(
    make_cloud: Any, tmp_path: Path, nodes: dict[str, int], counts: tuple[int, int]
) -> None:
    settings = {f"pool_{kind}_node_count": count for kind, count in nodes.items()}
    cloud = make_cloud(pool_vm_size=SIZE, labels={"project": "sahel"}, **settings)
    name = f"est{uuid.uuid4().hex[:8]}"
    pyveg.run_pipeline(_job(tmp_path, f"warm{name}", 1))  # nodes make their environment once
    first = pyveg.run_pipeline(_job(tmp_path, name, counts[0], 3.0))
    assert first.exit_code == 0, first.failures()
    job = _job(tmp_path, name, counts[1], 3.0)
    made = estimate(prepare(job, operating={"prices": PRICES}))
    assert made.basis == first.url
    with _node_seconds(cloud) as counted:
        report = pyveg.run_pipeline(job, operating={"prices": PRICES})
    assert report.exit_code == 0
    used = run_use.of_run(open_run(report.url).store)[0]
    container = report.url.rpartition("/")[2]
    requests = _requests(tmp_path, container)
    for dedicated in (True, False):
        kinds = [[u for u in one.nodes if u.spot != dedicated] for one in (used, made)]
        told, guessed = (sum(use.seconds for use in uses) for uses in kinds)
        log.info("dedicated %s: %s", dedicated, (counted[dedicated], told, guessed))
        assert told == pytest.approx(counted[dedicated], rel=0.15, abs=0.5)
        assert guessed == pytest.approx(counted[dedicated], rel=0.15, abs=0.5)
    log.info("requests: %s", (requests, used.moved.requests, made.moved.requests))
    log.info("%s %s", report.used, list(made.lines()))
    assert used.moved.requests == pytest.approx(requests, rel=0.15)
    assert made.moved.requests == pytest.approx(requests, rel=0.15)
    assert not _left(cloud)


@pytest.mark.parametrize(
    "limit",
    [
        {"max_hours": 6 / 3600},
        {"max_node_hours": 5 / 3600, "at_limit": "cancel"},
        {"max_cost": 5 * 100 / 3600, "prices": PRICES},
    ],
)
def test_limits_leave_nothing_and_the_run_is_finished(
    make_cloud: Any, tmp_path: Path, limit: dict[str, Any]
) -> None:
    cloud = make_cloud(pool_vm_size=SIZE)
    job = _job(tmp_path, f"lim{uuid.uuid4().hex[:8]}", 14)
    report = pyveg.run_pipeline(job, operating=limit)
    assert report.exit_code == EXIT_LIMIT
    assert report.counts[State.CANCELLED]
    assert not report.counts[State.FAILED]
    assert not _left(cloud)
    name = next(iter(limit))
    log.info("%s %s %s", report.limit, dict(report.counts), report.used)
    again = pyveg.run_pipeline(from_cache=report.url, operating={name: 1000.0})
    assert again.exit_code == 0, again.failures()
    assert again.counts[State.CACHED] >= report.counts[State.SUCCEEDED]
    made = _outputs(again)
    assert len([key for key in made if key.endswith(tuple(f"{n:02}.txt" for n in range(14)))]) == 14
    assert not _left(cloud)


def test_a_limit_on_dask(tmp_path: Path) -> None:
    days = ["2016-01-01", "2021-01-01"]
    job = pyveg.load_pipeline(
        "demo", date_range=days, runner="dask", n_workers=2, analysis=False, max_hours=3 / 3600
    )
    report = pyveg.run_pipeline(job, at=tmp_path / "dask")
    assert report.exit_code == EXIT_LIMIT
    assert report.counts[State.CANCELLED]
    again = pyveg.run_pipeline(from_cache=report.url, operating={"max_hours": 1.0})
    assert again.exit_code == 0
    job = pyveg.load_pipeline("demo", date_range=days, runner="threads", analysis=False)
    whole = pyveg.run_pipeline(job, at=tmp_path / "whole")
    made = [Path(one.url).glob("gee_*_combine/results_summary.json") for one in (again, whole)]
    assert len({next(found).read_bytes() for found in made}) == 1
