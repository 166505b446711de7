"""The Source of imagery from STAC catalogues: one composite per period."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pyveg.core import params
from pyveg.core.errors import ConfigError, DataError, SkipItem
from pyveg.core.tasks import digest
from pyveg.core.types import Item
from pyveg.earth import periods
from pyveg.earth.periods import period_of
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.kernels import composite
from pyveg.sources import hls
from pyveg.sources.answers import Answers
from pyveg.sources.circuit import host_of
from pyveg.sources.grid import Grid
from pyveg.sources.stac.radiometry import (
    DoubtError,
    Radiometry,
    band_number,
    baseline,
    baseline_text,
    platform,
    radiometry,
)
from pyveg.sources.stac.settings import SENSORS, StacSettings, check
from pyveg.sources.stac.times import span_of, text_of_time, time_of, within
from pyveg.sources.utm import utm_grid

if TYPE_CHECKING:
    from pyveg.sources.stac.catalogue import Scene as StacItem

VERSION = 1
"""Raised when the same scenes give other numbers, so that old answers are not used."""
CLOUD_FLAG = "eo:cloud_cover"
"""The property of STAC that tells a scene's share of cloud, percent."""


@dataclass
class _Ledger:
    """What became of the scenes of a period."""

    total: int = 0
    used: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    """Why -> ids."""

    def leave_out(self, why: str, scene: StacItem) -> None:
        self.left_out.setdefault(why, []).append(scene["id"])

    def use(self, scene: StacItem, meaning: Radiometry) -> None:
        about = scene["properties"]
        self.used.append(
            {
                "id": scene["id"],
                "datetime": about.get("datetime") or text_of_time(scene),
                "platform": platform(scene),
                "baseline": baseline_text(scene),
                "scale": meaning.scale,
                "offset": meaning.offset,
                "rule": meaning.rule,
            }
        )

    @property
    def reasons(self) -> str:
        """``"2 too cloudy, 1 without its mask"``."""
        return ", ".join(f"{len(ids)} {why}" for why, ids in self.left_out.items())


