"""GeoTIFFs that are there already: downloads of other programs and of earlier runs of pyveg.

The pattern of a path says where date and band stand in it. ``{date}`` is a day as YYYY-MM-DD,
``{band}`` the name of a band and ``*`` any text without "/". The default is how pyveg keeps
its own rasters::

    {date}/RAW/download.{band}.tif       2018-03-16/RAW/download.B4.tif
    {date}/RAW/*.{band}.tif              2018-03-16/RAW/4f2c1.total_precipitation.tif
    {band}_{date}.tif                    B4_2018-03-16.tif
    *_{date}_*/{band}_10m.tif            T33_2018-03-16_L2A/B04_10m.tif
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import ClassVar

import numpy as np

from pyveg import formats
from pyveg.core.errors import ConfigError, DataError, SkipItem
from pyveg.core.params import setting
from pyveg.core.types import Item
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.kernels.images import valid_pixels

DATE, BAND, ANY = "{date}", "{band}", "*"
_TOKENS = re.compile(r"(\{date\}|\{band\}|\*)")
_SHOWN = 8
"""Names that a message lists before it only counts them."""


@dataclass(frozen=True, kw_only=True)
class FolderSettings:
    """Settings of `FolderSource`."""

    path: str = setting(doc="the folder that holds the dates; ~ is your home")
    pattern: str = setting(
        "{date}/RAW/download.{band}.tif",
        doc="path of a file below it, with {date} and {band}; * stands for any text",
    )


class FolderSource:
    """GeoTIFFs of one band each, in a folder of this machine.

    The dates are those that are found in names; an Item stands for its day alone. Rasters are
    those of the files, with their georeferencing, and a run keeps the files byte for byte; only
    where a file marks missing pixels by another number than results do, they become 0 in integer
    reflectance and NaN elsewhere.

    Parameters
    ----------
    settings : FolderSettings

    Raises
    ------
    ConfigError
        For a pattern that is no relative path with {date} and {band}.
    """

    Settings: ClassVar[type] = FolderSettings
    by_period: ClassVar[bool] = False
    must_agree: ClassVar[tuple[str, ...]] = ()
    ignores: ClassVar[tuple[str, ...]] = (
        "scale",
        "mask_cloud",
        "cloudy_pix_frac",
        "cloudy_pix_flag",
        "time_per_point",
    )
    """Its Items are the dates that are there, not the periods of the date range."""

    def __init__(self, settings: FolderSettings) -> None:
        self.settings = settings
        self.path = Path(settings.path).expanduser()
        self._parts = _parts(settings.pattern)

    def items(self, collection: Collection, place: Place, dates: DateRange) -> Sequence[Item]:
        """Dates inside the range that have a folder or, where the pattern has none, a file.

        Raises
        ------
        ConfigError
            If the folder is missing or holds no date of the range.
        """
        del place
        where = f'collection "{collection.key}"'
        if not self.path.is_dir():
            what = "is no folder" if self.path.exists() else "does not exist"
            raise ConfigError(
                f"{where}: the path {self.path} {what}", "set path to the folder with the dates"
            )
        there = sorted(set(self._dates()))
        chosen = [day for day in there if dates.start <= day < dates.end]
        if not chosen:
            days = f"it has {_listed([str(day) for day in there])}" if there else "it has no date"
            raise ConfigError(
                f"{where}: {self.path} has no date in {dates} by the pattern "
                f'"{self.settings.pattern}"; {days}',
                "set another date_range" if there else "set another path or pattern",
            )
        return [Item(str(day)) for day in chosen]

    def fingerprint(self, request: Request) -> str:
        """Digest of the contents of all files that the request reads, and of what is missing."""
        digest = hashlib.blake2b(digest_size=16)
        for name, band in sorted(request.bands.items()):
            files = self._files(request.item.name, band)
            # With their number, so that a file that appears or goes makes another digest.
            digest.update(f"{name}:{band}:{len(files)};".encode())
            for file in files:
                digest.update(f"{file.relative_to(self.path)}:".encode())
                # Contents and not times, so that a copy of the folder makes no new run.
                digest.update(_file_digest(file))
        return digest.hexdigest()

    def fetch(self, request: Request) -> Scene:
        """Read the files of one date.

        Raises
        ------
        SkipItem
            If the date has no file, or a band without any value.
        DataError
            For a band that is missing or ambiguous, a file that is no GeoTIFF of one band, or
            bands that differ in shape.
        """
        files = self._find(request)
        weather = request.collection.data_type == "weather"
        rasters = {
            name: _without_nodata(_decode(_read(file), file), weather=weather)
            for name, file in files.items()
        }
        _check_shapes(rasters, files)
        needed = {name: r for name, r in rasters.items() if name not in request.optional}
        _check_values(needed, files, weather=weather)
        record = {
            "source": "folder",
            "path": str(self.path),
            "files": {name: str(file.relative_to(self.path)) for name, file in files.items()},
            "valid_fraction": _valid_fraction(needed, weather=weather),
        }
        return Scene(rasters, record)

    def _dates(self) -> Iterator[date]:
        """Dates in the names down to the first part of the pattern that has one."""
        depth = next(i for i, part in enumerate(self._parts) if DATE in part) + 1
        folders = depth < len(self._parts)
        for path, text in _walk(self.path, [_matcher(part) for part in self._parts[:depth]]):
            day = _date(text)
            if day is not None and path.is_dir() == folders:
                yield day

    def _files(self, day: str, band: str) -> list[Path]:
        """Files of one band of one date, sorted."""
        patterns = [_matcher(part, day, band) for part in self._parts]
        return sorted(path for path, _ in _walk(self.path, patterns) if path.is_file())

    def _find(self, request: Request) -> dict[str, Path]:
        """The one file of each band; without optional bands that are not there."""
        day = request.item.name
        files = {name: self._files(day, band) for name, band in request.bands.items()}
        needed = [name for name in request.bands if name not in request.optional]
        for name in request.bands:
            if len(files[name]) > 1:
                names = _listed([str(file) for file in files[name]])
                raise DataError(
                    f'{day}: {len(files[name])} files match the band "{request.bands[name]}": '
                    f"{names}",
                    "make the pattern narrower",
                )
        missing = [name for name in needed if not files[name]]
        if missing:
            self._explain_missing(day, request.bands[missing[0]])
        return {name: paths[0] for name, paths in files.items() if paths}

    def _explain_missing(self, day: str, band: str) -> None:
        """Say what was looked for and what there is."""
        patterns = [_matcher(part, day) for part in self._parts]
        there = sorted(path for path, _ in _walk(self.path, patterns) if path.is_file())
        if not there:
            others = self._same_folder(day)
            if not others:
                raise SkipItem(f"no image: {self.path} has no file for {day}")
            there = others
        wanted = self.settings.pattern.replace(DATE, day).replace(BAND, band)
        names = _listed([str(path.relative_to(self.path)) for path in there])
        raise DataError(
            f'{day}: there is no file {self.path / wanted} for the band "{band}"; there are '
            f"{names}",
            "set a pattern that these match, or add the file",
        )

    def _same_folder(self, day: str) -> list[Path]:
        """Files under the dated folder, whatever they are called."""
        depth = next(i for i, part in enumerate(self._parts) if DATE in part) + 1
        if depth == len(self._parts):
            return []
        folders = _walk(self.path, [_matcher(part, day) for part in self._parts[:depth]])
        return sorted(path for folder, _ in folders for path in folder.rglob("*") if path.is_file())


def _parts(pattern: str) -> list[str]:
    """A pattern, checked, by its folders."""
    where = f'pattern = "{pattern}"'
    unknown = re.findall(r"\{[^}]*\}?", _TOKENS.sub("", pattern))
    if unknown:
        raise ConfigError(f"{where}: {unknown[0]} is unknown", "write {date} and {band}")
    missing = [token for token in (DATE, BAND) if token not in pattern]
    if missing:
        raise ConfigError(
            f"{where} does not say where {missing[0]} stands", f"write {missing[0]} in its place"
        )
    parts = pattern.split("/")
    if "" in parts or ".." in parts:
        raise ConfigError(
            f"{where} is no path below the folder",
            "write its parts with / between them, without ..",
        )
    return parts


def _matcher(part: str, day: str | None = None, band: str | None = None) -> str | re.Pattern[str]:
    """One part of the pattern: a name, or an expression for many; not given stands for any."""
    given = {DATE: day, BAND: band}
    for token, value in given.items():
        part = part if value is None else part.replace(token, value)
    tokens = _TOKENS.split(part)
    if len(tokens) == 1:
        return part
    text = ""
    for token in tokens:
        if token == DATE:
            # Where the pattern repeats the date, all of its places must show the same one.
            text += "(?P=date)" if "(?P<date>" in text else r"(?P<date>\d{4}-\d{2}-\d{2})"
        else:
            text += {BAND: "[^/]+", ANY: "[^/]*"}.get(token) or re.escape(token)
    return re.compile(text)


def _walk(folder: Path, parts: Sequence[str | re.Pattern[str]]) -> Iterator[tuple[Path, str]]:
    """Paths whose parts match, and the date in them."""
    # Part by part and not by a glob of the whole: folders whose names do not match are not entered.
    first, *others = parts
    for entry, text in _entries(folder, first):
        if others:
            for path, deeper in _walk(entry, others):
                yield path, text or deeper
        else:
            yield entry, text


def _entries(folder: Path, part: str | re.Pattern[str]) -> Iterator[tuple[Path, str]]:
    if isinstance(part, str):
        if (folder / part).exists():
            yield folder / part, ""
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError:  # no folder, or not ours to read: what is in it is missing
        return
    for entry in entries:
        match = part.fullmatch(entry.name)
        if match is not None:
            yield entry, match.groupdict().get("date") or ""


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(
            f"{file} cannot be read: {error.strerror or error}",
            "give yourself permission to read it, and finish the run with --from_cache",
        ) from error


def _file_digest(file: Path) -> bytes:
    """Of the contents; a file that cannot be read has one of its own, and fails when fetched."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "blake2b").digest()
    except OSError:
        return b"unreadable"


