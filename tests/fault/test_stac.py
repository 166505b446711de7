"""Many dates from a service that fails now and then, and from one that stays down."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import pyveg
from pyveg.core.report import RunReport
from pyveg.core.tasks import State
from pyveg.earth.types import Place
from pyveg.testing.stac_world import StacServer, StacWorld, every

DATES = 24
FIRST, LAST = date(2022, 1, 11), date(2022, 2, 4)
"""The second is not one of them; baseline 04.00 begins between them."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> StacWorld:
    """One image for each day."""
    made = StacWorld(tmp_path_factory.mktemp("world"), Place(27.95, 11.57, 0.002))
    for number in range(DATES):
        day = FIRST + timedelta(days=number)
        made.add(str(day), baseline="04.00" if day >= date(2022, 1, 25) else "03.01")
    return made


class Runs:
    """Downloads all days into some folder, in a new run each time."""

    def __init__(self, write_config: Any, folder: Path) -> None:
        self._write = write_config
        self._folder = folder

    def __call__(self, server: StacServer, **settings: Any) -> RunReport:
        number = len(list(self._folder.glob("out*")))
        path = self._write(
            region_size=0.002,
            date_range=[str(FIRST), str(LAST)],
            time_per_point="1d",
            collections_to_use=["Sentinel2_EarthSearch"],
            modules_to_use={"Sentinel2_EarthSearch": ["VegetationDownloader"]},
            special_config={
                "Sentinel2_EarthSearch": {
                    "catalogue": server.url,
                    "offset_rule": "auto",
                    "cache": str(self._folder / "cache"),
                    "retry_wait": 0.02,
                    **settings,
                }
            },
            output_location=str(self._folder / f"out{number}"),
            runner="threads",
            n_workers=4,
        )
        return pyveg.run_pipeline(path)


@pytest.fixture
def run(write_config: Any, tmp_path: Path) -> Runs:
    return Runs(write_config, tmp_path)


@dataclass(frozen=True)
class Untroubled:
    """What a service that never fails gives, and how often it was asked."""

    rasters: dict[str, bytes]
    requests: int


@pytest.fixture(scope="module")
def untroubled(
    world: StacWorld, config_writer: Any, tmp_path_factory: pytest.TempPathFactory
) -> Untroubled:
    folder = tmp_path_factory.mktemp("untroubled")
    with world.serve() as good:
        report = Runs(config_writer(folder), folder)(good, cache="none")
        assert report.counts == {State.SUCCEEDED: DATES}
        return Untroubled(rasters(report), len(good.requests))


def test_many_dates_with_every_tenth_request_failing(
    world: StacWorld, run: Runs, untroubled: Untroubled
) -> None:
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
        needed = untroubled.requests
        assert len(server.requests) <= needed + sum(failed.values()) + needed // 50
        before = len(server.requests)
        again = run(server)
        assert again.counts == {State.SUCCEEDED: DATES}
        assert len(server.requests) == before
    for other in (report, again):
        assert rasters(other) == untroubled.rasters
    assert len(rasters(report)) == DATES * 5


def rasters(report: RunReport) -> dict[str, bytes]:
    """All rasters of a run, by their path in it."""
    folder = Path(report.url.removeprefix("file://"))
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.glob("gee_*/*/RAW/*.tif")}


def test_a_date_that_cannot_be_had_fails_alone_and_is_finished_later(
    world: StacWorld, run: Runs
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
        (look, *rest) = server.requests[before:]
        assert look[0] == "HEAD", "whether the catalogue is there, before the run goes on"
        assert all("2022-01-20" in path + asked for _, path, asked, _ in rest)


def test_the_network_goes_down_in_the_middle(
    world: StacWorld, run: Runs, untroubled: Untroubled
) -> None:
    """What was fetched before is kept."""
    middle = untroubled.requests // 2

    def fault(number: int, path: str) -> int | None:
        del path
        return 502 if number > middle else None

    with world.serve(fault) as server:
        report = run(server, retries=0)
    done, fetched = report.counts[State.SUCCEEDED], rasters(report)
    assert 0 < done < DATES
    assert report.counts[State.FAILED] == DATES - done
    reasons = {result.reason for result in report.results.values() if result.reason}
    for reason in reasons:
        assert "later" in reason
        assert "HTTP 502" in reason or "gave no image" in reason
    assert fetched
    assert fetched.items() <= untroubled.rasters.items()
