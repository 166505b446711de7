"""Placeholders in a command: ``{input}`` and its like; ``{{`` and ``}}`` are braces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Formatter

from pyveg.core.errors import ConfigError, UnknownNameError

PLACEHOLDERS = {
    "input": "path of the input file, absolute",
    "output_dir": "folder for what it makes, absolute; empty at the start of each try",
    "item": "name of the item, the input's path below the folder that all inputs share",
    "name": "name of the input file",
    "stem": "the same without its last ending",
    "url": "where the input is, as a path or URL",
    "application": "folder of the application, absolute",
}
"""Name -> what stands in its place."""
OF_THE_ITEM = frozenset({"input", "item", "name", "stem", "url"})
"""Those that differ from item to item."""


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with values in the place of its placeholders, which `check` has seen before."""
    return "".join(
        literal + (values[name] if name is not None else "")
        for literal, name, _, _ in Formatter().parse(text)
    )


def check(text: str, where: str) -> set[str]:
    """Names of the placeholders in a text.

    Raises
    ------
    ConfigError
        For a brace that stands alone, or more than a name between two.
    UnknownNameError
        For a name that means nothing.
    """
    try:
        return set(_names(text, where))
    except ValueError as error:
        raise ConfigError(
            f"{where}: {text!r}: {error}", "write {{ and }} for braces that are meant so"
        ) from None


def _names(text: str, where: str) -> Iterator[str]:
    # By Python's own parser, so that braces mean what they mean in str.format.
    for _, name, form, conversion in Formatter().parse(text):
        if name is None:
            continue
        if name not in PLACEHOLDERS:
            raise UnknownNameError("placeholder", name, PLACEHOLDERS, f"{where}: {text!r}")
        if form or conversion:
            raise ConfigError(
                f"{where}: {text!r} has more than a name in braces", f"write {{{name}}} alone"
            )
        yield name
