"""Names of files as ESA, USGS, NASA and Planet write them, and any other that has date and band.

Sources of the conventions: Sentinel-2 Products Specification Document, section 4; Landsat
Collection 2 Level-2 Science Product Guide, section "File naming"; HLS Product User Guide v2.0,
section 6; Planet Imagery Product Specifications, "PSScene".
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pyveg.core.errors import ConfigError
from pyveg.sources.folder import dates
from pyveg.sources.folder.names import Name

SUFFIXES = (".tif", ".tiff", ".jp2", ".img")
"""Endings of files that are looked at where no pattern says which."""

_FOUR = ("blue", "green", "red", "nir")
_EIGHT = ("coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir")
_UDM2 = ("clear", "snow", "shadow", "light_haze", "heavy_haze", "cloud", "confidence", "udm1")


@dataclass(frozen=True)
class Layout:
    """One convention of names."""

    name: str
    title: str
    file: re.Pattern[str]
    """Of the name of a file, with the groups date, and perhaps band, tile and time."""
    form: str
    """Of the date."""
    mask_band: str
    """The band that says which pixels are clear."""
    numbers: Callable[[str], Mapping[str, int]] = lambda _: {}
    """Name of a file -> its bands, where it has several."""
    spellings: Callable[[str, str], tuple[str, ...]] = lambda _band, _tile: ()
    """More names of a band in files of a tile."""
    clashing: Mapping[str, str] = field(default_factory=dict)
    """Names by the last of their spellings that are different bands of different satellites."""

    def read(self, path: Path) -> Name | None:
        """What a file's name says; None for one of another kind."""
        match = self.file.fullmatch(path.name)
        if match is None:
            return None
        groups = match.groupdict()
        read = dates.read(groups["date"], self.form)
        if read is None:
            return None
        tile = ".".join(filter(None, (groups.get("tile"), groups.get("time"))))
        return Name(path, *read, groups.get("band") or "", tile)


def _numbered(names: tuple[str, ...]) -> dict[str, int]:
    """Bands by name, and as B1, B2 ..."""
    by_name = {name: number for number, name in enumerate(names, start=1)}
    return {**{f"B{number}": number for number in by_name.values()}, **by_name}


def _planet(name: str) -> Mapping[str, int]:
    if "udm2" in name.lower():
        return {"UDM2": 1, **_numbered(_UDM2)}
    return _numbered(_EIGHT if "_8b" in name else _FOUR)


def _hls(band: str, tile: str) -> tuple[str, ...]:
    """Landsat has one near infrared, which stands for the narrow one of Sentinel-2."""
    return ("B05",) if tile.startswith("L30") and band.upper() == "B8A" else ()


