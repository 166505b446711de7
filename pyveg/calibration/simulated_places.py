"""Simulated places of known fate, and what the pipeline measures of them.

Each place is a run of the demo's kind: simulated imagery, pictures, network centrality, NDVI and
`results_summary.json`, in the memory of this process.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from pyveg.core import registry
from pyveg.core.errors import ConfigError, RunError
from pyveg.core.events import Event, RunStarted
from pyveg.core.layout import COMBINE
from pyveg.core.ports import Store
from pyveg.earth.chips import VALID_FRACTION

if TYPE_CHECKING:
    from pyveg.analysis.data.series import Series
    from pyveg.core.pipeline import Pipeline

VERSION = 1
"""Raise it when the same settings give other places."""

FALLS: Mapping[str, float] = {"stable": 0.0, "declining": 0.25, "collapsing": 2 / 3}
"""Scenario -> share of the mean rain that is lost by the end of the record, in a straight line.
From 1.2 mm per day, a quarter less thins the labyrinth out; two thirds less leave next to
nothing."""
FIRST_YEAR = 2016
SETTLING = 10
"""Years of the same noisy rain before the record, so that the pattern has long known them."""
CENTRE = (27.95, 11.57)
"""Longitude and latitude, those of the demo."""
COLLECTION = "SimulatedSentinel2"
CHIP_METRES = 500
METRES_OF_DEGREE = 111_320.0


@dataclass(frozen=True, kw_only=True)
class World:
    """What the simulated places are; a calibration has one."""

    years: int = 10
    chips: int = 2
    """Chips along the side of a place."""
    rainfall: float = 1.2
    """Mean rain before any fall, mm per day."""
    rainfall_noise: float = 0.1
    """Spread of the rain of single months, as a share of their mean."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("years", 2), ("chips", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} = {getattr(self, name)} must be at least {least}")

    @property
    def region_size(self) -> float:
        """Side of a place, degrees; a little more than its chips need."""
        return (self.chips + 0.1) * CHIP_METRES / METRES_OF_DEGREE


@dataclass(frozen=True)
class SimulatedPlace:
    """One place of one scenario."""

    scenario: str
    number: int
    world: World

    @property
    def name(self) -> str:
        """Part of its files' names."""
        return f"{self.scenario}_{self.number:04d}"

    @property
    def key(self) -> str:
        """Where what was measured is kept."""
        return f"places/{self.name}.csv.gz"

    @property
    def seed(self) -> int:
        """Of its landscape, weather, gaps and surrogates."""
        text = json.dumps([self.world.seed, self.scenario, self.number])
        return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big")


def measured(store: Store, place: SimulatedPlace) -> Series:
    """Series of a place, with its spatial signals: what the Store keeps, or a simulation.

    Raises
    ------
    RunError
        If a Task of its run fails.
    """
    return kept_series(store, place) or simulate(store, place)


def pipeline_of(place: SimulatedPlace) -> Pipeline:
    """The config of a place, settled: that of the demo, of another size, and without weather."""
    from pyveg.jobs.resolve import resolve
    from pyveg.sources.collections import data_collections

    world = place.world
    settings = {
        "seed": place.seed,
        "epoch": f"{FIRST_YEAR - SETTLING}-01-01",
        "rainfall": world.rainfall,
        "rainfall_noise": world.rainfall_noise,
        "decline": FALLS[place.scenario] * world.rainfall / world.years,
        "decline_from": f"{FIRST_YEAR}-01-01",
        "cloud_cover": 0.0,  # gaps are taken away afterwards, from the same places
    }
    modules = [
        "VegetationDownloader",
        "VegetationImageProcessor",
        "NetworkCentralityCalculator",
        "NDVICalculator",
    ]
    return resolve(
        {
            "name": place.name,
            "output_location": place.name.replace("_", "-"),
            "output_location_type": "memory",
            "coordinates": CENTRE,
            "region_size": world.region_size,
            "date_range": [f"{FIRST_YEAR}-01-01", f"{FIRST_YEAR + world.years}-01-01"],
            "data_collections": data_collections,
            "collections_to_use": [COLLECTION],
            "modules_to_use": {COLLECTION: modules, COMBINE: ["VegAndWeatherJsonCombiner"]},
            "special_config": {COLLECTION: settings},
            "runner": "serial",
            "n_workers": 1,
        }
    )


def simulate(store: Store, place: SimulatedPlace) -> Series:
    """Run the pipeline, and keep its series."""
    from pyveg.analysis.data.series import make_series
    from pyveg.calibration.operating_characteristics import with_spatial
    from pyveg.jobs.run import prepare, start
    from pyveg.runs.run import open_run

    runs: list[Store] = []

    def hold(event: Event) -> None:
        """Bytes in memory last as long as somebody holds their Store."""
        if isinstance(event, RunStarted):
            runs.append(registry.load("store", "memory")(event.url.partition("://")[2]))

    report = start(prepare(pipeline_of(place)), [hold], picture=False)
    if report.exit_code:
        reasons = [one.reason for one in report.results.values() if one.reason]
        raise RunError(
            f"{place.name} cannot be simulated: {reasons[0] if reasons else 'no reason'}"
        )
    run = open_run(runs[0])
    series = with_spatial(make_series(run.results())[0], run.chips())
    store.write(place.key, _packed(series))
    # As it is when it is read again, so that results do not depend on interruptions.
    return kept_series(store, place) or series


def _packed(series: Series) -> bytes:
    """The chips' records that tests need."""
    from gzip import compress

    from pyveg.calibration.operating_characteristics import level_metrics

    names = ["collection", "date", "chip", VALID_FRACTION.name]
    table = series.table[[*names, *level_metrics(series.table.columns)]]
    return compress(table.to_csv(index=False, lineterminator="\n").encode(), mtime=0)


def kept_series(store: Store, place: SimulatedPlace) -> Series | None:
    """What was kept of a place; None where there is nothing whole."""
    import gzip
    import zlib

    import pandas as pd

    from pyveg.analysis.data.series import tidy

    if store.size(place.key) is None:
        return None
    try:
        text = gzip.decompress(store.read(place.key))
        table = pd.read_csv(io.BytesIO(text), parse_dates=["date"])
    except (OSError, EOFError, zlib.error, ValueError):  # damaged: it is made anew
        return None
    return tidy(table, time_per_point="1m")