class StacSource:
    """Median composites of clear pixels, from any STAC catalogue.

    The scenes of a period that touch the place are filtered by their share of cloud, read on the
    UTM grid of the place, turned into reflectance by what their items say, and masked by their
    own mask band. Scenes of one solar day, which are tiles of one overpass, are laid over each
    other, the newest processing first; the composite is the median of the days, band by band. A
    pixel that lacks one band lacks all.

    Parameters
    ----------
    settings : StacSettings

    Raises
    ------
    ConfigError
        For settings that cannot work together.
    """

    Settings: ClassVar[type] = StacSettings
    by_period: ClassVar[bool] = True
    must_agree: ClassVar[tuple[str, ...]] = ()
    ignores: ClassVar[tuple[str, ...]] = ()
    lays_grid: ClassVar[bool] = True

    def __init__(self, settings: StacSettings) -> None:
        check(settings)
        self.settings = settings

    def items(self, collection: Collection, place: Place, dates: DateRange) -> Sequence[Item]:
        """Whole periods of the date range; those without an image are skipped when fetched."""
        del place
        return periods.items(dates, collection.time_per_point)

    def fingerprint(self, request: Request) -> str:
        """Settings, and for a local catalogue the scenes and files of the period."""
        plain = params.to_json(self.settings, results_only=True)
        if not plain["with_collections"]:
            del plain["with_collections"]  # answers from before there was this setting are good
        return digest([VERSION, plain, self._files(request)])

    def fetch(self, request: Request) -> Scene:
        """Make the composite of one period, unless its answer is stored.

        Raises
        ------
        SkipItem
            If no scene is left, with what became of them.
        ConfigError
            If there is no such catalogue or collection.
        DataError
            For scenes that cannot be used.
        ServiceError
            If the service does not answer.
        """
        answers = Answers(self.settings.cache)
        return answers.fetch(request, self.fingerprint(request), lambda: self._make(request))

    def has(self, request: Request) -> bool:
        """Whether the answer is stored, or made of files on this machine."""
        if self.settings.local:
            return True
        return Answers(self.settings.cache).has(request, self.fingerprint(request))

    def reach(self) -> None:
        """Look whether the catalogue and who signs its links are there.

        Raises
        ------
        ServiceAwayError
            If one is not.
        """
        from pyveg.sources import http

        http.reach(self.settings.url, self.settings.title)
        if host_of(self.settings.signing) not in ("", host_of(self.settings.url)):
            http.reach(self.settings.signing, f"the signing service of {self.settings.title}")

    def _files(self, request: Request) -> str:
        if not self.settings.local:
            return ""
        from pyveg.sources.stac import catalogue

        box = catalogue.box_of(utm_grid(request.place, request.scale))
        return catalogue.fingerprint(self.settings, box, period_of(request.item))

    def _make(self, request: Request) -> Scene:
        from pyveg.sources.stac import catalogue

        grid = utm_grid(request.place, request.scale)
        period = period_of(request.item)
        scenes = catalogue.find(self.settings, catalogue.box_of(grid), period)
        ledger = _Ledger(len(scenes))
        chosen = self._choose(scenes, request, ledger)
        bands = _bands(request, scenes)
        layers = self._layers(chosen, tuple(bands.values()), request, grid, ledger)
        if not layers:
            raise SkipItem(self._nothing(request, ledger))
        stacks = {band: [layer[band] for layer in layers.values()] for band in bands.values()}
        done = {band: composite.median(np.stack(stack)) for band, stack in stacks.items()}
        whole = {band: composite.to_uint16(values) for band, values in done.items()}
        rasters = {name: grid.raster(whole[band], nodata=0.0) for name, band in bands.items()}
        return Scene(rasters, self._record(request, ledger, list(layers), done))

    def _choose(self, scenes: list[StacItem], request: Request, ledger: _Ledger) -> list[StacItem]:
        """Scenes worth reading."""
        flag = request.cloudy_pix_flag or CLOUD_FLAG
        chosen = []
        for scene in _newest(_timed(scenes, period_of(request.item), ledger), ledger):
            cloud = scene["properties"].get(flag)
            masked = request.mask_cloud and self.settings.mask != "none"
            # A scene that does not state its cloud is read: its own mask decides.
            if cloud is not None and float(cloud) >= request.cloudy_pix_frac:
                ledger.leave_out("too cloudy", scene)
            elif masked and self.settings.mask_band not in scene["assets"]:
                ledger.leave_out("without its mask", scene)
            else:
                chosen.append(scene)
        self._check_sensors(chosen)
        return chosen

    def _check_sensors(self, scenes: list[StacItem]) -> None:
        names = {platform(scene) for scene in scenes}
        sensors = set(map(_sensor, scenes))
        if len(sensors) > 1 and not self.settings.mixed_sensors:
            raise DataError(
                f"the scenes are of several platforms, {', '.join(sorted(names))}",
                "set platforms to those of one sensor, or mixed_sensors = True",
            )

    def _layers(
        self,
        scenes: list[StacItem],
        bands: tuple[str, ...],
        request: Request,
        grid: Grid,
        ledger: _Ledger,
    ) -> dict[date, dict[str, NDArray[np.float32]]]:
        """Reflectance of each day, NaN where it was not seen."""
        layers: dict[date, dict[str, NDArray[np.float32]]] = {}
        for scene in scenes:
            read = self._read(scene, bands, request, grid, ledger)
            if read is None:
                continue
            day = _solar_day(scene, request.place.longitude)
            # The newest processing comes first: later scenes only fill what it has not seen.
            layer = layers.setdefault(day, read)
            if layer is not read:
                empty = np.isnan(layer[bands[0]])
                for band in bands:
                    np.copyto(layer[band], read[band], where=empty)
        return layers

    def _read(
        self,
        scene: StacItem,
        bands: tuple[str, ...],
        request: Request,
        grid: Grid,
        ledger: _Ledger,
    ) -> dict[str, NDArray[np.float32]] | None:
        """Reflectance of one scene; None where it has nothing to give, and the ledger says why."""
        from pyveg.sources.stac import reading

        absent = [band for band in bands if band not in scene["assets"]]
        if absent:
            ledger.leave_out(f"without {absent[0]}", scene)
            return None
        try:
            # Before anything is read, which takes seconds: this needs the item alone.
            meanings = {band: radiometry(scene, band, self.settings) for band in bands}
        except DoubtError as doubt:
            ledger.leave_out(f"of unknown offset: {doubt}", scene)
            return None
        helpers = self._helpers(scene, request)
        try:
            raw = reading.read(scene, [*bands, *helpers], grid, self.settings)
        except reading.SceneGoneError:
            ledger.leave_out("without their files", scene)
            return None
        valid = self._clear(scene, raw, bands, helpers)
        if not valid.any():
            ledger.leave_out("without a clear pixel here", scene)
            return None
        ledger.use(scene, meanings[bands[0]])
        return {
            band: np.where(
                valid,
                composite.counts(raw[band][0], meanings[band].scale, meanings[band].offset),
                np.float32("nan"),
            )
            for band in bands
        }

    def _helpers(self, scene: StacItem, request: Request) -> list[str]:
        """Bands that tell which pixels are good."""
        if not request.mask_cloud or self.settings.mask == "none":
            return []
        extra = self.settings.saturation_band
        return [self.settings.mask_band, *([extra] if extra in scene["assets"] else [])]

    def _clear(
        self,
        scene: StacItem,
        raw: Mapping[str, tuple[NDArray[Any], float]],
        bands: Sequence[str],
        helpers: Sequence[str],
    ) -> NDArray[np.bool_]:
        """Pixels with a number in all bands that the mask calls clear."""
        from pyveg.sources.stac.reading import missing_mask

        valid: NDArray[np.bool_] = ~np.any([missing_mask(*raw[band]) for band in bands], axis=0)
        if helpers:
            mask = raw[helpers[0]][0]
            if self.settings.mask == "scl":
                valid &= composite.clear_by_scl(mask, self.settings.keep_classes)
            elif self.settings.mask == "fmask":
                valid &= composite.clear_by_fmask(mask)
            else:
                valid &= composite.clear_by_qa_pixel(mask)
        for helper in helpers[1:]:
            for band in bands:
                number = band_number(scene, band)
                if number is not None:
                    valid &= ~composite.saturated(raw[helper][0], number)
        return valid

    def _nothing(self, request: Request, ledger: _Ledger) -> str:
        where = f"{self.settings.title} in {period_of(request.item)}"
        if not ledger.total:
            only = f" by {', '.join(self.settings.platforms)}" if self.settings.platforms else ""
            what = f"{' or '.join(self.settings.collections)}{only}"
            return f"no image: no scene of {what} here, from {where}"
        limit = f" (cloudy_pix_frac = {request.cloudy_pix_frac:g})"
        reasons = ledger.reasons.replace("too cloudy", f"too cloudy{limit}")
        return f"no image: of {ledger.total} scenes from {where}, {reasons}"

    def _record(
        self,
        request: Request,
        ledger: _Ledger,
        days: list[date],
        done: Mapping[str, NDArray[np.float32]],
    ) -> dict[str, Any]:
        """Where the composite came from."""
        seen = np.isfinite(next(iter(done.values())))
        dark = np.any([values[seen] < 1 for values in done.values()], axis=0)
        baselines = sorted({str(scene["baseline"]) for scene in ledger.used if scene["baseline"]})
        record = {
            "source": "stac",
            "catalogue": self.settings.url,
            "collection": ", ".join(self.settings.collections),
            "period": [str(period_of(request.item).start), str(period_of(request.item).end)],
            "n_scenes": len(ledger.used),
            "n_days": len(days),
            "scenes": ledger.used,
            "left_out": ledger.left_out,
            "valid_fraction": float(seen.mean()),
            "clipped_fraction": float(dark.mean()),
            "baselines": baselines,
            "platforms": sorted({scene["platform"] for scene in ledger.used}),
            "harmonised": len({scene["offset"] for scene in ledger.used}) > 1,
        }
        # As an answer from the cache gives it, so that both make the same manifest.
        plain: dict[str, Any] = json.loads(json.dumps(record))
        return plain


