"""The real services, one small request each. Only with ``pytest --live``: needs the network."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from pyveg.core import params, registry
from pyveg.earth.source import Request, open_source
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.sources.collections import data_collections

pytestmark = pytest.mark.live

PLACE = Place(27.95, 11.57, 0.008)
PERIODS = {
    "Landsat7_PlanetaryComputer": DateRange(date(2002, 11, 1), date(2003, 1, 1)),
    "Landsat45_PlanetaryComputer": DateRange(date(2009, 11, 1), date(2010, 2, 1)),
}
USUAL = DateRange(date(2021, 12, 1), date(2022, 1, 1))
KEYS = [k for k, r in data_collections.items() if r["source"] in ("stac", "open_meteo")]


@pytest.mark.parametrize("key", KEYS)
def test_a_date_of_every_collection(key: str) -> None:
    """It arrives, on the grid, with numbers that can be."""
    record = data_collections[key]
    cls = registry.load("source", record["source"])
    names = params.names(cls.Settings)
    settings = {name: value for name, value in record.items() if name in names}
    source = open_source(record["source"], {**settings, "cache": "none"}, key)
    weather = record["data_type"] == "weather"
    if weather:
        bands = [record["precipitation_band"], record["temperature_band"]]
    else:
        bands = [*record["RGB_bands"], record["NIR_band"]]
    period = PERIODS.get(key, USUAL)
    days = (period.end - period.start).days
    collection = Collection(
        key, key, record["data_type"], record["source"], time_per_point=f"{days}d"
    )
    (item,) = source.items(collection, PLACE, period)
    wanted = {band: band for band in bands}
    request = Request(PLACE, collection, item, wanted, scale=record.get("scale", 10.0))
    scene = source.fetch(request)
    arrays = {band: scene.rasters[band].array for band in bands}
    if weather:
        assert 0 <= arrays[record["precipitation_band"]].item() < 1
        assert 250 < arrays[record["temperature_band"]].item() < 320
        return
    assert scene.record["n_scenes"] > 0
    red, nir = (arrays[band].astype(float) for band in (bands[0], bands[3]))
    seen = (red > 0) & (nir > 0)
    assert seen.mean() > 0.5
    ndvi = ((nir - red)[seen] / (nir + red)[seen]).mean()
    assert 0 < ndvi < 0.6
    assert 200 < np.median(red[seen]) < 6000
