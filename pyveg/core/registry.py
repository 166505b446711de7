"""Parts by name: entry points of installed packages, or ``package.module:Class``.

Nothing is imported before it is asked for by name, so a part's packages may be missing as long as
nobody uses the part.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from pyveg.core.errors import ConfigError, MissingPackageError, UnknownNameError
from pyveg.core.ports import Inputs, Runner, Store

GROUPS = {
    "module": "pyveg.modules",
    "source": "pyveg.sources",
    "store": "pyveg.storage",
    "runner": "pyveg.runners",
    "inputs": "pyveg.inputs",
}

_EXTRAS = {
    ("runner", "batch"): ("azure.batch", "pyveg[azure]"),
    ("runner", "dask"): ("distributed", "pyveg[dask]"),
    ("store", "azure"): ("azure.storage.blob", "pyveg[azure]"),
    ("source", "earth_engine"): ("ee", "pyveg[earthengine]"),
    ("source", "stac"): ("odc.stac", "pyveg[stac]"),
    ("source", "open_meteo"): ("requests", "pyveg[stac]"),
}
"""Parts of pyveg that need an extra: the package that shows whether it is there, and the extra."""


@cache
def _table(kind: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUPS[kind])}


def known(kind: str) -> list[str]:
    """Names of all parts of a kind that are installed."""
    return sorted(_table(kind))


def load(kind: str, name: str, where: str = "") -> Any:
    """Import the part of that kind and name.

    Parameters
    ----------
    kind : {"module", "source", "store", "runner", "inputs"}
    name : str
        An entry point's name or ``package.module:Class``.
    where : str
        Where the user named it, for the message.

    Raises
    ------
    UnknownNameError
        If nothing goes by that name.
    MissingPackageError
        If it needs a package that is not installed.
    ConfigError
        If its package is there and cannot be imported.
    """
    prefix = f"{where}: " if where else ""
    _require_extra(kind, name, prefix)
    if ":" in name:
        return _import_path(kind, name, prefix)
    point = _table(kind).get(name)
    if point is None:
        raise UnknownNameError(kind, name, known(kind), where)
    try:
        return point.load()
    except ImportError as error:
        raise ConfigError(
            f'{prefix}the {kind} "{name}" cannot be imported: {error}',
            "install what its package needs, or another version of it",
        ) from error


def extra_of(kind: str, name: str) -> str:
    """The extra of pyveg that a part needs, such as ``"azure"``; empty where it needs none."""
    requirement = _EXTRAS.get((kind, name), ("", ""))[1]
    return requirement.removeprefix("pyveg[").removesuffix("]")


def _require_extra(kind: str, name: str, prefix: str) -> None:
    """Refuse a known part whose package is missing, with the pip line."""
    package, extra = _EXTRAS.get((kind, name), ("", ""))
    if not package:
        return
    try:
        there = importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # a parent package is missing
        there = False
    if not there:
        raise MissingPackageError(f'{prefix}the {kind} "{name}"', extra)


def _import_path(kind: str, path: str, prefix: str) -> Any:
    module_name, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f'{prefix}the {kind} "{path}" cannot be imported: {error}',
            'write it as "package.module:Class" and install its package beside pyveg',
        ) from error


def open_store(spec: Mapping[str, Any]) -> Store:
    """Open a Store from what its `spec()` told."""
    options = {key: value for key, value in spec.items() if key != "type"}
    return cast(Store, load("store", spec["type"])(**options))


def store_at(where: str) -> Store:
    """The Store at a path or URL, such as ``"runs/a"``, ``"s3://bucket/a"``, ``"azure://name"``.

    A protocol that is the name of a Store belongs to that; others are fsspec's.
    """
    protocol, separator, rest = where.partition("://")
    if not separator:
        return cast(Store, load("store", "local")(where))
    if protocol in set(known("store")) - {"fsspec", "local", "memory"}:
        return cast(Store, load("store", protocol)(rest))
    return cast(Store, load("store", "fsspec")(where))


def open_inputs(patterns: Sequence[str]) -> Inputs:
    """The files that some patterns stand for."""
    return cast(Inputs, load("inputs", "files")(patterns))


def runner_class(name: str, where: str = "") -> type[Runner]:
    """The engine of that name."""
    return cast("type[Runner]", load("runner", name, where))
