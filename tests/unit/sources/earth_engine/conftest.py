"""Small places with known reflectance, as Earth Engine would hold them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyveg.earth.periods import item_of
from pyveg.earth.source import Request
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.sources.earth_engine.source import EarthEngineSettings, EarthEngineSource
from pyveg.sources.utm import utm_grid
from pyveg.testing.ee_graphs import StandInScene, write_scene

PLACE = Place(27.95, 11.57, 0.004)
S2 = "COPERNICUS/S2_SR_HARMONIZED"
SCORES = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
SENTINEL2 = Collection("Sentinel2", S2, "vegetation", "earth_engine")
JANUARY = item_of(DateRange(date(2020, 1, 1), date(2020, 2, 1)))
BANDS = {"B4": "B4", "B8": "B8"}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between tries are a hundredth of what they are."""
    from pyveg.sources.earth_engine import retry

    monkeypatch.setattr(retry, "draw", lambda: 0.01)
    monkeypatch.setattr("pyveg.sources.earth_engine.session.draw", lambda: 0.01)


@pytest.fixture
def sentinel2(tmp_path: Path) -> Callable[..., list[StandInScene]]:
    """Makes a Sentinel-2 scene, with its cloud score, over the place."""

    def make(
        index: str,
        day: str,
        red: Any,
        nir: Any,
        *,
        score: Any = 1.0,
        cloud: float | None = 10.0,
        place: Place = PLACE,
        baseline: str = "05.09",
        extra: dict[str, Any] | None = None,
    ) -> list[StandInScene]:
        grid = utm_grid(place, 10)
        bands = {"B4": red, "B8": nir, **(extra or {})}
        arrays = {
            name: np.broadcast_to(np.asarray(value, np.uint16), grid.shape).copy()
            for name, value in bands.items()
        }
        facts: dict[str, Any] = {"PROCESSING_BASELINE": baseline, "SPACECRAFT_NAME": "Sentinel-2A"}
        if cloud is not None:
            facts["CLOUDY_PIXEL_PERCENTAGE"] = cloud
        made = [write_scene(tmp_path, S2, index, day, arrays, grid, **facts)]
        if score is not None:
            scores = np.broadcast_to(np.asarray(score, np.float32), grid.shape).copy()
            made.append(write_scene(tmp_path, SCORES, index, day, {"cs_cdf": scores}, grid))
        return made

    return make


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., EarthEngineSource]:
    """Makes a Source with a cache of this test."""

    def make(**settings: Any) -> EarthEngineSource:
        given = {"cache": str(tmp_path / "cache"), **settings}
        return EarthEngineSource(EarthEngineSettings(**given))

    return make


@pytest.fixture
def request_of() -> Callable[..., Request]:
    """Makes a Request for January 2020."""

    def make(collection: Collection = SENTINEL2, **changes: Any) -> Request:
        given: dict[str, Any] = {"place": PLACE, "item": JANUARY, "bands": BANDS, **changes}
        return Request(collection=collection, **given)

    return make
