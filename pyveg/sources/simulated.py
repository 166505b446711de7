"""The built-in Source: a simulated dryland with rain, seasons, clouds and, if wanted, decline.

It needs no account and no network, and its truth is known. Daily rain drives the vegetation model
of `pyveg.kernels.patterns` on square cells over the place; biomass becomes reflectance; clouds
and the noise of the sensor come on top; weather rasters tell the same rain. Plants may be cut once,
and another sensor may take the images from some day on.

Everything depends on the place, the settings and the date alone: the history begins at a fixed
epoch, and every draw of random numbers has its own generator, made from what it is for. So dates
can be asked for in any order, in any process and as part of any date range. To give imagery and
weather that fit together, give both collections the same settings.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pyveg.core import params
from pyveg.core.errors import ConfigError, SkipItem
from pyveg.core.params import setting
from pyveg.core.types import Item
from pyveg.earth import periods
from pyveg.earth.periods import period_of
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.formats import Raster
from pyveg.sources.grid import Grid, grid_of
from pyveg.sources.world import STATES, VERSION, Array, StateCache, World

SOIL = {"B2": 0.12, "B3": 0.18, "B4": 0.26, "B8": 0.34}
"""Reflectance of dry, sandy soil in the bands of Sentinel-2 (NDVI 0.13). A typical, rounded
spectrum of our own choice, rising to the infrared as sand does; no measurement of one place."""
GREEN = {"B2": 0.03, "B3": 0.07, "B4": 0.04, "B8": 0.40}
"""Reflectance of a closed, green canopy (NDVI 0.82); likewise."""
CLOUD = 0.75
"""Reflectance of cloud that is not masked, in all bands."""
CLOSURE = 25.0
"""Biomass at which 1 - 1/e of the soil is hidden, g / m2 (our choice)."""
VEGETATED = 5.0
"""Biomass from which ground counts as vegetated in the truth, g / m2 (`infiltration_half`)."""

PRECIPITATION, TEMPERATURE = "total_precipitation", "mean_2m_air_temperature"
BANDS = (*SOIL, PRECIPITATION, TEMPERATURE)
"""The bands there are."""

CLOUD_CONTRAST = 1.5
"""Sum of the two parameters of the beta distribution of a scene's cloud share: below 2, so that
most scenes are nearly clear or nearly covered."""
CLOUD_LENGTHS = ((500.0, 1.0), (150.0, 0.35))
"""Size of the waves that clouds are made of, m, and their weights."""


@dataclass(frozen=True, kw_only=True)
class SimulatedSettings:
    """Settings of `SimulatedSource`."""

    seed: int = setting(0, doc="another seed is another landscape and weather", low=0)
    rainfall: float = setting(1.2, doc="mean rain, mm per day", low=0, high=10)
    seasonality: float = setting(
        0.3, doc="rise and fall of rain within the year, as a share of its mean", low=0, high=1
    )
    decline: float = setting(
        0.0, doc="loss of mean rain per year from decline_from on, mm per day", low=-10, high=10
    )
    decline_from: date = setting(date(2016, 1, 1), doc="first day of the decline")
    rainfall_noise: float = setting(
        0.1, doc="spread of the rain of single months, as a share of their mean", low=0, high=2
    )
    clearing: date = setting(date(2016, 1, 1), doc="day on which plants are cut")
    clearing_share: float = setting(
        0.0, doc="share of the plants that is cut on that day, everywhere", low=0, high=1
    )
    noise: float = setting(0.005, doc="noise of the sensor, reflectance", low=0, high=1)
    sensor_from: date = setting(date(2016, 1, 1), doc="first day of another sensor")
    sensor_gain: float = setting(
        0.0,
        doc="spread of that sensor's gain from scene to scene, in each band by itself, as a share",
        low=0,
        high=1,
    )
    cloud_cover: float = setting(0.1, doc="mean share of cloud in a scene", low=0, high=1)
    gap_fraction: float = setting(0.0, doc="share of periods without an image", low=0, high=1)
    temperature: float = setting(301.0, doc="mean air temperature, K", low=150, high=350)
    spin_up: int = setting(
        1500, doc="days of usual rain before the epoch, in which patterns form", low=0, high=100000
    )
    cell_size: float = setting(
        21.0, doc="length of a cell's side in the vegetation model, metres", low=21, high=1000
    )
    epoch: date = setting(
        date(2015, 1, 1), doc="first simulated day, on which every history begins"
    )


def world_of(place: Place, settings: SimulatedSettings) -> World:
    """Weather and vegetation of a place, by numbers only, so that 27 and 27.0 are one place."""
    return World(
        (float(place.longitude), float(place.latitude), float(place.region_size)),
        settings.seed,
        float(settings.rainfall),
        float(settings.seasonality),
        float(settings.decline),
        settings.decline_from.toordinal(),
        float(settings.rainfall_noise),
        settings.spin_up,
        float(settings.cell_size),
        settings.epoch.toordinal(),
        settings.clearing.toordinal() if settings.clearing_share else 0,
        float(settings.clearing_share),
    )


class SimulatedSource:
    """Imagery and weather of a simulated place.

    Bands: B2, B3, B4 and B8 as reflectance, `total_precipitation` (m, the sum over the period)
    and `mean_2m_air_temperature` (K, its mean). An image shows the middle day of its period.
    Pixels of a request for weather alone are as large as the place.

    Parameters
    ----------
    settings : SimulatedSettings
    states : StateCache, optional
        Where model states are kept; without one, all Sources of the process share theirs.
    """

    by_period: ClassVar[bool] = True
    must_agree: ClassVar[tuple[str, ...]] = (
        "seed",
        "rainfall",
        "seasonality",
        "decline",
        "decline_from",
        "rainfall_noise",
        "epoch",
    )
    ignores: ClassVar[tuple[str, ...]] = ("cloudy_pix_flag",)
    lays_grid: ClassVar[bool] = True
    Settings: ClassVar[type] = SimulatedSettings

    def __init__(self, settings: SimulatedSettings, states: StateCache | None = None) -> None:
        self.settings = settings
        self._states = STATES if states is None else states

    def items(self, collection: Collection, place: Place, dates: DateRange) -> Sequence[Item]:
        """Whole periods of the date range; every place has all of them."""
        del place
        if not dates.empty:
            self._check_epoch(dates.start)
        return periods.items(dates, collection.time_per_point)

    def fingerprint(self, request: Request) -> str:
        """All settings, defaults included, and the version of the simulation."""
        del request
        text = json.dumps([VERSION, params.to_json(self.settings)], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def truth(self, request: Request) -> Array:
        """Biomass behind an image, for tests and calibration.

        Parameters
        ----------
        request : Request
            Its place, item and scale are looked at.

        Returns
        -------
        (rows, columns) float64 array
            On the pixels of the request, g / m2.
        """
        world = self._world(request)
        state = self._states.at(world, _middle(request.item).toordinal())
        return _resample(state.plants, world.grid(), grid_of(request.place, request.scale))

    def fetch(self, request: Request) -> Scene:
        """Make the rasters of one period.

        Raises
        ------
        SkipItem
            If the period has no image, or too cloudy a one.
        ConfigError
            For a band that there is not, or a period before the epoch.
        """
        wanted = self._bands(request)
        world = self._world(request)
        rain = world.rain(*_ordinals(period_of(request.item)))
        record: dict[str, Any] = {"source": "simulated", "seed": self.settings.seed}
        truth = {"mean_rain": float(rain.mean())}
        record["truth"] = truth
        arrays: dict[str, NDArray[Any]] = {}
        if any(band in SOIL for band in wanted.values()):
            grid = grid_of(request.place, request.scale)
            arrays |= self._image(request, world, grid, wanted, record)
        else:
            grid = _one_pixel(request.place)
        for name, band in wanted.items():
            if band not in SOIL:
                value = self._weather(band, world, period_of(request.item), rain)
                arrays[name] = np.full(grid.shape, value, dtype=np.float32)
        return Scene({name: _raster(arrays[name], grid) for name in wanted}, record)

    def _bands(self, request: Request) -> dict[str, str]:
        """Raster -> band, without optional ones that there are not."""
        for name, band in request.bands.items():
            if band not in BANDS and name not in request.optional:
                raise ConfigError(
                    f'collection "{request.collection.key}": there is no band "{band}" in the '
                    "simulated source",
                    f"it has {', '.join(BANDS)}",
                )
        return {name: band for name, band in request.bands.items() if band in BANDS}

    def _world(self, request: Request) -> World:
        self._check_epoch(period_of(request.item).start)
        return world_of(request.place, self.settings)

    def _check_epoch(self, day: date) -> None:
        if day < self.settings.epoch:
            raise ConfigError(
                f"the simulated place begins on {self.settings.epoch}, and {day} is before it",
                "begin the date_range later or set an earlier epoch (which makes another history)",
            )

    def _weather(self, band: str, world: World, period: DateRange, rain: Array) -> float:
        if band == PRECIPITATION:
            return float(rain.sum()) / 1000
        days = world.temperature(*_ordinals(period), float(self.settings.temperature))
        return float(days.mean())

    def _image(
        self,
        request: Request,
        world: World,
        grid: Grid,
        wanted: Mapping[str, str],
        record: dict[str, Any],
    ) -> dict[str, NDArray[np.uint16]]:
        """The reflectance bands; fills in the record."""
        middle = _middle(request.item)
        clouds = self._clouds(request, world, grid)
        biomass = self.truth(request)
        hidden = 1 - np.exp(-biomass / CLOSURE)
        masked = clouds if request.mask_cloud else np.zeros_like(clouds)
        record["cloud_fraction"] = float(clouds.mean())
        record["valid_fraction"] = float(1 - masked.mean())
        record["truth"]["mean_biomass"] = float(biomass.mean())
        record["truth"]["vegetated_share"] = float((biomass >= VEGETATED).mean())
        bands = {}
        for name, band in wanted.items():
            if band in SOIL:
                clear = SOIL[band] + (GREEN[band] - SOIL[band]) * hidden
                values = np.where(clouds, CLOUD, clear) * self._gain(world, middle, band)
                # A generator per band: one more band must not change the noise of the others.
                noise = world.rng("sensor", str(middle), band).standard_normal(grid.shape)
                # 0 means no data, so the darkest pixel that is seen is 1.
                counts = np.clip(np.rint(1e4 * (values + self.settings.noise * noise)), 1, 65535)
                bands[name] = np.where(masked, 0, counts).astype(np.uint16)
        return bands

    def _gain(self, world: World, day: date, band: str) -> float:
        """What the sensor of that day multiplies a band of a scene with."""
        if day < self.settings.sensor_from or not self.settings.sensor_gain:
            return 1.0
        chance = world.rng("gain", str(day), band).standard_normal()
        return max(0.0, 1.0 + self.settings.sensor_gain * float(chance))

    def _clouds(self, request: Request, world: World, grid: Grid) -> NDArray[np.bool_]:
        """Pixels under cloud, unless there is no image or too cloudy a one."""
        middle, settings = _middle(request.item), self.settings
        if world.rng("gap", str(middle)).random() < settings.gap_fraction:
            raise SkipItem(
                f"no image: none was taken in {period_of(request.item)} "
                f"(gap_fraction = {settings.gap_fraction:g})"
            )
        # Not the generator of gaps: more gaps must leave the clouds of other dates as they are.
        rng = world.rng("cloud", str(middle))
        clouds = _blobs(grid, _cloud_share(settings.cloud_cover, rng), rng)
        percent = 100 * float(clouds.mean())
        if percent >= request.cloudy_pix_frac:
            raise SkipItem(
                f"no image: cloud covers {percent:.1f} % of it, and cloudy_pix_frac leaves out "
                f"what has {request.cloudy_pix_frac:g} % or more"
            )
        return clouds


def _middle(item: Item) -> date:
    """The day that an image shows."""
    return date.fromordinal(sum(_ordinals(period_of(item))) // 2)


def _ordinals(period: DateRange) -> tuple[int, int]:
    return period.start.toordinal(), period.end.toordinal()


def _cloud_share(mean: float, rng: np.random.Generator) -> float:
    # The beta distribution is not defined at its ends.
    if not 0 < mean < 1:
        return float(mean)
    return float(rng.beta(CLOUD_CONTRAST * mean, CLOUD_CONTRAST * (1 - mean)))


def _blobs(grid: Grid, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Smooth patches that cover that share of the grid."""
    rows, columns = (np.arange(side, dtype=np.float64) * grid.scale for side in grid.shape)
    height = np.zeros(grid.shape)
    for length, weight in CLOUD_LENGTHS:
        nodes = [math.ceil(side * grid.scale / length) + 2 for side in grid.shape]
        coarse = rng.standard_normal(nodes)
        height += weight * _bilinear(coarse, rows / length, columns / length)
    count = round(share * height.size)
    if count == 0:
        return np.zeros(grid.shape, dtype=np.bool_)
    # By rank and not by a fixed height, so that the share that is covered is exact.
    lowest = np.partition(height, height.size - count, axis=None)[height.size - count]
    covered: NDArray[np.bool_] = height >= lowest
    return covered


