"""What a model learns from, and what it is asked about: a table of images, and a list of them.

A catalogue is a CSV file with the columns ``id_str`` and ``file_loc`` and one column of counts for
each label. A manifest is a JSON list of pairs: where an image is, and a JSON text that says what it
is of (``subject_id`` at least). Both are the formats of BaJoR, the batch job runner of Zooniverse's
Galaxy Zoo (https://github.com/zooniverse/bajor).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pyveg.core.errors import ConfigError
from pyveg.core.reading import read_text
from pyveg.core.texts import brief
from pyveg.core.values import read_json

ID, FILE = "id_str", "file_loc"
_NOTHING = ("", "na", "nan", "none", "null")


@dataclass(frozen=True)
class Row:
    """One image of a catalogue."""

    id: str
    file: str
    """Its path below the folder of images."""
    counts: tuple[int, ...]
    """How many people, or programs, gave it each label; in the order of the catalogue's labels."""


@dataclass(frozen=True)
class Catalogue:
    """A table of labelled images."""

    labels: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Subject:
    """One image of a manifest."""

    url: str
    about: dict[str, Any]
    """What it is of; has ``subject_id``."""

    @property
    def id(self) -> str:
        """Of the subject, as predictions name it."""
        return str(self.about["subject_id"])


def read_catalogue(text: str, where: str) -> Catalogue:
    r"""Read and check a catalogue.

    Parameters
    ----------
    text : str
        Of the CSV file.
    where : str
        Begins the messages of errors.

    Raises
    ------
    ConfigError
        If a column is missing, a row is short, an id comes twice, a count is no number from 0 on,
        or there is no row.

    Examples
    --------
    >>> read_catalogue("id_str,file_loc,bare,patterned\na,x/a.png,0,1\n", "c.csv").rows[0].counts
    (0, 1)
    """
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    header = [name.strip() for name in next(lines, [])]
    missing = [name for name in (ID, FILE) if name not in header]
    if missing:
        raise ConfigError(
            f'{where} has no column "{missing[0]}"',
            f'its first line should be "{ID},{FILE}," and the names of the labels',
        )
    labels = tuple(name for name in header if name not in (ID, FILE))
    if not labels or "" in labels or len(set(header)) < len(header):
        raise ConfigError(
            f"{where} has no labels, or two columns of one name",
            f"give each label a column of its own behind {ID} and {FILE}",
        )
    rows = tuple(_row(dict(zip(header, cells, strict=False)), labels, f"{where}, line {n}")
                 for n, cells in enumerate(lines, 2) if any(cells))  # fmt: skip
    if not rows:
        raise ConfigError(f"{where} has no row", "name some images in it")
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise ConfigError(f"{where} has two rows of {ID} = {brief(row.id)}", "give one of them")
        seen.add(row.id)
    return Catalogue(labels, rows)


def _row(cells: dict[str, str], labels: Sequence[str], where: str) -> Row:
    missing = next((name for name in (ID, FILE, *labels) if name not in cells), None)
    if missing is not None:
        raise ConfigError(f'{where} ends before "{missing}"', "give each row a value per column")
    for name in (ID, FILE):
        if cells[name].strip().lower() in _NOTHING:
            raise ConfigError(f"{where}: {name} is empty", "write one")
    file = cells[FILE].strip()
    if ".." in PurePosixPath(file.replace("\\", "/")).parts or "\0" in file:
        raise ConfigError(
            f"{where}: {FILE} = {brief(file)} leaves the folder of images",
            'write a path below it, without ".."',
        )
    counts = tuple(_count(cells[name], f"{where}: {name}") for name in labels)
    return Row(cells[ID].strip(), file.lstrip("/"), counts)


def _count(text: str, where: str) -> int:
    try:
        value = float(text)
        # NaN is no integer, and infinity neither.
        if value >= 0 and value.is_integer():
            return int(value)
    except ValueError:
        pass
    raise ConfigError(
        f"{where} = {brief(text)} is no count", "write a number from 0 on, 0 for none"
    )


def read_manifest(text: str | bytes, where: str) -> list[Subject]:
    r"""Read and check a manifest.

    Parameters
    ----------
    text : str or bytes
        JSON.
    where : str
        Begins the messages of errors.

    Raises
    ------
    ConfigError
        If it is no list of pairs, or what an image is of is no JSON with a ``subject_id``.

    Examples
    --------
    >>> read_manifest('[["a.png", "{\\"subject_id\\": 14}"]]', "m.json")[0].id
    '14'
    """
    form = 'write [["address of an image", "{\\"subject_id\\": ...}"], ...]'
    try:
        found = read_json(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is no JSON: {error}", form) from None
    if not isinstance(found, list) or not found:
        raise ConfigError(f"{where} is no list of images, or an empty one", form)
    return [_subject(entry, f"{where}, entry {number}", form) for number, entry in enumerate(found)]


def _subject(entry: Any, where: str, form: str) -> Subject:
    if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)):
        raise ConfigError(f"{where} is no pair of an address and a text", form)
    try:
        about = json.loads(entry[1]) if isinstance(entry[1], str) else None
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict) or not isinstance(about.get("subject_id"), str | int):
        raise ConfigError(f"{where}: its second part is no JSON text with a subject_id", form)
    return Subject(entry[0], about)


def load_catalogue(path: Path) -> Catalogue:
    """Read the file of a catalogue; raises `ConfigError` as `read_catalogue` does."""
    return read_catalogue(_text(path), str(path))


def load_manifest(path: Path) -> list[Subject]:
    """Read the file of a manifest; raises `ConfigError` as `read_manifest` does."""
    return read_manifest(_text(path), str(path))


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror or error}", "name a file that is there"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no UTF-8 text", "save it as UTF-8") from error
