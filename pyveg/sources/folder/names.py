"""Patterns of paths: where date and band stand in the names of files.

``{date}`` is a day in one of the common forms, ``{date:%d.%m.%Y}`` one in the form that is given,
``{band}`` the name of a band, ``*`` any text without "/" and ``**`` any folders::

    {date}/RAW/download.{band}.tif       2018-03-16/RAW/download.B4.tif
    {date}/RAW/*.{band}.tif              2018-03-16/RAW/4f2c1.total_precipitation.tif
    {band}_{date}.tif                    B4_20180316.tif
    *_{date}_*/{band}_10m.tif            T33_2018-03-16_L2A/B04_10m.tif
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from pyveg.core.errors import ConfigError
from pyveg.sources.folder import dates

DATE, BAND, ANY, DEEP = "{date}", "{band}", "*", "**"
_TOKENS = re.compile(r"(\{date(?::[^}]*)?\}|\{band\}|\*)")
_SHOWN = 8
"""Names that a message lists before it only counts them."""


@dataclass(frozen=True)
class Name:
    """A file or folder, and what its name says."""

    path: Path
    day: date | None = None
    form: str = ""
    """How the day is written."""
    band: str = ""
    """Empty where names say nothing of bands."""
    tile: str = ""
    """What else is in the name: files of one tile belong together."""


class Pattern:
    """A pattern, checked.

    Raises
    ------
    ConfigError
        For one that is no relative path, or has no {date}.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        where = f'pattern = "{text}"'
        unknown = re.findall(r"\{[^}]*\}?", _TOKENS.sub("", text))
        if unknown:
            raise ConfigError(f"{where}: {unknown[0]} is unknown", "write {date} and {band}")
        self.parts = text.split("/")
        if "" in self.parts or ".." in self.parts:
            raise ConfigError(
                f"{where} is no path below the folder",
                "write its parts with / between them, without ..",
            )
        dated = [i for i, part in enumerate(self.parts) if "{date" in part]
        if not dated:
            raise ConfigError(
                f"{where} does not say where {DATE} stands", f"write {DATE} in its place"
            )
        self.depth = dated[0] + 1
        """How many parts it takes to the first date."""
        self.has_bands = BAND in text
        self.forms = [form for form in re.findall(r"\{date:([^}]*)\}", text) if form]
        for form in self.forms:
            dates.expression(form)

    @property
    def in_folders(self) -> bool:
        """Whether the first date is that of a folder."""
        return self.depth < len(self.parts)

    def dated(self, root: Path) -> Iterator[Name]:
        """Files or folders down to the first part that has a date."""
        for name in _walk(root, self.parts[: self.depth], None, ()):
            if name.day is not None and name.path.is_dir() == self.in_folders:
                yield name

    def files(self, root: Path, day: date, bands: Iterable[str] = ()) -> list[Name]:
        """Files of one day, sorted; only those of some bands, where any are given."""
        found = _walk(root, self.parts, day, tuple(bands))
        return sorted((n for n in found if n.path.is_file()), key=lambda name: name.path)

    def beside(self, root: Path, day: date) -> list[Path]:
        """Files below the folders of a day, whatever they are called."""
        if not self.in_folders:
            return []
        folders = _walk(root, self.parts[: self.depth], day, ())
        return sorted(p for name in folders for p in name.path.rglob("*") if p.is_file())


@lru_cache(maxsize=1024)
def _matcher(part: str, bands: tuple[str, ...]) -> str | re.Pattern[str]:
    """One part of the pattern: a name, or an expression for many."""
    tokens = _TOKENS.split(part)
    if len(tokens) == 1:
        return part
    # Longest first, or B8 would be found in the name of B8A.
    known = "|".join(re.escape(band) for band in sorted(bands, key=len, reverse=True)) or "[^/]+"
    text, wild = "", 0
    for token in tokens:
        if token.startswith("{date"):
            form = token[len("{date:") : -1]
            expression = dates.expression(form) if form else "|".join(dates.FORMS.values())
            # Where the pattern repeats the date, all of its places must show the same one.
            text += "(?P=date)" if "(?P<date>" in text else f"(?P<date>{expression})"
        elif token == BAND:
            text += "(?P=band)" if "(?P<band>" in text else f"(?P<band>{known})"
        elif token == ANY:
            text += f"(?P<any{wild}>[^/]*)"
            wild += 1
        else:
            text += re.escape(token)
    return re.compile(text)


def _form(part: str) -> str:
    """The form of the date in a part of a pattern; empty where any will do."""
    found = re.search(r"\{date:([^}]+)\}", part)
    return found[1] if found else ""


def _walk(
    folder: Path, parts: list[str], day: date | None, bands: tuple[str, ...]
) -> Iterator[Name]:
    """Paths whose parts match, and what they say; those of one day, where one is given."""
    # Part by part and not by a glob of the whole: folders whose names do not match are not entered.
    first, *others = parts
    if first == DEEP:
        yield from _walk(folder, others, day, bands)
        for entry in _listed(folder):
            if entry.is_dir():
                yield from _walk(entry, parts, day, bands)
        return
    for entry, match in _entries(folder, first, day, bands):
        said = _said(match, _form(first), day)
        if said is None:
            continue
        name = Name(entry, *said)
        if not others:
            yield name
            continue
        for deeper in _walk(entry, others, day or name.day, bands):
            yield _together(name, deeper)


def _together(name: Name, deeper: Name) -> Name:
    """What the name of a folder and that of a file in it say."""
    day, form = (name.day, name.form) if name.day else (deeper.day, deeper.form)
    tile = "/".join(filter(None, (name.tile, deeper.tile)))
    return Name(deeper.path, day, form, deeper.band or name.band, tile)


def _said(
    match: re.Match[str] | None, form: str, wanted: date | None
) -> tuple[date | None, str, str, str] | None:
    """Day, its form, band and tile of a name; None where it is of another day, or of none."""
    groups = {} if match is None else match.groupdict()
    tile = "/".join(text for key, text in groups.items() if key.startswith("any") and text)
    day, known = None, ""
    if "date" in groups:
        read = dates.read(groups["date"], form)
        if read is None or (wanted is not None and read[0] != wanted):
            return None
        day, known = read
    return day, known, groups.get("band") or "", tile


def _entries(
    folder: Path, part: str, day: date | None, bands: tuple[str, ...]
) -> Iterator[tuple[Path, re.Match[str] | None]]:
    matcher = _matcher(part, bands)
    if isinstance(matcher, str):
        if (folder / matcher).exists():
            yield folder / matcher, None
        return
    if part == DATE and day is not None:
        # Not listed: a folder of thousands of dates is asked for each of them.
        entries = [folder / day.strftime(form) for form in dates.FORMS]
        entries = sorted(entry for entry in entries if entry.exists())
    else:
        entries = _listed(folder)
    for entry in entries:
        match = matcher.fullmatch(entry.name)
        if match is not None:
            yield entry, match


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # no folder, or not ours to read: what is in it is missing
        return []


def listed(names: Iterable[object], most: int = _SHOWN) -> str:
    """Names for a message, the first few of many."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
