"""Downloaders: raw bands and weather from a Source into the Store."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pyveg import formats
from pyveg.core import bulk, module
from pyveg.core.errors import ConfigError, DataError
from pyveg.core.module import Planning
from pyveg.core.params import setting
from pyveg.core.types import Item, Scope
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.earth.module import EarthJob, EarthModule, S, known_collection
from pyveg.earth.source import Reachable, Request, source_of
from pyveg.earth.subject import Subject
from pyveg.kernels.images import valid_pixels
from pyveg.kernels.ndvi import ndvi
from pyveg.modules.outline import keep_inside


@dataclass(frozen=True, kw_only=True)
class VegetationDownloaderSettings(module.Settings):
    """Settings of `VegetationDownloader`."""

    scale: float = setting(10.0, doc="length of a pixel's side, metres", low=0.01)
    RGB_bands: tuple[str, ...] = setting(
        doc='names of the red, green and blue band, such as ["B4", "B3", "B2"]', shared=True
    )
    NIR_band: str = setting(doc='name of the near-infrared band, such as "B8"', shared=True)
    mask_cloud: bool = setting(True, doc="mask cloudy pixels where the source can")
    cloudy_pix_frac: float = setting(
        50.0, doc="leave out scenes with this share of cloud or more, percent", low=0, high=100
    )
    cloudy_pix_flag: str = setting("", doc="property of a scene that states its share of cloud")


@dataclass(frozen=True, kw_only=True)
class WeatherDownloaderSettings(module.Settings):
    """Settings of `WeatherDownloader`."""

    precipitation_band: str = setting(doc="name of the collection's precipitation band, in m")
    temperature_band: str | None = setting(
        doc="name of the collection's air temperature band, in K; None where it has none"
    )


class _Downloader(EarthModule[S]):
    """What downloaders share: Items and fingerprints are the Source's."""

    role: ClassVar[module.Role] = "start"
    provides: ClassVar[tuple[str, ...]] = ("rasters",)

    def items(self, planning: Planning, settings: S) -> Sequence[Item]:
        """The dates that the Source has."""
        del settings
        subject, collection = Subject.of(planning.scope), known_collection(planning.scope)
        return source_of(collection).items(collection, subject.place, subject.date_range)

    def fingerprint(self, scope: Scope, item: Item, settings: S) -> str:
        """What the Source's answer depends on, such as the contents of files."""
        source = source_of(known_collection(scope))
        return source.fingerprint(self.request(scope, item, settings))

    def at_hand(self, scope: Scope, items: Sequence[Item], settings: S) -> Iterator[bool]:
        """Those whose answer is stored, or whose Source asks no service."""
        source = source_of(known_collection(scope))
        if not isinstance(source, Reachable):
            return (True for _ in items)
        return (source.has(self.request(scope, item, settings)) for item in items)

    def reach(self, scope: Scope, settings: S) -> None:
        """Look whether the service of the Source is there."""
        del settings
        source = source_of(known_collection(scope))
        if isinstance(source, Reachable):
            source.reach()

    @abstractmethod
    def request(self, scope: Scope, item: Item, settings: S) -> Request:
        """What to ask the Source for."""

    def keep(self, job: EarthJob[S], rasters: Mapping[str, formats.Raster]) -> None:
        """Write each raster of a date, encoded once."""
        files = {
            job.layout.raw(job.item.name, name): formats.encode_geotiff(raster)
            for name, raster in rasters.items()
        }
        bulk.write_many(job.store, files)


