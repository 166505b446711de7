"""Parts by name: entry points of installed packages, or ``package.module:Class``.

Nothing is imported before it is asked for by name, so a part's packages may be missing as long as
nobody uses the part. What it needs beside its own package is told by its entry point, as an extra
of that package: ``stac = pyveg.sources.stac.source:StacSource [stac]``.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from functools import cache
from importlib.metadata import (
    EntryPoint,
    PackageNotFoundError,
    distribution,
    entry_points,
)
from typing import Any, cast

from pyveg.core.errors import ConfigError, MissingPackageError, UnknownNameError
from pyveg.core.ports import Inputs, Runner, Store
from pyveg.core.scorer import Scorer
from pyveg.core.texts import cut, said

_LONGEST_PATH = 120
"""Characters of a name that a message shows."""

GROUPS = {
    "module": "pyveg.modules",
    "source": "pyveg.sources",
    "store": "pyveg.storage",
    "runner": "pyveg.runners",
    "inputs": "pyveg.inputs",
    "scorer": "pyveg.scorers",
}


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
    kind : {"module", "source", "store", "runner", "inputs", "scorer"}
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
    if ":" in name:
        return _import_path(kind, name, prefix)
    point = _table(kind).get(name)
    if point is None:
        raise UnknownNameError(kind, name, known(kind), where)
    package, extras = extras_of(kind, name)
    for extra in extras:
        if not all(map(is_installed, packages_of(package, extra))):
            raise MissingPackageError(f'{prefix}the {kind} "{name}"', f"{package}[{extra}]")
    try:
        return _checked(kind, point.load(), f'{prefix}the {kind} "{name}"')
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:  # importing runs anyone's code
        raise ConfigError(
            f'{prefix}the {kind} "{name}" cannot be imported: {said(error)}',
            "install what its package needs, or another version of it",
        ) from error


def importable(kind: str) -> Iterator[tuple[str, Any]]:
    """All parts of a kind that can be imported, whether what they need is installed or not."""
    for name, point in sorted(_table(kind).items()):
        try:
            part = _checked(kind, point.load(), name)
        except (Exception, SystemExit):  # noqa: BLE001 - importing a plugin runs anyone's code
            continue
        yield name, part


@cache
def extras_of(kind: str, name: str) -> tuple[str, tuple[str, ...]]:
    """The package that a part belongs to, and the extras of it that the part needs."""
    point = _table(kind).get(name)
    if point is None or point.dist is None:
        return "", ()
    return point.dist.name, tuple(point.extras)


def extras_in(kind: str, package: str) -> set[str]:
    """The extras of a package that its parts of a kind need."""
    needs = [extras_of(kind, name) for name in known(kind)]
    return {extra for owner, extras in needs if owner == package for extra in extras}


def packages_of(package: str, extra: str) -> tuple[str, ...]:
    """Names of the packages that an extra of a package brings, as an index knows them."""
    return _requirements(package).get(extra, ())


def is_installed(package: str) -> bool:
    """Whether a package is installed here and can be found by an import."""
    # To look takes longer than a short Task. One that is missing may be installed any moment; and
    # where modules are found in another way than before, all is looked at again.
    look = package, importlib.util.find_spec
    if look not in _seen and _is_found(package):
        _seen.add(look)
    return look in _seen


_seen: set[tuple[str, object]] = set()
"""Packages that are installed, and how they were found."""


def _is_found(package: str) -> bool:
    try:
        name = _import_name(package)
        return not name or importlib.util.find_spec(name) is not None
    except (PackageNotFoundError, ModuleNotFoundError):  # it or a parent of it is missing
        return False


_FOR_EXTRA = re.compile(r"""\s*([\w.-]+)[^;]*;\s*extra\s*==\s*["']([^"']+)["']\s*$""")
"""A requirement of an extra alone; others hold on some machines only, which pip knows better."""


@cache
def _requirements(package: str) -> dict[str, tuple[str, ...]]:
    """Extra of a package -> names of what it requires."""
    found: dict[str, list[str]] = {}
    for text in distribution(package).requires or ():
        match = _FOR_EXTRA.match(text)
        if match:
            found.setdefault(match[2], []).append(match[1])
    return {extra: tuple(names) for extra, names in found.items()}


@cache
def _import_name(package: str) -> str:
    """What a package is imported by, such as ``odc.stac``; empty where it does not say."""
    tops = [path for path in distribution(package).files or () if path.name == "__init__.py"]
    if not tops:
        return ""
    return ".".join(min(tops, key=lambda path: (len(path.parts), path.parts)).parts[:-1])


def _import_path(kind: str, path: str, prefix: str) -> Any:
    module_name, _, attribute = path.partition(":")
    named = f'{prefix}the {kind} "{cut(path, _LONGEST_PATH)}"'
    cure = 'write it as "package.module:Class" and install its package beside pyveg'
    # Nothing is imported that is no name: "os.path:../x", ":x", ".a:B".
    if not all(map(str.isidentifier, [*module_name.split("."), attribute])):
        raise ConfigError(f"{named} cannot be imported: it is no name of a class", cure)
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{named} cannot be imported: {error}", cure) from error
    except (Exception, SystemExit) as error:  # importing runs anyone's code
        raise ConfigError(
            f"{named} cannot be imported: {said(error)}", "mend that, or leave it out"
        ) from error
    return _checked(kind, found, named)


_HAS: Mapping[str, tuple[str, ...]] = {
    "module": ("Settings", "job_class", "role", "settled", "run"),
    "source": ("Settings", "by_period", "must_agree", "ignores", "items", "fetch"),
    "runner": tuple(name for name in vars(Runner) if not name.startswith("_")),
    "scorer": tuple(name for name in vars(Scorer) if not name.startswith("_")),
}
"""What a class must have to be a part of its kind."""
_SETTINGS = "Settings"
_WITH_SETTINGS = ("module", "source", "runner")
_SAYS_ITSELF = ("start", "submit", "cancel", "close")
"""What an engine must say itself: a run would wait for ever for one that does nothing there."""


_MAY_BE_MADE = ("store", "inputs")
"""Kinds of which a function that makes one will do."""


def _checked(kind: str, found: Any, named: str) -> Any:
    """A part, if it is one."""
    if kind in _MAY_BE_MADE and callable(found):
        return found
    if not isinstance(found, type):
        raise ConfigError(f"{named} is no class", f"name a class that is a {kind} of pyveg")
    lacks = [name for name in _HAS[kind] if not hasattr(found, name)] or _inherited(kind, found)
    if lacks:
        raise ConfigError(
            f"{named} is a class, but no {kind} of pyveg: it has no {lacks[0]}",
            f"name a {kind}; docs/architecture.md has an example of one",
        )
    if kind in _WITH_SETTINGS and not is_dataclass(getattr(found, _SETTINGS)):
        raise ConfigError(
            f"{named} has Settings that are no dataclass",
            "declare them as a frozen dataclass, each with pyveg.plugin.setting",
        )
    return found


def _inherited(kind: str, found: type) -> list[str]:
    """What a class leaves to the interface, where that does nothing."""
    names = _SAYS_ITSELF if kind == "runner" else ()
    return [name for name in names if getattr(found, name) is getattr(Runner, name)]


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


def open_inputs(patterns: Sequence[str], private_hosts: Sequence[str] | None = None) -> Inputs:
    """The files that some patterns stand for; `pyveg.core.ports.Inputs`."""
    return cast(Inputs, load("inputs", "files")(patterns, private_hosts))


def scorer_class(name: str, where: str = "") -> type[Scorer]:
    """The Scorer of that name."""
    return cast("type[Scorer]", load("scorer", name, where))


def runner_class(name: str, where: str = "") -> type[Runner]:
    """The engine of that name."""
    return cast("type[Runner]", load("runner", name, where))


def runner_classes() -> dict[str, type[Runner]]:
    """All engines that can be imported, by name; what one needs to run may not be installed."""
    return dict(importable("runner"))