def _bands(request: Request, scenes: list[StacItem]) -> dict[str, str]:
    """Raster -> band. What is optional, such as NDVI, is made by those who ask."""
    wanted = {name: b for name, b in request.bands.items() if name not in request.optional}
    if any(map(hls.is_landsat, scenes)):
        hls.check_bands(request.collection.key, wanted.values())
    known = {band for scene in scenes for band in scene["assets"]}
    for band in wanted.values():
        if known and band not in known:
            raise ConfigError(
                f'collection "{request.collection.key}": its scenes have no band "{band}"',
                f"they have {', '.join(sorted(known))}",
            )
    return wanted


def _timed(scenes: list[StacItem], period: DateRange, ledger: _Ledger) -> list[StacItem]:
    """Scenes that were taken inside of a period, and say so."""
    chosen = []
    for scene in scenes:
        if span_of(scene) is None:
            ledger.leave_out("without a time", scene)
        elif not within(scene, period):
            ledger.leave_out("of a time that is longer than the period", scene)
        else:
            chosen.append(scene)
    return chosen


def _sensor(scene: StacItem) -> str:
    """What sees the same as all scenes of the same name."""
    name = platform(scene)
    if hls.is_scene(scene):
        return hls.SENSOR
    return SENSORS.get(name, "MSI" if "sentinel-2" in name else name)


def _newest(scenes: list[StacItem], ledger: _Ledger) -> list[StacItem]:
    """Scenes, the newest processing first; an older one of the same image is left out."""
    ordered = sorted(scenes, key=lambda scene: baseline(scene) or (0, 0), reverse=True)
    newest: dict[tuple[str, str], Any] = {}
    chosen = []
    for scene in ordered:
        about = scene["properties"]
        tile = about.get("grid:code") or about.get("s2:mgrs_tile")
        # To the second: two processings of one image may differ in the fractions.
        key = (str(tile), text_of_time(scene)[:19])
        if tile and newest.setdefault(key, baseline(scene)) != baseline(scene):
            ledger.leave_out("processed anew since", scene)
        else:
            chosen.append(scene)
    return chosen


def _solar_day(scene: StacItem, longitude: float) -> date:
    """The day at the place: tiles of one overpass share it, also where UTC changes its day."""
    moment = time_of(scene)
    if moment is None:
        raise DataError(
            f"the scene {scene['id']} does not say when it was taken",
            'give its item a "datetime", or leave it out of the catalogue',
        )
    return (moment + timedelta(hours=float(longitude) / 15)).date()
