"""The Source of a folder: dates, files, grid and pixels put together."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from pyveg import formats
from pyveg.core.errors import ConfigError, DataError, SkipItem
from pyveg.core.types import Item
from pyveg.earth.source import Request, Scene
from pyveg.earth.types import Collection, DateRange, Place
from pyveg.kernels.images import valid_pixels
from pyveg.sources.folder import agreement, beside, masks, opening, reading, settings
from pyveg.sources.folder.bands import number_of
from pyveg.sources.folder.finding import Finder, by_tile
from pyveg.sources.folder.grid import Ground, Placed, north_up
from pyveg.sources.folder.meaning import Kind, Meaning, meaning
from pyveg.sources.folder.names import BAND, Name, Pattern, listed
from pyveg.sources.folder.opening import Header
from pyveg.sources.folder.reading import BandFile, Reading, Tile
from pyveg.sources.folder.settings import FolderSettings
from pyveg.sources.folder.surveying import View, survey, whereabouts

_MASK = "\0mask"
"""Name of the mask band among the rasters; no raster can have it."""


class FolderSource:
    """Images in a folder of this machine.

    The dates are those that are found in names; an Item stands for its day alone. Files are opened
    by their path, so that what lies beside them counts: world files, ``.aux.xml``, masks. All dates
    are brought to one grid, see `pyveg.sources.folder.agreement`. Where a file needs no change a
    run keeps it byte for byte.

    Parameters
    ----------
    settings : FolderSettings

    Raises
    ------
    ConfigError
        For settings that cannot be or contradict each other.
    """

    Settings: ClassVar[type] = FolderSettings
    by_period: ClassVar[bool] = False
    must_agree: ClassVar[tuple[str, ...]] = ()
    ignores: ClassVar[tuple[str, ...]] = (
        "scale",
        "mask_cloud",
        "cloudy_pix_frac",
        "cloudy_pix_flag",
    )
    """Its Items are the dates that are there, not the periods of the date range."""

    def __init__(self, settings_: FolderSettings) -> None:
        settings.check(settings_)
        self.settings = settings_
        self.path = Path(settings_.path).expanduser()
        self.rule = masks.rule_of(settings_)
        if settings_.pattern:
            Pattern(settings_.pattern)
        self._headers: dict[Path, Header] = {}

    @cached_property
    def finder(self) -> Finder:
        """Where its files are."""
        return Finder(self.settings, self.path)

    def items(self, collection: Collection, place: Place, dates: DateRange) -> Sequence[Item]:
        """Dates inside the range that have a folder or, where names have none, a file.

        Raises
        ------
        ConfigError
            If the folder is missing or holds no date of the range.
        """
        del place
        where = f'collection "{collection.key}"'
        self._check_folder(where)
        chosen = [day for day in self.finder.days() if dates.start <= day < dates.end]
        if not chosen:
            raise self.finder.no_dates(where, dates)
        return [Item(str(day)) for day in chosen]

    def survey(self, requests: Sequence[Request], tell: Callable[[str], None]) -> list[Item]:
        """Agree on one grid for all dates before anything is fetched.

        Parameters
        ----------
        requests : sequence of Request
            All that will be asked for.
        tell : callable
            Takes what the user should know.

        Returns
        -------
        list of Item
            Of the requests, each with the grid in its details.

        Raises
        ------
        ConfigError
            If images do not lie on one grid, or nowhere near the place.
        """
        return survey(self._view, requests, tell)

    def place(self) -> Place | None:
        """Where the images are; None where they do not say.

        Raises
        ------
        ConfigError
            If there are none, or they do not lie on one grid.
        """
        self._check_folder("config")
        if not self.finder.days():
            raise self.finder.no_dates("config", None)
        return whereabouts(self._view, self.header)

    def _check_folder(self, where: str) -> None:
        if not self.path.is_dir():
            what = "is no folder" if self.path.exists() else "does not exist"
            raise ConfigError(
                f"{where}: the path {self.path} {what}", "set path to the folder with the dates"
            )

    @property
    def _view(self) -> View:
        return View(self.settings, self.path, self.finder, self.tiles, self.fetch)

    def fingerprint(self, request: Request) -> str:
        """Digest of the contents of all files that the request reads, and of what is missing."""
        digest = hashlib.blake2b(digest_size=16)
        for name, files in sorted(self._found(request).items()):
            band = request.bands.get(name, self.settings.mask_band)
            # With their number, so that a file that appears or goes makes another digest.
            digest.update(f"{name}:{band}:{len(files)};".encode())
            for file in (beside_ for one in files for beside_ in beside.files(one.path)):
                digest.update(f"{file.relative_to(self.path)}:".encode())
                # Contents and not times, so that a copy of the folder makes no new run.
                digest.update(_file_digest(file))
        return digest.hexdigest()

    def fetch(self, request: Request) -> Scene:
        """Read the files of one date.

        Raises
        ------
        SkipItem
            If the date has no file, a band without any value, or no clear pixel.
        DataError
            For a band that is missing or ambiguous, a file that is no image, or files that do not
            lie on one grid.
        """
        tiles = self.tiles(request)
        target, like = self._target(request, tiles)
        weather = request.collection.data_type == "weather"
        placed = [tile.placed for tile in tiles]
        if like.path == self.path:  # the grid itself, whose rows run south whatever files' do
            placed = [[replace(one, ground=north_up(one.ground)) for one in of] for of in placed]
        agreement.check(placed, like, regrid=self.settings.regrid)
        how = Reading(target, weather, self.settings.regrid, self.rule, self.settings.join)
        rasters, masked = reading.read(tiles, how)
        needed = {name: r for name, r in rasters.items() if name not in request.optional}
        files = {name: self._names(tiles, name) for name in rasters}
        _check_values(needed, tiles, weather=weather, masked=masked)
        record = {
            "source": "folder",
            "path": str(self.path),
            "files": {
                name: paths[0] if len(paths) == 1 else paths for name, paths in files.items()
            },
            "valid_fraction": _valid_fraction(needed, weather=weather),
            **self._record(tiles, masked),
        }
        return Scene(rasters, record)

    def _record(self, tiles: Sequence[Tile], masked: float) -> dict[str, object]:
        """What else was done, where anything was."""
        record: dict[str, object] = {}
        means = {
            name: file.meaning.told for name, file in tiles[0].bands.items() if file.meaning.told
        }
        if means:
            record["numbers"] = means
        if self.rule is not None:
            record["mask"] = {"band": self.settings.mask_band, "masked_fraction": masked}
        if len(tiles) > 1:
            record["joined"] = f"{len(tiles)} tiles, {self.settings.join or 'first'} valid pixel"
        return record

    def _names(self, tiles: Sequence[Tile], name: str) -> list[str]:
        paths = [tile.bands[name].path for tile in tiles if name in tile.bands]
        return [str(path.relative_to(self.path)) for path in paths]

    def _target(self, request: Request, tiles: Sequence[Tile]) -> tuple[Ground, Placed]:
        """The grid that was agreed on when the run was planned, or that of the date alone."""
        agreed = request.item.details.get("grid")
        if agreed is not None:
            pixels = Ground.from_json(agreed["pixels"])
            if "like" not in agreed:
                return pixels, Placed(self.path, pixels)
            return pixels, Placed(self.path / agreed["like"], Ground.from_json(agreed["file"]))
        day = request.item.name
        try:
            made = agreement.agree(
                {day: [tile.placed for tile in tiles]}, regrid=self.settings.regrid
            )
        except ConfigError as error:
            raise DataError(error.wrong, error.cure) from None
        if made.ground is None or made.like is None:
            raise DataError(f"{day}: there is no common grid", "check the georeferencing")
        return made.ground, made.like

    def header(self, path: Path) -> Header:
        """The header of a file, read once."""
        if path not in self._headers:
            self._headers[path] = opening.header(path, self.settings.crs)
        return self._headers[path]

    def tiles(self, request: Request) -> list[Tile]:
        """The files of a date, as tiles that each have all bands.

        Raises
        ------
        SkipItem, DataError
            As `fetch`.
        """
        found = self._found(request)
        needed = [name for name in found if name not in request.optional]
        for name in needed:
            if not found[name]:
                band = request.bands.get(name, self.settings.mask_band)
                raise self._finder(request).missing(date.fromisoformat(request.item.name), band)
        tiles = [self._tile(request, files) for files in by_tile(found).values()]
        self._check_duplicates(request, tiles)
        return tiles

    def _found(self, request: Request) -> dict[str, list[Name]]:
        """Files of each raster of a date, and of its mask."""
        day = date.fromisoformat(request.item.name)
        mask = self.settings.mask_band
        wanted = [*request.bands.values(), *([mask] if mask else [])]
        by_band = self._finder(request).of_day(day, list(dict.fromkeys(wanted)))
        found = {name: by_band[band] for name, band in request.bands.items()}
        if mask:
            found[_MASK] = by_band[mask] or self._beside_bands(found, mask)
        return found

    def _beside_bands(self, found: Mapping[str, list[Name]], mask: str) -> list[Name]:
        """Masks of a SAFE folder, whose names have no date."""
        tiles: dict[str, Name] = {}
        for name in (name for names in found.values() for name in names):
            for folder in list(name.path.parents)[:4]:
                there = sorted((folder / "QI_DATA").glob(f"{mask}_*m.jp2"))
                if there:
                    tiles.setdefault(name.tile, replace(name, path=there[0], band=mask))
        return list(tiles.values())

    def _finder(self, request: Request) -> Finder:
        remembered = request.item.details.get("names", "")
        return replace(self.finder, remembered=remembered) if remembered else self.finder

    def _tile(self, request: Request, files: Mapping[str, list[Name]]) -> Tile:
        bands, mask = {}, None
        wanted = [*request.bands, *([_MASK] if self.settings.mask_band else [])]
        for name in wanted:
            optional = name in request.optional
            if not files.get(name):
                if optional:
                    continue
                have = listed([n.path for names in files.values() for n in names])
                band = request.bands.get(name, self.settings.mask_band)
                raise DataError(
                    f'{request.item.name}: a tile has no file for the band "{band}"; it has {have}',
                    "add the file, or make the pattern narrower",
                )
            band = request.bands.get(name, self.settings.mask_band)
            file = self._band_file(request, name, band, self._one(request, band, files[name]))
            if file is None:
                continue
            if name == _MASK:
                mask = file
            else:
                bands[name] = file
        return Tile(bands, mask)

    def _one(self, request: Request, band: str, names: Sequence[Name]) -> Path:
        """The file of a band: of several resolutions the finest."""
        if len(names) == 1:
            return names[0].path
        grounds = {name.path: self.header(name.path).ground for name in names}
        if all(ground.placed for ground in grounds.values()):
            order = sorted(grounds, key=lambda path: grounds[path].pixel)
            if grounds[order[0]].pixel[0] * 1.5 < grounds[order[1]].pixel[0]:
                return order[0]
        raise _ambiguous(request.item.name, band, [name.path for name in names])

    def _band_file(self, request: Request, name: str, band: str, path: Path) -> BandFile | None:
        optional = name in request.optional
        header = self.header(path)
        number = 1
        if header.count > 1 or isinstance(self.settings.bands.get(band), int):
            try:
                number = self._number(request, band, header)
            except DataError:
                if optional:
                    return None
                raise
        said = header.numbers[number - 1]
        if name == _MASK:
            return BandFile(band, header, number, Meaning(), Kind(band, band))
        weather = request.collection.data_type == "weather"
        kind = Kind(name, band, weather, name == request.index)
        meant = meaning(path, said, self.settings, kind)
        return BandFile(name, header, number, meant, kind, optional)

    def _number(self, request: Request, band: str, header: Header) -> int:
        finder = self._finder(request)
        known = finder.numbers(header.path.name)
        by_name = finder.way == "pattern" and finder.pattern.has_bands
        if by_name and not isinstance(self.settings.bands.get(band), int):
            raise DataError(
                f"{header.path} cannot be used: it has {header.count} bands and should have one",
                f"write a pattern without {BAND} and say which band is which, as in "
                'bands = {"B4": 1}',
            )
        return number_of(band, header.path, header.descriptions, self.settings.bands, known)

    def _check_duplicates(self, request: Request, tiles: Sequence[Tile]) -> None:
        """Two images of the same ground on one day are joined only when that is asked for."""
        if len(tiles) < 2 or self.settings.join or self._finder(request).layout is not None:
            return
        for name, band in request.bands.items():
            paths = [tile.bands[name].path for tile in tiles if name in tile.bands]
            grounds = [self.header(path).ground for path in paths]
            if len(set(grounds)) < len(grounds) or not all(g.placed for g in grounds):
                raise _ambiguous(request.item.name, band, paths)


def _ambiguous(day: str, band: str, paths: Sequence[Path]) -> DataError:
    return DataError(
        f'{day}: {len(paths)} files match the band "{band}": {listed(paths)}',
        'make the pattern narrower, or join them by join = "first" or "median"',
    )


def _file_digest(file: Path) -> bytes:
    """Of the contents; a file that cannot be read has one of its own, and fails when fetched."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "blake2b").digest()
    except OSError:
        return b"unreadable"


def _check_values(
    rasters: Mapping[str, formats.Raster], tiles: Sequence[Tile], *, weather: bool, masked: float
) -> None:
    """Skip a date with a band that holds nothing; 0 is a value of weather, a month without rain."""
    for name, raster in rasters.items():
        finite = np.isfinite(raster.array)
        if not (finite.any() if weather else (finite & (raster.array != 0)).any()):
            if masked:
                raise SkipItem(f"no clear pixel: the mask hides {masked:.0%} of what was seen")
            what = "no value" if weather else "nothing but zeros or missing values"
            raise SkipItem(f"no image: {tiles[0].bands[name].path} has {what}")


def _valid_fraction(rasters: Mapping[str, formats.Raster], *, weather: bool) -> float:
    """Share of pixels that were seen in all bands."""
    arrays = [raster.array for raster in rasters.values()]
    if not arrays:
        return 1.0
    if weather:
        return float(np.all([np.isfinite(array) for array in arrays], axis=0).mean())
    return float(valid_pixels(arrays).mean())
