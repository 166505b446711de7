"""Write a config for a folder of images, by looking at them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from pyveg.core.errors import ConfigError
from pyveg.jobs.generate import VEGETATION, pretty, quoted, save
from pyveg.jobs.places import GivenPlace
from pyveg.sources.folder.proposing import Proposal, propose


@dataclass(frozen=True)
class Written:
    """A config, and what was found out for it."""

    path: Path
    found: tuple[str, ...]


def write(
    images: Path,
    place: GivenPlace | None,
    folder: Path,
    *,
    output_dir: str = "",
    force: bool,
    found: Proposal | None = None,
) -> Written:
    """Look at a folder of images and write a config that runs as it is.

    Parameters
    ----------
    images : Path
    place : GivenPlace or None
        Where the images do not say where they are.
    folder : Path
        Where the config goes.
    output_dir : str
        The output_location of runs; the name of the config where empty.
    force : bool
        Replace a config that is there.
    found : Proposal, optional
        What `look` has found there already.

    Raises
    ------
    ConfigError
        If the folder cannot be used, or the config is there already.
    """
    found = found or look(images)
    path = path_of(images, folder)
    return Written(save(_text(found, place, path.stem, output_dir), path, force=force), found.found)


def path_of(images: Path, folder: Path) -> Path:
    """Where the config of a folder of images goes."""
    name = re.sub(r"\W+", "-", images.absolute().name).strip("-") or "images"
    return folder / f"config_{name}.py"


def look(images: Path) -> Proposal:
    """Look at a folder of images.

    Raises
    ------
    ConfigError
        If the folder cannot be used.
    """
    path = images.expanduser().absolute()
    # A config is read by people: no "work/../images" in it. Links stay as they are elsewhere.
    return propose(path.resolve() if ".." in path.parts else path)


def _text(found: Proposal, place: GivenPlace | None, name: str, output_dir: str) -> str:
    key = name.removeprefix("config_")
    settings = {
        "name": name,
        "output_location": output_dir or name,
        **_where(found, place),
        "date_range": [str(found.dates.start), str(found.dates.end)],
    }
    record = "".join(f"        {quoted(k)}: {quoted(v)},\n" for k, v in found.record.items())
    modules = "".join(f"        {quoted(module)},\n" for module in VEGETATION)
    lines = [f"{setting} = {pretty(value)}\n" for setting, value in settings.items()]
    lines += [
        f"\ndata_collections = {{\n    {quoted(key)}: {{\n{record}    }},\n}}\n",
        f"collections_to_use = {quoted([key])}\n",
        f"modules_to_use = {{\n    {quoted(key)}: [\n{modules}    ],\n}}\n",
    ]
    told = "".join(f"{sentence[0].upper()}{sentence[1:]}.\n" for sentence in found.found)
    text = f'"""Images in a folder.\n\n{told}"""\n\n' + "".join(lines)
    ast.parse(text)  # what is written is valid, or nothing is
    return text


def _where(found: Proposal, place: GivenPlace | None) -> dict[str, object]:
    """Coordinates that are given, or those of the images."""
    if place is not None:
        given: dict[str, object] = {"coordinates": (place.longitude, place.latitude)}
        return given | ({"region_size": place.region_size} if place.region_size else {})
    if found.place is None:
        raise ConfigError(
            "the images have no georeferencing", "give --latitude and --longitude of their centre"
        )
    return {"coordinates": (found.place.longitude, found.place.latitude)}
