"""Names of collections and of other Sequences: folders and results are named after them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from pyveg.core.errors import ConfigError
from pyveg.core.layout import LEDGER, PRIVATE, is_device
from pyveg.core.texts import cell
from pyveg.runs.results import SUMMARY_KEYS

LONGEST = 100
"""Characters of a name; file systems end at 255 bytes, and more stands in the name of a folder."""


_NOT_ON_WINDOWS = re.compile('[<>:"|?*]')


def check_sequences(keys: Iterable[str]) -> None:
    """Refuse keys of ``modules_to_use`` that can be no folder, or would be one and the same.

    Raises
    ------
    ConfigError
    """
    seen: dict[str, str] = {}
    for key in keys:
        where = f'modules_to_use["{key}"]'
        if key in (LEDGER, PRIVATE):
            raise ConfigError(f"{where}: this name is kept for pyveg", "take another")
        _check(key, where)
        other = seen.setdefault(_on_disk(key), key)
        if other != key:
            raise ConfigError(
                f'modules_to_use: "{other}" and "{key}" would be one folder on some systems',
                "take names that differ in more than case",
            )


def check_collection_name(name: str, where: str) -> None:
    """Refuse a name that results cannot have, or have for something else.

    Raises
    ------
    ConfigError
    """
    where = f'{where}: the collection_name "{name}"'
    if name in SUMMARY_KEYS:
        raise ConfigError(
            f"{where} is kept for pyveg, which has it for something else in results", "take another"
        )
    _check(name, where)


def check_texts(texts: Mapping[str, str | None]) -> None:
    """Refuse names of a place or job that no table, title or terminal could show as they are.

    Parameters
    ----------
    texts : mapping
        Name of a setting -> what was given for it.

    Raises
    ------
    ConfigError
    """
    for name, text in texts.items():
        if text is None:
            continue
        if not text.isprintable():
            raise ConfigError(f"config: {name} has a character that does not show", "leave it out")
        if len(text) > LONGEST:
            raise ConfigError(f"config: {name} is longer than {LONGEST} characters", "shorten it")
        if cell(text) != text:
            raise ConfigError(
                f'config: {name} = "{text}" would be a formula in a spreadsheet',
                "begin it with a letter or digit",
            )


def _check(name: str, where: str) -> None:
    fault = _fault(name)
    if fault:
        raise ConfigError(f"{where} {fault}", "take another name")


def _fault(name: str) -> str:
    """Why a name can be no name of a folder; empty where it can."""
    if not name.strip():
        return "is empty"
    if len(name) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if not name.isprintable():
        return "has a character that does not show"
    if cell(name) != name:
        return "would be a formula in a spreadsheet"
    if "\\" in name or name.startswith((".", "/")):
        return "cannot be a folder: it has a backslash, or begins with a dot or slash"
    return _fault_on_windows(name)


def _fault_on_windows(name: str) -> str:
    """Why it can be none there, where results may be copied to."""
    parts = name.split("/")
    if _NOT_ON_WINDOWS.search(name) or any(part.endswith((".", " ")) for part in parts):
        return 'cannot be a folder on Windows: it has one of <>:"|?*, or ends with a dot or space'
    if any(map(is_device, parts)):
        return "cannot be a folder on Windows, where it is a device"
    return ""


def _on_disk(key: str) -> str:
    """What is the same for names that meet, on a system that knows no difference in case."""
    return unicodedata.normalize("NFC", key).casefold().replace("/", "-")
