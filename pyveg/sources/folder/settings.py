"""What a user may say of a folder of images, beyond what the files say themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyveg.core.errors import ConfigError
from pyveg.core.params import setting

DEFAULT_PATTERN = "{date}/RAW/download.{band}.tif"
"""How pyveg keeps its own rasters."""
JOINS = ("first", "median")


@dataclass(frozen=True, kw_only=True)
class FolderSettings:
    """Settings of `FolderSource`."""

    path: str = setting(doc="the folder that holds the dates; ~ is your home")
    pattern: str = setting(
        "",
        doc="path of a file below it, with {date} and {band}; * stands for any text; where empty, "
        "names as pyveg, ESA, USGS, Planet and HLS write them are recognised",
    )
    layout: str = setting(
        "", doc='names of one kind only: "sentinel2", "landsat", "hls" or "planet"'
    )
    bands: dict[str, Any] = setting(
        {},
        doc='where a band is: its number in the file ({"B4": 1}), its description there, or its '
        "name in the pattern",
    )
    scale: dict[str, Any] | float | None = setting(
        None, doc="reflectance is number x scale + offset; one for all bands or by band"
    )
    offset: dict[str, Any] | float | None = setting(None, doc="see scale")
    nodata: dict[str, Any] | float | None = setting(
        None,
        doc="number that marks missing pixels; one for all bands or by band",
        finite=False,
    )
    units: dict[str, Any] | str | None = setting(
        None,
        doc='"reflectance", "percent" or "reflectance x 10000"; of weather by band, such as '
        '{"rain": "mm", "t2m": "degC"}',
    )
    crs: str = setting("", doc='reference system of files that state none, such as "EPSG:32633"')
    regrid: bool = setting(
        False, doc="warp images with other pixels, zones or directions to the grid of the others"
    )
    crop: bool = setting(
        False, doc="use the square of region_size around the coordinates, not the whole images"
    )
    join: str = setting(
        "", doc='what tiles of one day become: the "first" valid pixel, or their "median"'
    )
    mask_band: str = setting("", doc="band that says which pixels are clear, such as SCL")
    mask: str = setting(
        "", doc='how it says that: "SCL", "QA_PIXEL", "Fmask", "UDM2"; by its name where empty'
    )
    clear_values: tuple[int, ...] = setting((), doc="values of the mask band that are clear")
    clear_bits: tuple[int, ...] = setting(
        (), doc="bits of the mask band, 0 being the lowest, any of which says that a pixel is clear"
    )
    masked_bits: tuple[int, ...] = setting(
        (), doc="bits of the mask band, any of which says that a pixel is not clear"
    )
    mask_limit: float | None = setting(
        None,
        doc="the mask band is a probability of cloud; pixels at this value or above are masked",
    )


def check(settings: FolderSettings) -> None:
    """Refuse settings that contradict each other.

    Raises
    ------
    ConfigError
    """
    if settings.pattern and settings.layout:
        raise ConfigError(
            f'pattern = "{settings.pattern}" and layout = "{settings.layout}" both say how files '
            "are named",
            "give one of them",
        )
    if settings.join and settings.join not in JOINS:
        raise ConfigError(f'join = "{settings.join}" is unknown', 'write "first" or "median"')
    for name, number in settings.bands.items():
        if not isinstance(number, int | str) or isinstance(number, bool) or number in (0, ""):
            raise ConfigError(
                f'bands["{name}"] = {number!r} is no band of a file',
                'give its number, beginning with 1, or its name, as in {"B4": 3}',
            )
    if isinstance(settings.scale, int | float) and settings.scale > 1:
        raise ConfigError(
            f"scale = {settings.scale} is no scale of reflectance: for a folder it is what the "
            "numbers in the files are multiplied with",
            "leave it out if it is meant as the size of pixels, which files have of their own",
        )
    for name in ("scale", "offset", "nodata"):
        _check_numbers(name, getattr(settings, name))


def _check_numbers(name: str, given: Mapping[str, Any] | float | None) -> None:
    values = given.items() if isinstance(given, Mapping) else [("", given)]
    for band, value in values:
        where = f'{name}["{band}"]' if band else name
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ConfigError(f"{where} = {value!r} is no number", "give a number")
        if name == "scale" and value is not None and not value > 0:
            raise ConfigError(f"{where} = {value!r} is out of range", "it must be above 0")


def of_band(given: Mapping[str, Any] | Any, *names: str) -> Any:
    """What is said of a band, by any of its names; None where nothing is."""
    if not isinstance(given, Mapping):
        return given
    return next((given[name] for name in names if name in given), None)