def _resample(field: Array, cells: Grid, pixels: Grid) -> Array:
    """Bilinear interpolation between centres of cells, at the centres of pixels."""
    left = (pixels.transform[2] - cells.transform[2]) / cells.scale
    top = (cells.transform[5] - pixels.transform[5]) / cells.scale
    ratio = pixels.scale / cells.scale
    rows = top + (np.arange(pixels.height, dtype=np.float64) + 0.5) * ratio - 0.5
    columns = left + (np.arange(pixels.width, dtype=np.float64) + 0.5) * ratio - 0.5
    return _bilinear(field, rows, columns)


def _bilinear(field: Array, rows: Array, columns: Array) -> Array:
    """Values of a field between its nodes; its edge continues outside."""
    top, down = _neighbours(rows, field.shape[0])
    left, right = _neighbours(columns, field.shape[1])
    lines = field[top] * (1 - down)[:, None]
    lines += field[np.minimum(top + 1, field.shape[0] - 1)] * down[:, None]
    beside = np.minimum(left + 1, field.shape[1] - 1)
    return lines[:, left] * (1 - right) + lines[:, beside] * right


def _neighbours(positions: Array, count: int) -> tuple[NDArray[np.intp], Array]:
    """The node before each position, and the share of the one behind it."""
    inside = np.clip(positions, 0, count - 1)
    before = np.minimum(inside.astype(np.intp), max(count - 2, 0))
    return before, inside - before


def _one_pixel(place: Place) -> Grid:
    """The whole place as one pixel."""
    grid = grid_of(place, 1000.0)
    side = 1000.0 * max(grid.shape)
    _, _, left, _, _, top = grid.transform
    return Grid(grid.crs, (side, 0.0, left, 0.0, -side, top), 1, 1)


def _raster(array: NDArray[Any], grid: Grid) -> Raster:
    """On its grid; 0 marks reflectance that is masked, NaN weather that is missing."""
    return grid.raster(array, nodata=0.0 if array.dtype == np.uint16 else float("nan"))
