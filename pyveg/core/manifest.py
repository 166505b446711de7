"""Manifests: the proof that a Task has been done, and with what."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pyveg.core.errors import KeyMissingError
from pyveg.core.layout import manifest_key, older_task_id
from pyveg.core.ports import Store
from pyveg.core.tasks import State, Task
from pyveg.core.values import read_json

_OF_NUMBERS = ("pyveg", "numpy", "numba", "rasterio", "pillow", "scipy", "scikit-image")
"""Packages whose version a manifest keeps, as numbers may depend on it."""


@dataclass(frozen=True)
class Manifest:
    """What a Task read, wrote and used up."""

    task_id: str
    state: State
    fingerprint: str
    reason: str = ""
    inputs: tuple[str, ...] = ()
    """Keys that it read."""
    outputs: Mapping[str, int] = field(default_factory=dict)
    """Keys that it wrote -> length in bytes."""
    seconds: float = 0.0
    peak_memory_mb: float | None = None
    """Largest resident size of its process or of a program, MiB; None where that is not told."""
    usage: Mapping[str, Any] = field(default_factory=dict)
    """What it took, as `pyveg.core.usage.Usage.from_json` reads it."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def write(store: Store, manifest: Manifest) -> None:
    """Keep a manifest; from now on its Task counts as done."""
    store.write(manifest_key(manifest.task_id), _text(vars(manifest)).encode())


def _text(fields: Mapping[str, Any]) -> str:
    """What ``json.dumps(fields, indent=1, default=str)`` gives, in a fifth of its time.

    With an indent the standard library leaves its encoder in C unused, and for a short Task that
    took longer than all else. Here each flat value is one call of it.
    """
    parts = (f' "{name}": {_value(value)}' for name, value in fields.items())
    return "{\n" + ",\n".join(parts) + "\n}"


_in_lines = json.JSONEncoder(separators=(",\n  ", ": "), default=str).encode
"""A flat list or dict with each entry on a line of its own."""


def _value(value: Any) -> str:
    if not isinstance(value, dict | list | tuple):
        return _in_lines(value)
    if not value:
        return "[]" if isinstance(value, list | tuple) else "{}"
    entries = value.values() if isinstance(value, dict) else value
    if any(isinstance(entry, dict | list | tuple) for entry in entries):
        return json.dumps(value, indent=1, default=str).replace("\n", "\n ")
    text = _in_lines(value)
    return f"{text[0]}\n  {text[1:-1]}\n {text[-1]}"


def read(store: Store, task_id: str) -> Manifest | None:
    """The manifest of a Task, or None where there is none that can be read."""
    try:
        data = read_json(_read(store, task_id))
        given = {**data, "state": State(data["state"]), "inputs": tuple(data["inputs"])}
        return _checked(Manifest(**given))
    except KeyMissingError:
        return None
    except (ValueError, TypeError, KeyError):  # damaged: the Task is done again
        return None


def _read(store: Store, task_id: str) -> bytes:
    try:
        return store.read(manifest_key(task_id))
    except KeyMissingError:
        older = older_task_id(task_id)
        if older == task_id:
            raise
        return store.read(manifest_key(older))


def _checked(made: Manifest) -> Manifest:
    """A manifest whose values are of their types; by hand, as each Task reads some."""
    texts = (made.task_id, made.fingerprint, made.reason, *made.inputs)
    if not (
        all(isinstance(text, str) for text in texts)
        and isinstance(made.outputs, Mapping)
        and all(isinstance(size, int) for size in made.outputs.values())
        and isinstance(made.notes, Mapping)
        and isinstance(made.usage, Mapping)
        and isinstance(made.versions, Mapping)
        and isinstance(made.seconds, int | float)
    ):
        raise TypeError("a value is of another type")
    return made


def valid(store: Store, task: Task) -> Manifest | None:
    """The manifest of a Task that need not be done again, or None.

    It is valid if it was written for the same fingerprint and everything that it lists is still
    there with the same length. A Task that was skipped is skipped again for the same reason.
    """
    if task.step.replace:
        return None
    manifest = read(store, task.id)
    if manifest is None or manifest.fingerprint != task.fingerprint:
        return None
    whole = all(store.size(key) == size for key, size in manifest.outputs.items())
    return manifest if whole else None


@cache
def versions() -> dict[str, str]:
    """Versions of what the numbers were made with."""
    known = {"python": platform.python_version(), "platform": sys.platform}
    for package in _OF_NUMBERS:
        try:
            known[package] = version(package)
        except PackageNotFoundError:
            continue
    return known


def other_versions(made: Manifest) -> list[str]:
    """What a Task was made with that is of another version here, a clause for each package.

    Examples
    --------
    >>> there = {**versions(), "numpy": "1.0"}
    >>> made = Manifest("a/b/c", State.SUCCEEDED, "", versions=there)
    >>> [clause.replace(version("numpy"), "2.0") for clause in other_versions(made)]
    ['made with numpy 1.0, and 2.0 is here: numbers may differ']
    """
    here = versions()
    return [
        f"made with {package} {made.versions[package]}, and {here[package]} is here: numbers may "
        "differ"
        for package in _OF_NUMBERS
        if made.versions.get(package, here.get(package)) != here.get(package) and package in here
    ]
