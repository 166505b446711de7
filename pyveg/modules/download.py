"""Downloaders: raw bands and weather from a Source into the Store."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pyveg import formats
from pyveg.core import bulk, module, params, registry, usage
from pyveg.core.errors import ConfigError
from pyveg.core.module import Planning
from pyveg.core.params import setting
from pyveg.core.types import Item, Scope
from pyveg.earth.cadence import told
from pyveg.earth.indices import IndexSettings, bands_of
from pyveg.earth.indices import settled as settled_index
from pyveg.earth.metrics import PRECIPITATION, TEMPERATURE
from pyveg.earth.module import EarthJob, EarthModule, S, known_collection
from pyveg.earth.periods import middle_of, period_of
from pyveg.earth.source import Reachable, Request, Surveying, source_of
from pyveg.earth.subject import Subject
from pyveg.kernels import formulas
from pyveg.modules.index import add_index
from pyveg.modules.outline import keep_inside
from pyveg.modules.plausibility import check_image, check_weather

LONGEST_PERIOD = 366
"""Days that the weather of one date may be of where nobody says."""


@dataclass(frozen=True, kw_only=True)
class VegetationDownloaderSettings(IndexSettings):
    """Settings of `VegetationDownloader`."""

    scale: float = setting(10.0, doc="length of a pixel's side, metres", low=0.01, high=1e6)
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
        subject, collection = Subject.of(planning.scope), known_collection(planning.scope)
        source = source_of(collection)
        items = source.items(collection, subject.place, subject.date_range)
        if not source.by_period:
            days = [middle_of(period_of(item)) for item in items]
            sentence = told(days, collection.time_per_point)
            if sentence:
                planning.tell(f'"{collection.key}": {sentence}')
        if not isinstance(source, Surveying):
            return items
        requests = [self.request(planning.scope, item, settings) for item in items]
        return source.survey(requests, planning.tell)

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
    """Fetch the red, green, blue and near-infrared bands of each date, and its vegetation index.

    A collection may be an index alone, without bands.
    """

    Settings = VegetationDownloaderSettings
    data_type = "vegetation"

    @classmethod
    def settled(
        cls, settings: VegetationDownloaderSettings, where: str, warn: Callable[[str], None]
    ) -> VegetationDownloaderSettings:
        """With the formula of the index, whose bands must all be named."""
        del warn
        made = settled_index(settings, where)
        if not made.is_given:
            check_bands(made, where)
        return made

    def items(self, planning: Planning, settings: VegetationDownloaderSettings) -> Sequence[Item]:
        """The dates that the Source has; a Source that lays pixels has bands, and no index."""
        source = known_collection(planning.scope).source
        if settings.is_given and getattr(registry.load("source", source), "lays_grid", False):
            raise missing("RGB_bands", f'"{planning.scope.sequence}": VegetationDownloader')
        return super().items(planning, settings)

    def request(self, scope: Scope, item: Item, settings: VegetationDownloaderSettings) -> Request:
        """RGB and what the index is made of; the index too where the Source has it ready."""
        index = settings.index
        made_of = () if settings.is_given else bands_of(settings, scope.sequence).values()
        bands = dict.fromkeys((*settings.RGB_bands, *made_of, index))
        return Request(
            place=Subject.of(scope).place,
            collection=known_collection(scope),
            item=item,
            bands={name: name for name in bands},
            optional=() if settings.is_given else (index,),
            index=index,
            scale=settings.scale,
            mask_cloud=settings.mask_cloud,
            cloudy_pix_frac=settings.cloudy_pix_frac,
            cloudy_pix_flag=settings.cloudy_pix_flag,
        )

    def run(self, job: EarthJob[VegetationDownloaderSettings]) -> None:
        """Fetch one date; its index is NaN wherever a pixel is masked, whoever made it.

        Pixels outside of the region's outline are masked. The share of valid ones is of those
        inside.
        """
        with usage.part("read"):
            scene = job.source.fetch(self.request(job.scope, job.item, job.settings))
        rgb, nir = job.settings.RGB_bands, job.settings.NIR_band
        checked = check_image(scene.rasters, scene.record, rgb, nir)
        rasters, inside = keep_inside(checked.rasters, job.place.outline)
        valid, notes = add_index(rasters, job.settings)
        if not valid:
            job.skip("every pixel is masked or empty")
        self.keep(job, rasters)
        job.notes.update(
            {**scene.record, **checked.notes, **notes, "valid_fraction": valid / inside}
        )
        # Beside the rasters too: whoever downloads them alone sees what they were made from.
        record = formats.encode_json(job.notes, indent=1)
        job.store.write(job.layout.download_record(job.item.name), record)


def missing(name: str, where: str) -> ConfigError:
    """That a setting must be given."""
    doc = params.names(IndexSettings)[name].metadata["doc"]
    return ConfigError(f'{where}: the setting "{name}" must be given ({doc})')


def check_bands(settings: IndexSettings, where: str) -> None:
    """Refuse settings that do not name all bands of the index, and one picture's three.

    Raises
    ------
    ConfigError
    """
    if settings.RGB_bands:
        check_rgb(settings.RGB_bands, where)
    names = {"R": "RGB_bands", "G": "RGB_bands", "B": "RGB_bands", "N": "NIR_band"}
    for letter in formulas.names_in(settings.index_formula):
        if letter in names and letter not in settings.letters:
            raise missing(names[letter], where)
    bands_of(settings, where)


def check_rgb(bands: Sequence[str], where: str) -> tuple[str, str, str]:
    """Red, green and blue, exactly."""
    if len(bands) != 3:
        raise ConfigError(
            f'"{where}": RGB_bands = {list(bands)} are not three bands',
            "name red, green and blue, in this order",
        )
    red, green, blue = bands
    return red, green, blue


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
        with usage.part("read"):
            scene = job.source.fetch(self.request(job.scope, job.item, job.settings))
        period = period_of(job.item)
        days = (period.end - period.start).days
        # A date of a Source of dates stands for its day; its rain may be that of a month.
        days = days if job.source.by_period else max(days, LONGEST_PERIOD)
        checked = check_weather(scene.rasters, scene.record, days)
        self.keep(job, checked.rasters)
        job.notes.update(scene.record)
        job.notes.update(checked.notes)
