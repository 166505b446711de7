"""What `--dry_run` says that a run will use, against what the services count."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import pyveg
from pyveg.core.transfers import Transfers
from pyveg.earth.types import Place
from pyveg.jobs import run_use
from pyveg.jobs.estimates import Estimate, estimate
from pyveg.jobs.run import prepare
from pyveg.runs.run import open_run
from pyveg.scripts.run_pipeline import main
from pyveg.testing.stac_world import StacServer, StacWorld

PLACE = Place(27.95, 11.57, 0.011)
S2 = "Sentinel2_EarthSearch_C1"
EARLIER, LATER = (1, 3), (4, 8)
"""Months, first and last. GDAL remembers heads of files, so no file is asked for twice."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StacServer, StacServer]]:
    """An image in each of eight months, at two addresses."""
    world = StacWorld(tmp_path_factory.mktemp("world"), PLACE, collection="sentinel-2-c1-l2a")
    for month in range(1, 9):
        world.add(f"2021-{month:02}-05", baseline="03.01")
    with world.serve() as one, world.serve() as other:
        yield one, other


def _job(server: StacServer, folder: Path, months: tuple[int, int]) -> pyveg.Pipeline:
    return pyveg.load_pipeline(
        "sentinel2_era5",
        coordinates=(PLACE.longitude, PLACE.latitude),
        region_size=PLACE.region_size,
        output_location=str(folder / "out"),
        date_range=[f"2021-{months[0]:02}-01", f"2021-{months[1] + 1:02}-01"],
        collections_to_use=[S2],
        modules_to_use={S2: ["VegetationDownloader", "VegetationImageProcessor", "NDVICalculator"]},
        special_config={S2: {"catalogue": server.url, "cache": "none"}},
        runner="threads",
        n_workers=2,
        analysis=False,
    )


def _estimated(server: StacServer, folder: Path, *, measure: bool) -> Estimate:
    job = _job(server, folder, LATER)
    return estimate(
        prepare(job, operating={"prices": {"node_hour": {"local": 1}}}), measure=measure
    )


def test_estimates_are_what_the_service_counts(
    servers: tuple[StacServer, StacServer], tmp_path: Path
) -> None:
    server, other = servers
    unknown = _estimated(server, tmp_path, measure=False)
    assert unknown.seconds is None
    assert "no earlier run" in "".join(unknown.lines())
    pyveg.run_pipeline(_job(server, tmp_path, EARLIER))
    made = [
        _estimated(server, tmp_path, measure=False),
        _estimated(other, tmp_path, measure=True),
    ]
    assert "from: " + str(tmp_path) in "\n".join(made[0].lines())
    server.requests.clear()
    report = pyveg.run_pipeline(_job(server, tmp_path, LATER))
    assert report.exit_code == 0
    counted = len(server.requests)
    used = sum(run_use.of_run(open_run(report.url).store), run_use.RunUse())
    assert used.moved.requests == pytest.approx(counted, rel=0.02)
    for one in made:
        assert one.tasks == len(report.graph)
        assert one.moved.requests == pytest.approx(counted, rel=0.15), one
        assert one.moved.received == pytest.approx(used.moved.received, rel=0.15), one
        assert one.cost is not None
        assert one.cost.known == pytest.approx(one.nodes[0].hours)


def test_the_plan_says_it(tmp_path: Path) -> None:
    options = ["demo", "--output_location", str(tmp_path / "none"), "--dry_run"]
    said = CliRunner().invoke(main, options)
    assert said.exit_code == 0, said.output
    assert "estimate: not known: no earlier run at this output_location" in said.output
    assert CliRunner().invoke(main, ["demo", "--measure"]).exit_code == 2


def test_less_is_never_less_than_nothing() -> None:
    assert Transfers.from_json({"requests": "many"}) == Transfers()
