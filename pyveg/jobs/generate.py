"""Write a config from a few choices: what `pyveg_generate_config` does."""

from __future__ import annotations

import ast
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyveg.core import registry
from pyveg.core.errors import ConfigError
from pyveg.jobs.choices import Choices, check, weather_of

VEGETATION = (
    "VegetationDownloader",
    "VegetationImageProcessor",
    "NetworkCentralityCalculator",
    "NDVICalculator",
)
WEATHER = ("WeatherDownloader", "WeatherImageToJSON")
ON_NODES = VEGETATION[1:]
"""What is worth a node; imagery is fetched from where the credentials are."""
TEST_CHIPS = 10
"""Chips of each date in a test."""


def _location_type(run_mode: str) -> str:
    """Where results go that an engine must reach."""
    return "local" if run_mode == "local" else registry.runner_classes()[run_mode].location_type


def file_name(choices: Choices) -> str:
    """``config_<collection>_<lat>N_<lon>E_<country>_<start>_<end>_<step>_<run_mode>.py``."""
    place = choices.place
    parts = [
        "config",
        choices.collection,
        f"{place.latitude}N",
        f"{place.longitude}E",
        # It becomes part of a file's name.
        re.sub(r"\W+", "-", place.country or place.name).strip("-"),
        str(choices.start),
        str(choices.end),
        choices.time_per_point,
        choices.run_mode,
        "TEST" if choices.test else "",
    ]
    return "_".join(part for part in parts if part) + ".py"


def config_text(choices: Choices) -> str:
    """The config, ready to run.

    Raises
    ------
    ConfigError
        If the choices do not go together; the message names the option.
    """
    check(choices)
    weather = weather_of(choices)
    used = [choices.collection, *([weather] if weather else [])]
    modules: dict[str, list[str]] = {choices.collection: list(VEGETATION)}
    if weather:
        modules[weather] = list(WEATHER)
    modules["combine"] = ["VegAndWeatherJsonCombiner"]
    name = file_name(choices).removesuffix(".py")
    place = choices.place
    settings = {
        "name": name,
        "output_location": choices.output_location or name,
        "output_location_type": _location_type(choices.run_mode),
        "coordinates": (place.longitude, place.latitude),
        "region_size": place.region_size or choices.region_size,
        "date_range": [str(choices.start), str(choices.end)],
        "time_per_point": choices.time_per_point,
        "collections_to_use": used,
        "modules_to_use": modules,
        **({"coords_id": place.name} if place.name else {}),
        **({"pattern_type": place.pattern} if place.pattern else {}),
        "special_config": _special(choices),
    }
    lines = [f"{key} = {pretty(value)}\n" for key, value in settings.items()]
    head = (
        f'"""{choices.collection} at {place.latitude} N, {place.longitude} E.\n\n'
        f'pyveg run {file_name(choices)}\n"""\n\n'
        "from pyveg.configs.collections import data_collections\n\n"
    )
    text = head + "".join(lines)
    ast.parse(text)  # what is written is valid, or nothing is
    return text


def write(choices: Choices, folder: Path, *, force: bool = False) -> Path:
    """Write the config into a folder.

    Raises
    ------
    ConfigError
        If the choices do not go together, or the file is there already.
    """
    return save(config_text(choices), folder / file_name(choices), force=force)


def save(text: str, path: Path, *, force: bool = False) -> Path:
    """Write the text of a config.

    Raises
    ------
    ConfigError
        If the file is there already, or cannot be written.
    """
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already", "replace it with --force")
    half = path.with_name(f".{path.name}.{os.getpid()}")  # nobody finds half of a config
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half.write_text(text, encoding="utf-8")
        half.replace(path)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", "name a folder that you may write to"
        ) from error
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)
    return path


def _special(choices: Choices) -> dict[str, dict[str, Any]]:
    special: dict[str, dict[str, Any]] = {}
    centrality = special.setdefault("NetworkCentralityCalculator", {})
    centrality["n_threads"] = choices.n_threads
    if choices.test:
        centrality["n_sub_images"] = TEST_CHIPS
    if choices.run_mode != "local":
        for module in ON_NODES:
            special.setdefault(module, {})["run_mode"] = choices.run_mode
    return special


def pretty(value: Any) -> str:
    """A value of a config as people write it: one line if it is short, else one per entry."""
    text = quoted(value)
    if len(text) <= 80 or not isinstance(value, (dict, list)):
        return text
    if isinstance(value, dict):
        inner = "".join(f"    {quoted(k)}: {quoted(v)},\n" for k, v in value.items())
        return f"{{\n{inner}}}"
    return "[\n" + "".join(f"    {quoted(part)},\n" for part in value) + "]"


def quoted(value: Any) -> str:
    """Python's text of plain data, in double quotes."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(k)}: {quoted(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(quoted, value)) + ")"
    if isinstance(value, list):
        return "[" + ", ".join(map(quoted, value)) + "]"
    return repr(value)
