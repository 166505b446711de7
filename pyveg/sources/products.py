"""Datasets of Earth Engine: what their numbers mean, what masks them and how long they live.

Frozen records; nothing here asks a service. Ids, dates, scales and bits are those of Earth Engine's
catalogue of August 2026 (https://developers.google.com/earth-engine/datasets/catalog).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Literal

from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.earth.types import DataType

CLOUD_SCORE = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
"""Cloud Score+ of every Sentinel-2 scene, joined by ``system:index``."""

Mask = Literal["cloud_score", "qa_pixel", "fmask", "none"]
Units = Literal["reflectance", "m", "K", "J/m2", "m3/m3"]


@dataclass(frozen=True)
class Band:
    """One band: value = number x `scale` + `offset`, in `units`."""

    name: str
    units: Units
    scale: float = 1.0
    offset: float = 0.0
    how: Literal["median", "sum", "mean"] = "median"
    """What becomes of the images of one period."""
    low: float | None = None
    """Lower values are rounding of the archive and become this."""


@dataclass(frozen=True)
class NativeGrid:
    """Cells in degrees, of weather."""

    cell: float
    """Length of a cell's side, degrees."""
    west: float
    north: float
    """Outer corner of the first cell, degrees."""
    rows: int
    columns: int


@dataclass(frozen=True)
class Product:
    """One dataset; its `repr` tells all that its numbers depend on."""

    id: str
    title: str = field(repr=False)
    data_type: DataType
    start: date
    bands: tuple[Band, ...]
    end: date | None = None
    """The day after the last; None while it grows."""
    sensor: str = ""
    """Scenes of products of other sensors do not continue its series."""
    level: str = ""
    """What was done to reflectance: "surface" or "top of atmosphere"."""
    roles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Colour -> band, the same words for every sensor."""
    mask: Mask = "none"
    saturation: int = 0
    """Bits of ``QA_RADSAT`` that mark red or near infrared as saturated."""
    cloud_property: str = ""
    """Property of a scene that tells its share of cloud, percent."""
    facts: tuple[str, ...] = ()
    """More properties of scenes that are kept with each date."""
    every: Literal["scene", "day", "month"] = "scene"
    grid: NativeGrid | None = None

    def band(self, name: str) -> Band | None:
        """The band of that name."""
        return next((band for band in self.bands if band.name == name), None)


def _reflectance(names: Iterable[str], scale: float, offset: float) -> tuple[Band, ...]:
    return tuple(Band(name, "reflectance", scale, offset) for name in names)


S2_BANDS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")
S2_ROLES = MappingProxyType(
    {"blue": "B2", "green": "B3", "red": "B4", "nir": "B8", "swir1": "B11", "swir2": "B12"}
)


def _sentinel2(name: str, title: str, level: str, start: date) -> Product:
    """Reflectance x 10,000; the +1000 of baseline 04.00 (2022-01-25) is undone in these."""
    return Product(
        id=name,
        title=title,
        data_type="vegetation",
        start=start,
        bands=_reflectance(S2_BANDS, 1e-4, 0.0),
        sensor="Sentinel-2 MSI",
        level=level,
        roles=S2_ROLES,
        mask="cloud_score",
        cloud_property="CLOUDY_PIXEL_PERCENTAGE",
        facts=("PROCESSING_BASELINE", "SPACECRAFT_NAME"),
    )


def _landsat(number: int, start: date, end: date | None = None) -> Product:
    """Collection 2 level 2: reflectance = number x 2.75e-5 - 0.2."""
    code = {4: "LT04", 5: "LT05", 7: "LE07", 8: "LC08", 9: "LC09"}[number]
    first = 2 if number >= 8 else 1  # band 1 of Landsat 8 and 9 is coastal aerosol
    roles = {
        "blue": f"SR_B{first}",
        "green": f"SR_B{first + 1}",
        "red": f"SR_B{first + 2}",
        "nir": f"SR_B{first + 3}",
        "swir1": f"SR_B{first + 4}",
        "swir2": "SR_B7",
    }
    red = first + 2
    return Product(
        id=f"LANDSAT/{code}/C02/T1_L2",
        title=f"Landsat {number}, Collection 2 level 2",
        data_type="vegetation",
        start=start,
        end=end,
        bands=_reflectance(sorted({*roles.values()}), 2.75e-5, -0.2),
        sensor="Landsat OLI" if number >= 8 else {7: "Landsat ETM+"}.get(number, "Landsat TM"),
        level="surface",
        roles=MappingProxyType(roles),
        mask="qa_pixel",
        saturation=(1 << (red - 1)) | (1 << red),  # bit n - 1 is band n: red, and nir behind it
        cloud_property="CLOUD_COVER",
        facts=("SPACECRAFT_ID",),
    )


HLS_SENTINEL2 = MappingProxyType(
    {"blue": "B2", "green": "B3", "red": "B4", "nir": "B8A", "swir1": "B11", "swir2": "B12"}
)
HLS_LANDSAT = MappingProxyType({**HLS_SENTINEL2, "nir": "B5", "swir1": "B6", "swir2": "B7"})
"""Colour -> band. Numbers above 4 mean other colours of the two satellites."""


def _hls(code: str, title: str, start: date, roles: Mapping[str, str], more: str = "") -> Product:
    """Harmonized Landsat Sentinel-2 v2.0: one sensor for both satellites, which is its purpose.

    Earth Engine has it as reflectance (its catalogue draws 0.01 to 0.18), not as the int16 of NASA.
    """
    return Product(
        id=f"NASA/HLS/HLS{code}/v002",
        title=title,
        data_type="vegetation",
        start=start,
        bands=_reflectance((*roles.values(), *more.split()), 1.0, 0.0),
        sensor="HLS",
        level="surface, nadir",
        roles=roles,
        mask="fmask",
        cloud_property="CLOUD_COVERAGE",
        facts=("SENSING_TIME",) if code == "S30" else ("LANDSAT_PRODUCT_ID",),
    )


ERA5_GRID = NativeGrid(cell=0.1, west=-180.05, north=90.05, rows=1801, columns=3600)
ERA5_BANDS = (
    Band("total_precipitation_sum", "m", how="sum", low=0.0),  # packing makes some a little < 0
    Band("temperature_2m", "K", how="mean"),
    Band("potential_evaporation_sum", "m", how="sum"),
    Band("surface_solar_radiation_downwards_sum", "J/m2", how="sum"),
    Band("volumetric_soil_water_layer_1", "m3/m3", how="mean"),
)


def _era5(period: str, every: Literal["day", "month"], start: date) -> Product:
    return Product(
        id=f"ECMWF/ERA5_LAND/{period}_AGGR",
        title=f"ERA5-Land, one image per {every}",
        data_type="weather",
        start=start,
        bands=ERA5_BANDS,
        every=every,
        grid=ERA5_GRID,
    )


def _chirps(name: str, title: str, north: int) -> Product:
    """Rain in mm per day; there is no temperature in it."""
    return Product(
        id=name,
        title=title,
        data_type="weather",
        start=date(1981, 1, 1),
        bands=(Band("precipitation", "m", scale=1e-3, how="sum", low=0.0),),
        every="day",
        grid=NativeGrid(0.05, -180.0, float(north), rows=north * 40, columns=7200),
    )


PRODUCTS: Mapping[str, Product] = MappingProxyType(
    {
        product.id: product
        for product in (
            _sentinel2(
                "COPERNICUS/S2_SR_HARMONIZED",
                "Sentinel-2 level 2A, harmonised",
                "surface",
                date(2017, 3, 28),
            ),
            _sentinel2(
                "COPERNICUS/S2_HARMONIZED",
                "Sentinel-2 level 1C, harmonised",
                "top of atmosphere",
                date(2015, 6, 27),
            ),
            _landsat(9, date(2021, 10, 31)),
            _landsat(8, date(2013, 3, 18)),
            _landsat(7, date(1999, 5, 28), date(2024, 2, 1)),
            _landsat(5, date(1984, 3, 16), date(2012, 5, 6)),
            _landsat(4, date(1982, 8, 22), date(1993, 6, 25)),
            _hls("L30", "HLS of Landsat 8 and 9", date(2013, 4, 11), HLS_LANDSAT),
            _hls("S30", "HLS of Sentinel-2", date(2015, 11, 28), HLS_SENTINEL2, "B5 B6 B7 B8"),
            _era5("MONTHLY", "month", date(1950, 2, 1)),
            _era5("DAILY", "day", date(1950, 1, 2)),
            _chirps("UCSB-CHG/CHIRPS/DAILY", "CHIRPS 2.0, rain of each day", 50),
            _chirps("UCSB-CHC/CHIRPS/V3/DAILY_RNL", "CHIRPS 3, rain of each day", 60),
        )
    }
)
"""Known datasets by their id."""

RETIRED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "COPERNICUS/S2": ("deprecated", "COPERNICUS/S2_SR_HARMONIZED"),
        "COPERNICUS/S2_SR": ("deprecated, and not harmonised", "COPERNICUS/S2_SR_HARMONIZED"),
        "LANDSAT/LC08/C01/T1_SR": ("removed", "LANDSAT/LC08/C02/T1_L2"),
        "LANDSAT/LE07/C01/T1_SR": ("removed", "LANDSAT/LE07/C02/T1_L2"),
        "LANDSAT/LT05/C01/T1_SR": ("removed", "LANDSAT/LT05/C02/T1_L2"),
        "LANDSAT/LT04/C01/T1_SR": ("removed", "LANDSAT/LT04/C02/T1_L2"),
        "ECMWF/ERA5/MONTHLY": ("frozen in 2020", "ECMWF/ERA5_LAND/MONTHLY_AGGR"),
        "ECMWF/ERA5/DAILY": ("frozen in 2020", "ECMWF/ERA5_LAND/DAILY_AGGR"),
    }
)
"""Ids of older configs: what became of them, and what to use now."""


def product_of(name: str, where: str) -> Product:
    """The dataset of that id.

    Raises
    ------
    ConfigError
        If it is retired; names its successor.
    UnknownNameError
        If its units, scale and masks are not known here.
    """
    if name in RETIRED:
        what, successor = RETIRED[name]
        raise ConfigError(
            f'{where}: collection_name "{name}" is {what}',
            f'use "{successor}", whose bands have other names: take the record of '
            "pyveg.configs.collections as it is",
        )
    if name not in PRODUCTS:
        raise UnknownNameError("Earth Engine collection", name, PRODUCTS, where)
    return PRODUCTS[name]


def life(
    name: str, low: date | None, high: date | None, others: Iterable[str] = ()
) -> tuple[date | None, date | None]:
    """First day and day after the last that may be asked of a dataset.

    Parameters
    ----------
    name : str
        Its id; one that is not known has no limits of its own.
    low, high : date or None
        Narrower limits of a config.
    others : iterable of str
        Ids of datasets that continue it: then the limits are those of all together.
    """
    main = PRODUCTS.get(name)
    if main is None:
        return low, high
    known = [main, *(PRODUCTS[other] for other in others if other in PRODUCTS)]
    # A record repeats the limits of its own dataset; those are not narrower ones of the user.
    starts = [min(product.start for product in known)]
    starts += [low] if low is not None and low != main.start else []
    ends = [product.end for product in known if product.end is not None]
    last = [max(ends)] if len(ends) == len(known) else []
    last += [high] if high is not None and high != main.end else []
    return max(starts), min(last, default=None)
