"""Which files a folder has of a date and a band, whatever convention their names follow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

from pyveg.core.errors import ConfigError, DataError, SkipItem, UnknownNameError
from pyveg.earth.types import DateRange
from pyveg.sources.folder import bands, dates, layouts
from pyveg.sources.folder.layouts import KNOWN, Layout
from pyveg.sources.folder.names import BAND, DATE, Name, Pattern, listed
from pyveg.sources.folder.settings import DEFAULT_PATTERN, FolderSettings

ANY = "any"
"""How names are read that follow no convention: a date and a band anywhere in them."""
_SHOWN = 3
_DATED = re.compile(r"(?:19|20)\d\d[-_.]?\d\d?[-_.]?\d\d?")


@dataclass(frozen=True)
class Finder:
    """The files of a folder, by date."""

    settings: FolderSettings
    root: Path
    remembered: str = ""
    """What `way` was when the run was planned; found anew where empty."""

    @cached_property
    def pattern(self) -> Pattern:
        """The pattern that is given, or that of pyveg's own folders."""
        return Pattern(self.settings.pattern or DEFAULT_PATTERN)

    @cached_property
    def way(self) -> str:
        """How names are read: "pattern", a key of `KNOWN`, or `ANY`."""
        if self.remembered:
            return self.remembered
        if self.settings.pattern:
            return "pattern"
        if self.settings.layout:
            if self.settings.layout not in KNOWN:
                raise UnknownNameError("layout", self.settings.layout, KNOWN, "layout")
            return self.settings.layout
        days = dict.fromkeys(name.day for name in self.pattern.dated(self.root))
        if any(day is not None and self.pattern.files(self.root, day) for day in days):
            return "pattern"
        known = layouts.recognise(self.root)
        if known is not None:
            return known.name
        return ANY if layouts.of_any(self.root) or not days else "pattern"

    @property
    def layout(self) -> Layout | None:
        """The known convention, where names follow one."""
        return KNOWN.get(self.way)

    @cached_property
    def numbers(self) -> Callable[[str], Mapping[str, int]]:
        """Name of a file of several bands -> which is which."""
        return self.layout.numbers if self.layout else lambda _: {}

    def days(self) -> list[date]:
        """Days that there are, sorted."""
        return sorted({name.day for name in self._of_one_form if name.day is not None})

    def first_files(self) -> list[Name]:
        """One image of each tile of each day."""
        first: dict[tuple[date | None, str], Name] = {}
        for name in self._of_one_form:
            files = [name]
            if name.path.is_dir() and name.day is not None:
                files = [
                    file
                    for file in self.pattern.files(self.root, name.day)
                    if file.path.name.lower().endswith(layouts.SUFFIXES)
                ][:1]
            for file in files:
                first.setdefault((file.day, "" if self.way == ANY else file.tile), file)
        return list(first.values())

    def left_out(self) -> list[str]:
        """Entries of the folder that have something like a date and are not used."""
        used = {name.path.relative_to(self.root).parts[0] for name in self._of_one_form}
        if self.way == "pattern" and self.pattern.depth > 1:
            return []
        entries = sorted(entry.name for entry in self.root.iterdir())
        return [name for name in entries if name not in used and _DATED.search(name)]

    @cached_property
    def _of_one_form(self) -> list[Name]:
        """Names whose date is written as in most of them."""
        # Two forms in one folder are two kinds of files more often than one series.
        names = self._dated()
        forms = Counter(name.form for name in names)
        most = max(forms, key=lambda form: forms[form], default="")
        return [name for name in names if name.form == most]

    def _dated(self) -> list[Name]:
        if self.way == "pattern":
            return list(self.pattern.dated(self.root))
        if self.layout is not None:
            return layouts.of_layout(self.layout, self.root)
        return layouts.of_any(self.root)

    def of_day(self, day: date, wanted: Sequence[str]) -> dict[str, list[Name]]:
        """Files of each of some bands; a file of several bands is that of each."""
        names = self._files(day, wanted)
        found = {band: self._of_band(names, band) for band in wanted}
        # Names that say nothing of any band are those of files of several bands.
        several = self.way == ANY and not any(found.values())
        return dict.fromkeys(wanted, names) if several else found

    def _files(self, day: date, wanted: Sequence[str]) -> list[Name]:
        if self.way == "pattern":
            known = {s for band in wanted for s in bands.spellings(self._called(band))}
            return self.pattern.files(self.root, day, sorted(known))
        if self.layout is not None:
            return layouts.of_layout(self.layout, self.root, day)
        return layouts.of_any(self.root, day)

    def _called(self, band: str) -> str:
        """How the setting ``bands`` says that a band is called in names."""
        given = self.settings.bands.get(band, band)
        return given if isinstance(given, str) else band

    def _of_band(self, names: Sequence[Name], band: str) -> list[Name]:
        if self.way == ANY:
            return self._anywhere(names, band)
        called = self._called(band)
        found = bands.of_band(names, called)
        if self.layout is not None:
            self._check_sensors(self.layout, called)
            tiles, more = {name.tile for name in found}, self.layout.spellings
            found += [
                n for n in names if n.tile not in tiles and n.band.upper() in more(called, n.tile)
            ]
        if self.way == "pattern" and self.pattern.has_bands:
            return found
        # A file of several bands is without a band in its name.
        return found or [name for name in names if not name.band]

    def _check_sensors(self, layout: Layout, band: str) -> None:
        """Refuse a name that means different bands in files of different satellites."""
        sensors = {name.tile.split(".")[0] for name in self._of_one_form}
        clashing = layout.clashing.get(bands.spellings(band)[-1])
        if clashing and len(sensors) > 1:
            raise DataError(
                f'"{band}" is {clashing} in files of {" and ".join(sorted(sensors))}, which '
                f"{self.root} both has",
                "name a band that both have; near infrared is B8A of both",
            )

    def _anywhere(self, names: Sequence[Name], band: str) -> list[Name]:
        for spelling in bands.spellings(self._called(band)):
            found = [name for name in names if layouts.has_band(name, spelling)]
            if found:
                tiles = (layouts.tile_of(name, spelling) for name in found)
                return [replace(n, tile=t, band=band) for n, t in zip(found, tiles, strict=True)]
        return []

    def no_dates(self, where: str, dates_: DateRange | None) -> ConfigError:
        """Why there is nothing to do, in a range or at all: what was looked for, what there is."""
        there = self.days()
        by = f'by the pattern "{self.pattern.text}"' if self.way == "pattern" else "in names"
        if there:
            return ConfigError(
                f"{where}: {self.root} has no date in {dates_} {by}; it has "
                f"{listed([str(day) for day in there])}",
                "set another date_range",
            )
        seen = self.some_names()
        said = f"; there are {listed(seen)}" if seen else ""
        # Of a range it could have others; that it has none at all is more than that.
        within = f" in {dates_}" if dates_ else ""
        said = f"; it has no date{said}" if dates_ else said
        by = f'by the pattern "{self.settings.pattern}"' if self.settings.pattern else by
        return ConfigError(
            f"{where}: {self.root} has no date{within} {by}{said}",
            f"a date is written as {dates.SHAPES}, or in a form of your own such as "
            "{date:%d.%m.%Y}: set another path or pattern",
        )

    def some_names(self) -> list[str]:
        """A few of the files that there are, below the folder."""
        names = []
        for path in self.root.rglob("*"):
            if path.is_file():
                names.append(str(path.relative_to(self.root)))
            if len(names) >= _SHOWN:
                break
        return sorted(names)

    def missing(self, day: date, band: str) -> Exception:
        """What was looked for and what there is."""
        if self.way != "pattern":
            return self._missing_in_names(day, band)
        there = [name.path for name in self.pattern.files(self.root, day)]
        there = there or self.pattern.beside(self.root, day)
        if not there:
            return SkipItem(f"no image: {self.root} has no file for {day}")
        wanted = re.sub(r"\{date(:[^}]*)?\}", str(day), self.pattern.text).replace(BAND, band)
        return DataError(
            f'{day}: there is no file {self.root / wanted} for the band "{band}"; there are '
            f"{listed([path.relative_to(self.root) for path in there])}",
            "set a pattern that these match, or add the file",
        )

    def _missing_in_names(self, day: date, band: str) -> Exception:
        there = self._files(day, ())
        if not there:
            return SkipItem(f"no image: {self.root} has no file for {day}")
        return DataError(
            f'{day}: no name in {self.root} has the band "{band}"; there are '
            f"{listed([name.path.relative_to(self.root) for name in there], _SHOWN)}",
            f'say how it is called there, as in bands = {{"{band}": "..."}}, or set a pattern '
            f"with {DATE} and {BAND}",
        )


def by_tile(found: Mapping[str, Iterable[Name]]) -> dict[str, dict[str, list[Name]]]:
    """Tile -> band -> its files; one tile where no band has more than one file."""
    files = {band: list(names) for band, names in found.items()}
    if all(len(names) <= 1 for names in files.values()):
        return {"": {band: names for band, names in files.items() if names}}
    tiles: dict[str, dict[str, list[Name]]] = {}
    for band, names in files.items():
        for name in names:
            tiles.setdefault(name.tile, {}).setdefault(band, []).append(name)
    return tiles
