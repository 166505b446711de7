"""The settings of imagery from STAC catalogues, and what is known of services by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pyveg.core.errors import ConfigError
from pyveg.core.params import setting
from pyveg.kernels.composite import SCL_KEPT
from pyveg.sources import hls
from pyveg.sources.network import NetworkSettings


@dataclass(frozen=True)
class Service:
    """A STAC API that is known by name."""

    url: str
    sign_url: str = ""
    """Where links are signed; empty where they need no signature."""


SERVICES = {
    "earth_search": Service("https://earth-search.aws.element84.com/v1"),
    "planetary_computer": Service(
        "https://planetarycomputer.microsoft.com/api/stac/v1",
        "https://planetarycomputer.microsoft.com/api/sas/v1/token",
    ),
}

SENSORS = {
    "landsat-4": "TM",
    "landsat-5": "TM",
    "landsat-7": "ETM+",
    "landsat-8": "OLI",
    "landsat-9": "OLI",
}
"""Landsat's sensors, by the names that platforms have in STAC."""


def spelled(platform: str) -> str:
    """A satellite's name as STAC recommends to write it; catalogues also have ``LANDSAT_8``."""
    return platform.lower().replace("_", "-")


@dataclass(frozen=True, kw_only=True)
class StacSettings(NetworkSettings):
    """Settings of `StacSource`."""

    catalogue: str = setting(
        "earth_search",
        doc='"earth_search", "planetary_computer", or the address of any other STAC API or '
        "static catalogue",
    )
    path: str = setting("", doc="a static catalogue on this machine instead: its catalog.json")
    stac_collection: str = setting(doc="id of the collection in the catalogue")
    with_collections: tuple[str, ...] = setting(
        (), doc="ids of more collections whose scenes go into the same composites: those of HLS"
    )
    platforms: tuple[str, ...] = setting(
        (), doc='only scenes of these platforms, such as ["landsat-8"]; empty for all'
    )
    mixed_sensors: bool = setting(False, doc="allow several sensors in one series")
    mask: Literal["scl", "qa_pixel", "fmask", "none"] = setting(
        "scl",
        doc="kind of the mask band: Sentinel-2's scl, Landsat's qa_pixel, HLS's fmask, or no band",
    )
    mask_band: str = setting("scl", doc="name of that band")
    saturation_band: str = setting(
        "", doc="name of Landsat's QA_RADSAT band; empty: saturation is not looked at"
    )
    keep_classes: tuple[int, ...] = setting(SCL_KEPT, doc="classes of the scl band that are clear")
    offset_rule: Literal["auto", "earth_search", "fixed"] = setting(
        "auto", doc="how scale and offset of a scene are decided"
    )
    value_scale: float | None = setting(None, doc='reflectance of one count, for "fixed"', low=0)
    value_offset: float | None = setting(None, doc='reflectance of the count 0, for "fixed"')
    sign_url: str = setting(
        "",
        doc="address that signs links; empty: that of the service, where it is known",
        results=False,
    )
    trusted_hosts: tuple[str, ...] = setting(
        (),
        doc='hosts or "s3://bucket" that the catalogue may link to though they are neither https '
        "nor itself, or lie in a private network",
        results=False,
    )
    read_threads: int = setting(
        4, doc="bands of a scene that are read at once", low=1, high=32, results=False
    )

    @property
    def collections(self) -> tuple[str, ...]:
        """Ids of all collections of the series."""
        return tuple(dict.fromkeys((self.stac_collection, *self.with_collections)))

    @property
    def url(self) -> str:
        """Where the catalogue is."""
        if self.path:
            return self.path
        service = self.service
        return service.url if service else self.catalogue

    @property
    def service(self) -> Service | None:
        """What is known of the catalogue, by whichever name it was given."""
        # By name or by address: the service signs its links, whichever of them was given.
        for name, service in SERVICES.items():
            if not self.path and self.catalogue.rstrip("/") in (name, service.url):
                return service
        return None

    @property
    def local(self) -> bool:
        """Whether it is a static catalogue in files."""
        return bool(self.path)

    @property
    def signing(self) -> str:
        """Where its links are signed, or nothing."""
        service = self.service
        return self.sign_url or (service.sign_url if service else "")

    @property
    def doubts_flag(self) -> bool:
        """Whether scenes that deny that their offset is applied are not believed."""
        liar = (SERVICES["earth_search"], "sentinel-2-l2a")
        same = (self.service, self.stac_collection) == liar
        return self.offset_rule == "earth_search" or (self.offset_rule == "auto" and same)

    @property
    def title(self) -> str:
        """The catalogue as messages name it."""
        return self.path or self.catalogue


def check(settings: StacSettings) -> None:
    """Refuse what cannot work, before anything is asked for.

    Raises
    ------
    ConfigError
    """
    if not (settings.path or settings.service or "://" in settings.catalogue):
        known = ", ".join(f'"{name}"' for name in SERVICES)
        raise ConfigError(
            f'catalogue = "{settings.catalogue}" is unknown',
            f'write {known} or an address with "https://", or give a catalogue on this machine as '
            "path",
        )
    fixed = (settings.value_scale, settings.value_offset)
    if settings.offset_rule == "fixed" and None in fixed:
        raise ConfigError(
            'offset_rule = "fixed" lacks the numbers', "give value_scale and value_offset"
        )
    if settings.offset_rule != "fixed" and fixed != (None, None):
        raise ConfigError(
            'value_scale and value_offset act with offset_rule = "fixed" only',
            "set it, or leave them out",
        )
    if settings.mask != "none" and not settings.mask_band:
        raise ConfigError(
            f'mask = "{settings.mask}" needs a band',
            'set mask_band to its name, or set mask = "none"',
        )
    _check_together(settings)
    _check_sensors(settings)


def _check_together(settings: StacSettings) -> None:
    """Collections in one series: those of HLS, which are made for it."""
    strange = [name for name in settings.collections if not hls.is_collection(name)]
    if settings.with_collections and strange:
        raise ConfigError(
            f'"{strange[0]}" cannot be in one series with other collections',
            "leave it out of with_collections, which joins the collections of HLS (L30 and S30)",
        )


def _check_sensors(settings: StacSettings) -> None:
    """One sensor per series: a change of sensor looks like a change of the vegetation."""
    if settings.mixed_sensors:
        return
    cure = "keep those of one sensor, or set mixed_sensors = True, which results record"
    names = map(spelled, settings.platforms)
    sensors = sorted({SENSORS[name] for name in names if name in SENSORS})
    if len(sensors) > 1:
        raise ConfigError(f"platforms = {list(settings.platforms)} mix the sensors {sensors}", cure)
    if settings.mask == "qa_pixel" and not settings.platforms:
        raise ConfigError(
            "platforms is empty, and Landsat's collections hold several sensors",
            'name platforms of one sensor, such as ["landsat-8", "landsat-9"], or set '
            "mixed_sensors = True",
        )
