"""Records of datasets and of the collections that configs name."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from typing import Any

import pytest

from pyveg.configs.collections import data_collections
from pyveg.core import params
from pyveg.core.errors import ConfigError
from pyveg.earth.types import Collection
from pyveg.modules.download import VegetationDownloader, WeatherDownloader
from pyveg.sources.earth_engine.source import EarthEngineSettings, EarthEngineSource
from pyveg.sources.products import PRODUCTS, RETIRED, life, product_of

OLD_NAMES = ("Sentinel2", "Landsat8", "Landsat7", "Landsat5", "Landsat4", "ERA5", "ERA5_daily")
REAL = {k: record for k, record in data_collections.items() if record["source"] == "earth_engine"}


def test_the_old_names_mean_current_datasets() -> None:
    found = {name: data_collections[name]["collection_name"] for name in OLD_NAMES}
    assert found == {
        "Sentinel2": "COPERNICUS/S2_SR_HARMONIZED",
        "Landsat8": "LANDSAT/LC08/C02/T1_L2",
        "Landsat7": "LANDSAT/LE07/C02/T1_L2",
        "Landsat5": "LANDSAT/LT05/C02/T1_L2",
        "Landsat4": "LANDSAT/LT04/C02/T1_L2",
        "ERA5": "ECMWF/ERA5_LAND/MONTHLY_AGGR",
        "ERA5_daily": "ECMWF/ERA5_LAND/DAILY_AGGR",
    }
    assert {record["collection_name"] for record in REAL.values()} == set(PRODUCTS)


@pytest.mark.parametrize("name", REAL)
def test_a_record_fits_its_dataset(name: str) -> None:
    """Bands, dates and the flag are those of the dataset; downloaders take it as it is."""
    record: dict[str, Any] = REAL[name]
    product = PRODUCTS[record["collection_name"]]
    assert json.loads(json.dumps(record)) == record
    assert record["min_date"] == str(product.start)
    assert record.get("max_date") == (None if product.end is None else str(product.end))
    cls = VegetationDownloader if product.data_type == "vegetation" else WeatherDownloader
    known = params.names(cls.Settings)
    settings: Any = params.build(
        cls.Settings, {k: v for k, v in record.items() if k in known}, name
    )
    if product.data_type == "vegetation":
        bands = [*settings.RGB_bands, settings.NIR_band]
        assert bands == [product.roles[role] for role in ("red", "green", "blue", "nir")]
        assert settings.cloudy_pix_flag == product.cloud_property
    else:
        bands = [b for b in (settings.precipitation_band, settings.temperature_band) if b]
        found = [product.band(band) for band in bands]
        assert [(band.units, band.how) for band in found if band] == [("m", "sum"), ("K", "mean")][
            : len(bands)
        ]
    assert all(product.band(band) is not None for band in bands)
    fields = {f.name for f in dataclasses.fields(Collection)}
    collection = params.build(
        Collection, {"key": name, **{k: v for k, v in record.items() if k in fields}}, name
    )
    dates = params.convert([record["min_date"], "2030-01-01"], tuple[date, date], "d", name)
    from pyveg.earth.types import DateRange, Place

    source = EarthEngineSource(EarthEngineSettings(cache=""))
    assert source.items(collection, Place(10, 10), DateRange(*dates))


@pytest.mark.parametrize(
    ("name", "red", "nir", "scale", "offset", "saturation"),
    [
        ("COPERNICUS/S2_SR_HARMONIZED", "B4", "B8", 1e-4, 0, 0),
        ("LANDSAT/LC09/C02/T1_L2", "SR_B4", "SR_B5", 2.75e-5, -0.2, 0b11000),
        ("LANDSAT/LE07/C02/T1_L2", "SR_B3", "SR_B4", 2.75e-5, -0.2, 0b1100),
        ("LANDSAT/LT04/C02/T1_L2", "SR_B3", "SR_B4", 2.75e-5, -0.2, 0b1100),
    ],
)
def test_numbers_of_the_catalogue(  # noqa: PLR0917
    name: str, red: str, nir: str, scale: float, offset: float, saturation: int
) -> None:
    product = PRODUCTS[name]
    assert (product.roles["red"], product.roles["nir"]) == (red, nir)
    assert product.saturation == saturation
    for band in product.bands:
        assert (band.scale, band.offset, band.units) == (scale, offset, "reflectance")


@pytest.mark.parametrize("name", RETIRED)
def test_a_retired_id_names_one_that_lives(name: str) -> None:
    successor = RETIRED[name][1]
    assert successor in PRODUCTS
    with pytest.raises(ConfigError, match=f'use "{successor}"'):
        product_of(name, "here")


def test_records_cannot_be_changed() -> None:
    product = PRODUCTS["COPERNICUS/S2_SR_HARMONIZED"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        product.sensor = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        product.roles["red"] = "B1"  # type: ignore[index]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (None, None, ("1984-03-16", "2012-05-06")),
        ("1980-01-01", "2020-01-01", ("1984-03-16", "2012-05-06")),
        ("1990-01-01", "2000-01-01", ("1990-01-01", "2000-01-01")),
    ],
)
def test_life_is_never_longer_than_the_datasets(low: Any, high: Any, expected: Any) -> None:
    given = [None if day is None else date.fromisoformat(day) for day in (low, high)]
    found = life("LANDSAT/LT05/C02/T1_L2", *given)
    assert tuple(map(str, found)) == expected
    assert life("something else", *given) == tuple(given)


def test_datasets_that_continue_each_other_live_longer() -> None:
    """The limits that a record repeats are not the user's; others are."""
    l5, l7, l8 = (f"LANDSAT/{code}/C02/T1_L2" for code in ("LT05", "LE07", "LC08"))
    own = PRODUCTS[l5].start, PRODUCTS[l5].end
    assert life(l5, *own, [l7]) == (date(1984, 3, 16), date(2024, 2, 1))
    assert life(l5, *own, [l7, l8]) == (date(1984, 3, 16), None)
    assert life(l8, date(2013, 3, 18), None, [l5]) == (date(1984, 3, 16), None)
    assert life(l5, own[0], date(2000, 1, 1), [l7]) == (date(1984, 3, 16), date(2000, 1, 1))


def test_a_dataset_that_grows_has_no_end() -> None:
    assert life("COPERNICUS/S2_SR_HARMONIZED", None, None)[1] is None