def _decode(data: bytes, file: Path) -> formats.Raster:
    """The file's band, and the file itself for those who write it."""
    try:
        return formats.with_encoding(formats.decode_geotiff(data), data)
    except formats.FormatError as error:
        raise DataError(
            f"{file} cannot be used: {error}", "replace it by a GeoTIFF of one band"
        ) from error


def _check_shapes(arrays: Mapping[str, formats.Raster], files: Mapping[str, Path]) -> None:
    (first, raster), *others = arrays.items()
    for name, other in others:
        if other.array.shape != raster.array.shape:
            raise DataError(
                f"the bands are not of one shape: {files[first]} has {_size(raster)} "
                f"and {files[name]} {_size(other)} pixels",
                "resample them to the pixels of one",
            )


def _size(raster: formats.Raster) -> str:
    rows, columns = raster.array.shape
    return f"{columns} x {rows}"


def _without_nodata(raster: formats.Raster, *, weather: bool) -> formats.Raster:
    """Missing pixels as results mark them: 0 in integer reflectance, NaN elsewhere."""
    marker = raster.nodata
    if marker is None or np.isnan(marker) or (marker == 0 and not weather):
        return raster
    missing = raster.array == marker
    if not missing.any():
        return raster
    if raster.array.dtype.kind in "iu" and not weather:
        array, nodata = np.where(missing, 0, raster.array), 0.0
    else:
        kind = np.result_type(raster.array.dtype, np.float32)
        array, nodata = np.where(missing, np.nan, raster.array).astype(kind), float("nan")
    return formats.Raster(array, raster.crs, raster.transform, nodata)


def _check_values(
    rasters: Mapping[str, formats.Raster], files: Mapping[str, Path], *, weather: bool
) -> None:
    """Skip a date with a band that holds nothing; 0 is a value of weather, a month without rain."""
    for name, raster in rasters.items():
        finite = np.isfinite(raster.array)
        if not (finite.any() if weather else (finite & (raster.array != 0)).any()):
            what = "no value" if weather else "nothing but zeros or missing values"
            raise SkipItem(f"no image: {files[name]} has {what}")


def _valid_fraction(rasters: Mapping[str, formats.Raster], *, weather: bool) -> float:
    """Share of pixels that were seen in all bands."""
    arrays = [raster.array for raster in rasters.values()]
    if not arrays:
        return 1.0
    if weather:
        return float(np.all([np.isfinite(array) for array in arrays], axis=0).mean())
    return float(valid_pixels(arrays).mean())


def _listed(names: Sequence[str]) -> str:
    """Names for a message, the first few of many."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
