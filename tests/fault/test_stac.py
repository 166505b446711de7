"""A hundred dates from a service that fails now and then, and from one that stays down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import pyveg
from pyveg.core.report import RunReport
from pyveg.core.tasks import State
from pyveg.earth.types import Place
from pyveg.testing.stac_world import StacServer, StacWorld, every

DATES = 100


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> StacWorld:
    """One image for each of a hundred days."""
    made = StacWorld(tmp_path_factory.mktemp("world"), Place(27.95, 11.57, 0.002))
    for number in range(DATES):
        day = date(2021, 12, 1) + timedelta(days=number)
        made.add(str(day), baseline="04.00" if day >= date(2022, 1, 25) else "03.01")
    return made


@pytest.fixture
def run(write_config: Any, tmp_path: Path) -> Callable[..., RunReport]:
    """Runs the downloads of all days, in a new folder each time."""

    def made(server: StacServer, **settings: Any) -> RunReport:
        path = write_config(
            region_size=0.002,
            date_range=["2021-12-01", "2022-03-11"],
            time_per_point="1d",
            collections_to_use=["Sentinel2_EarthSearch"],
            modules_to_use={
                "Sentinel2_EarthSearch": ["VegetationDownloader"],
            },
            special_config={
                "Sentinel2_EarthSearch": {
                    "catalogue": server.url,
                    "offset_rule": "auto",
                    "cache": str(tmp_path / "cache"),
                    "retry_wait": 0.02,
                    **settings,
                }
            },
            output_location=str(tmp_path / f"out{len(list(tmp_path.glob('out*')))}"),
            runner="threads",
            n_workers=4,
        )
        return pyveg.run_pipeline(path)

    return made


def test_a_hundred_dates_with_every_tenth_request_failing(
    world: StacWorld, run: Callable[..., RunReport]
) -> None:
    with world.serve() as good:
        baseline = run(good, cache="none")
    assert baseline.counts == {State.SUCCEEDED: DATES}
    with world.serve(every(10)) as server:
        report = run(server)
        assert report.counts == {State.SUCCEEDED: DATES}
        asked = Counter(request[:3] for request in server.requests)
        failed = Counter(request[:3] for request in server.requests if request[3] >= 400)
        assert sum(failed.values()) == len(server.requests) // 10
        assert {request[3] for request in server.requests} == {200, 429, 503}
        searches = [key for key in asked if key[1] == "/search"]
        assert len(searches) == DATES
        for key, times in asked.items():  # once more for each failure, and not more than that
            # GDAL looks at a file once more when another thread has changed options meanwhile
            looks = 1 if key[1].startswith("/files/") else 0
            assert times <= 1 + failed[key] + looks, key
        needed = len(good.requests)
        assert len(server.requests) <= needed + sum(failed.values()) + needed // 50
        before = len(server.requests)
        again = run(server)
        assert again.counts == {State.SUCCEEDED: DATES}
        assert len(server.requests) == before
    for other in (report, again):
        assert rasters(other) == rasters(baseline)
    assert len(rasters(report)) == DATES * 5


def rasters(report: RunReport) -> dict[str, bytes]:
    """All rasters of a run, by their path in it."""
    folder = Path(report.url.removeprefix("file://"))
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.glob("gee_*/*/RAW/*.tif")}


def test_a_date_that_cannot_be_had_fails_alone_and_is_finished_later(
    world: StacWorld, run: Callable[..., RunReport]
) -> None:
    """Files of one scene answer 503 to the end; the run goes on, and a second one mends it."""
    down = ["2022-01-20"]

    def fault(number: int, path: str) -> int | None:
        del number
        return 503 if down and down[0] in path else None

    with world.serve(fault) as server:
        report = run(server, retries=1)
        assert report.counts == {State.SUCCEEDED: DATES - 1, State.FAILED: 1}
        (failed,) = (r for r in report.results.values() if r.state is State.FAILED)
        assert failed.task_id.endswith("2022-01-20")
        assert "the scene S2A_whole_2022-01-20 is in trouble (HTTP 503)" in failed.reason
        before = len(server.requests)
        down.clear()
        again = pyveg.run_pipeline(from_cache=report.url)
        assert again.counts == {State.CACHED: DATES - 1, State.SUCCEEDED: 1}
        assert all("2022-01-20" in path + asked for _, path, asked, _ in server.requests[before:])


def test_the_network_goes_down_in_the_middle(
    world: StacWorld, run: Callable[..., RunReport]
) -> None:
    """What was fetched before is kept."""

    def fault(number: int, path: str) -> int | None:
        del path
        return 502 if number > 300 else None

    with world.serve(fault) as server:
        report = run(server, retries=0)
    done, fetched = report.counts[State.SUCCEEDED], rasters(report)
    assert 0 < done < DATES
    assert report.counts[State.FAILED] == DATES - done
    reasons = {result.reason for result in report.results.values() if result.reason}
    for reason in reasons:
        assert "later" in reason
        assert "HTTP 502" in reason or "gave no image" in reason
    with world.serve() as server:
        again = run(server, retries=0, cache="none")
        assert again.counts == {State.SUCCEEDED: DATES}
    assert fetched
    assert fetched.items() <= rasters(again).items()