class VegetationDownloader(_Downloader[VegetationDownloaderSettings]):
    """Fetch the red, green, blue and near-infrared bands of each date, and its NDVI."""

    Settings = VegetationDownloaderSettings
    data_type = "vegetation"

    def request(self, scope: Scope, item: Item, settings: VegetationDownloaderSettings) -> Request:
        """RGB and NIR; NDVI too where the Source has it ready."""
        bands = (*check_rgb(settings.RGB_bands, scope.sequence), settings.NIR_band)
        return Request(
            place=Subject.of(scope).place,
            collection=known_collection(scope),
            item=item,
            bands={name: name for name in (*bands, "NDVI")},
            optional=("NDVI",),
            scale=settings.scale,
            mask_cloud=settings.mask_cloud,
            cloudy_pix_frac=settings.cloudy_pix_frac,
            cloudy_pix_flag=settings.cloudy_pix_flag,
        )

    def run(self, job: EarthJob[VegetationDownloaderSettings]) -> None:
        """Fetch one date; its NDVI is NaN wherever a pixel is masked, whoever made it.

        Pixels outside of the region's outline are masked. The share of valid ones is of those
        inside.
        """
        scene = job.source.fetch(self.request(job.scope, job.item, job.settings))
        rasters, inside = keep_inside(scene.rasters, job.place.outline)
        valid = add_ndvi(rasters, job.settings.RGB_bands[0], job.settings.NIR_band) / inside
        if not valid:
            job.skip("every pixel is masked or empty")
        self.keep(job, rasters)
        job.notes.update(scene.record)
        job.notes["valid_fraction"] = valid
        # Beside the rasters too: whoever downloads them alone sees what they were made from.
        record = formats.encode_json(job.notes, indent=1)
        job.store.write(job.layout.download_record(job.item.name), record)


def check_rgb(bands: Sequence[str], where: str) -> tuple[str, str, str]:
    """Red, green and blue, exactly."""
    if len(bands) != 3:
        raise ConfigError(
            f'"{where}": RGB_bands = {list(bands)} are not three bands',
            "name red, green and blue, in this order",
        )
    red, green, blue = bands
    return red, green, blue


def add_ndvi(rasters: dict[str, formats.Raster], red: str, nir: str) -> float:
    """Put NDVI beside the bands, on their grid, NaN where they are masked.

    Parameters
    ----------
    rasters : dict of str to Raster
        By name. NDVI is computed where there is none; one that is there is changed only where it
        has a value for a masked pixel.
    red, nir : str
        Names of the bands that NDVI is made of.

    Returns
    -------
    float
        Share of pixels that are valid.

    Raises
    ------
    DataError
        If the rasters are not of one shape.
    """
    check_shapes({name: raster.array.shape for name, raster in rasters.items()})
    bands = {name: raster for name, raster in rasters.items() if name != "NDVI"}
    given = rasters.get("NDVI")
    values = ndvi(bands[nir].array, bands[red].array) if given is None else given.array
    valid = valid_pixels([raster.array for raster in bands.values()], values)
    # Otherwise it stays as it was given, and its file is copied without being encoded again.
    if given is None or np.isfinite(values[~valid]).any():
        values = np.where(valid, values, np.nan).astype(np.float32)
        like = given or bands[nir]
        rasters["NDVI"] = formats.Raster(values, like.crs, like.transform, nodata=float("nan"))
    return float(valid.mean())


def check_shapes(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Rasters of one date must be of one shape."""
    (first, shape), *others = shapes.items()
    for name, other in others:
        if other != shape:
            sizes = f"{shape[1]} x {shape[0]} pixels and {name} {other[1]} x {other[0]}"
            raise DataError(
                f"the bands are not of one shape: {first} has {sizes}",
                "resample them to the pixels of one",
            )


class WeatherDownloader(_Downloader[WeatherDownloaderSettings]):
    """Fetch precipitation (m per period) and mean air temperature (K) of each date."""

    Settings = WeatherDownloaderSettings
    data_type = "weather"
    retired: ClassVar[Mapping[str, str]] = {"scale": "weather comes on the grid that it has"}

    def request(self, scope: Scope, item: Item, settings: WeatherDownloaderSettings) -> Request:
        """Rain, and temperature where there is one, under the names that results have."""
        bands = {PRECIPITATION: settings.precipitation_band}
        if settings.temperature_band is not None:
            bands[TEMPERATURE] = settings.temperature_band
        return Request(Subject.of(scope).place, known_collection(scope), item, bands)

    def run(self, job: EarthJob[WeatherDownloaderSettings]) -> None:
        """Fetch one date."""
        scene = job.source.fetch(self.request(job.scope, job.item, job.settings))
        self.keep(job, scene.rasters)
        job.notes.update(scene.record)