SENTINEL2 = Layout(
    "sentinel2",
    "Sentinel-2 of ESA",
    re.compile(
        r"(?:L\d[AC]_)?(?P<tile>T\d\d[A-Z]{3})_(?P<date>\d{8})T(?P<time>\d{6})"
        r"_(?P<band>[A-Z0-9]+)(?:_\d\dm)?\.(?:jp2|tiff?)",
        re.IGNORECASE,
    ),
    "%Y%m%d",
    "SCL",
)
LANDSAT = Layout(
    "landsat",
    "Landsat Collection 2 of USGS",
    re.compile(
        r"L[COTEM]0\d_L\d[A-Z]{2}_(?P<tile>\d{6})_(?P<date>\d{8})_\d{8}_\d\d_(?:T1|T2|RT)"
        r"_(?P<band>\w+)\.tiff?",
        re.IGNORECASE,
    ),
    "%Y%m%d",
    "QA_PIXEL",
)
HLS = Layout(
    "hls",
    "Harmonized Landsat and Sentinel-2 of NASA",
    re.compile(
        r"HLS\.(?P<tile>[SL]30\.T\w{5})\.(?P<date>\d{7})T(?P<time>\d{6})\.v\d\.\d\.(?P<band>\w+)\.tiff?",
        re.IGNORECASE,
    ),
    "%Y%j",
    "Fmask",
    spellings=_hls,
    clashing={
        "band5": "near infrared (L30) and red edge (S30)",
        "band6": "short-wave infrared (L30) and red edge (S30)",
        "band7": "short-wave infrared (L30) and red edge (S30)",
        "band9": "cirrus (L30) and water vapour (S30)",
        "band10": "thermal (L30) and cirrus (S30)",
        "band11": "thermal (L30) and short-wave infrared (S30)",
    },
)
PLANET = Layout(
    "planet",
    "PlanetScope",
    re.compile(
        r"(?P<date>\d{8})_(?P<tile>\d{6}(?:_\d\d)?_[0-9a-z]{4})_3B_"
        r"(?:AnalyticMS(?!\w*udm)\w*|(?P<band>udm2)\w*)\.tiff?",
        re.IGNORECASE,
    ),
    "%Y%m%d",
    "UDM2",
    numbers=_planet,
)
_SENSED_FIRST = re.compile(r"MSIL\d\w_\d{8}T\d{6}_|L[COTEM]0\d_L\d\w\w_\d{6}_\d{8}_\d{8}")
"""Products of ESA and USGS, whose names have the day of processing behind that of the image."""
KNOWN = {layout.name: layout for layout in (SENTINEL2, LANDSAT, HLS, PLANET)}


def files(root: Path) -> Iterator[Path]:
    """Files that may be images, below a folder."""
    for folder, inner, names in os.walk(root, followlinks=True):
        inner.sort()
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(folder, name)


def recognise(root: Path) -> Layout | None:
    """The convention that the files of a folder follow, by the first that follows any."""
    for path in files(root):
        for layout in KNOWN.values():
            name = layout.read(path)
            if name is not None:
                return layout
    return None


def of_layout(layout: Layout, root: Path, day: date | None = None) -> list[Name]:
    """Files of a convention; those of one day, where one is given."""
    found = (layout.read(path) for path in files(root))
    return [name for name in found if name is not None and day in (None, name.day)]


def of_any(root: Path, day: date | None = None) -> list[Name]:
    """Files whose name, or else the folders that they lie in, has a day in it."""
    found = []
    for path in files(root):
        for part in reversed(path.relative_to(root).parts):
            said = dates.all_in(part)
            if said:
                _check_one_day(path, part, [one[0] for one in said])
                if day in (None, said[0][0]):
                    found.append(Name(path, said[0][0], said[0][1]))
                break
    return found


def _check_one_day(path: Path, part: str, days: list[date]) -> None:
    """Refuse a name with two days: which of them is that of the image, nobody can tell."""
    if len(set(days)) > 1 and not _SENSED_FIRST.search(part):
        raise ConfigError(
            f"{path}: its name can be read as {' or as '.join(map(str, dict.fromkeys(days)))}",
            'say which one it is by a pattern, such as "{date}_*_{band}.tif", or take the file out',
        )


def has_band(name: Name, spelling: str) -> bool:
    """Whether a band stands in a file's name, between anything but letters and digits.

    Examples
    --------
    >>> has_band(Name(Path("B4_20150830.tif")), "B4"), has_band(Name(Path("B8A_1.tif")), "B8")
    (True, False)
    """
    return bool(re.search(rf"(?<![A-Za-z0-9]){re.escape(spelling)}(?![A-Za-z0-9])", name.path.stem))


def _alone(spelling: str) -> str:
    """Expression for a name that is no part of a longer word."""
    return rf"(?i:(?<![A-Za-z0-9]){re.escape(spelling)}(?![A-Za-z0-9]))"


def tile_of(name: Name, spelling: str) -> str:
    """What else is in a file's name than its band, and its resolution."""
    text = re.sub(_alone(spelling), "", name.path.stem)
    return re.sub(r"_\d\dm\b", "", text)
