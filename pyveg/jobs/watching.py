"""Which runs are at a location, and what their engines can tell while they last."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pyveg.core import engines, registry
from pyveg.core.errors import NotARunError, PyvegError
from pyveg.core.ports import EngineView, Store
from pyveg.jobs.locations import open_location
from pyveg.runs.run import Run, is_run, open_run
from pyveg.runs.watch import RunStatus
from pyveg.storage import azure
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.storage.azure_names import container_name
from pyveg.storage.folders import folders_at

T = TypeVar("T")
R = TypeVar("R")

AZURE = "azure://"
_STAMP = re.compile(r"[-_]\d{4}-\d\d-\d\d[-_]\d\d-\d\d-\d\d$")
"""What the name of a run ends with."""
_DEPTH = 2
"""Levels of folders below a location that are looked through."""
_AT_ONCE = 16


def run_at(where: str | Path) -> Run | None:
    """The run of that folder, URL or container; None where it is no run itself."""
    text = str(where)
    store = _container(text.removeprefix(AZURE)) if text.startswith(AZURE) else _named(text)
    return open_run(store) if store is not None and is_run(store) else None


def runs_at(where: str | Path) -> list[Run]:
    """The runs at a location, by name.

    Parameters
    ----------
    where : str or Path
        A run; a folder that holds runs, also one level deeper; what runs begin with, as
        ``output_location`` has it (``runs/demo``); the same as a URL of fsspec; or ``azure://``
        for the containers of the account, ``azure://demo`` for those that begin so.

    Raises
    ------
    NotARunError
        If there is none.
    """
    text = str(where)
    one = run_at(text)
    if one is not None:
        return [one]
    if text.startswith(AZURE):
        runs = _in_account(text.removeprefix(AZURE).rstrip("/"))
    else:
        runs = _at_url(text) if "://" in text else _in_folders(Path(text).expanduser())
    if not runs:
        if "://" not in text:
            azure.refuse_missing(_named(text))  # with the nearest names of containers
        raise NotARunError(
            f"there is no run at {text}",
            "give a run, the folder that holds some, or the output_location of their config",
        )
    return runs


def engine_views(run: Run) -> tuple[list[EngineView], list[str]]:
    """What the engines of a run can tell that work elsewhere, and why others tell nothing.

    Parameters
    ----------
    run : Run
        One that goes on.
    """
    views: list[EngineView] = []
    reasons: list[str] = []
    for name in _engines_of(run):
        try:
            cls = registry.runner_class(name)
            given = run.pipeline.engines.get(name, {})
            view = cls.look(engines.settings_of(name, given), run.store)
        except PyvegError as error:
            reasons.append(f"{name}: {error}")
            continue
        if view is not None:
            views.append(view)
    return views, reasons


def _engines_of(run: Run) -> list[str]:
    modes = [str(step.settings.get("run_mode", "local")) for step in run.steps]
    return list(dict.fromkeys(run.pipeline.engine_of(mode) for mode in modes))


def _named(text: str) -> Store:
    """What a text names that may be the name of a container too."""
    return open_location(text if "://" in text else _expanded(text))


def _expanded(text: str) -> str:
    return str(Path(text).expanduser()) if text.startswith("~") else text


def _container(name: str) -> Store | None:
    """The container of that name; None where there is none."""
    store = registry.load("store", "azure")(name) if name else None
    return store if isinstance(store, AzureBlobStore) and store.exists() else None


def _in_account(name: str) -> list[Run]:
    """Runs in the containers that begin with a name."""
    start = _STAMP.sub("", container_name(f"{name}_2026-01-01_00-00-00")) if name else ""
    account: AzureBlobStore = registry.load("store", "azure")("any")
    names = [one for one in account.containers() if _begins(one, start)]
    return _those_with_a_run(registry.load("store", "azure")(one) for one in names)


def _at_url(url: str) -> list[Run]:
    """Runs in a folder of fsspec, or those whose names begin like its own."""
    found = _those_with_a_run(open_location(folder) for folder in folders_at(url))
    if found:
        return found
    parent, _, start = url.rstrip("/").rpartition("/")
    if parent.endswith(("/", ":")):
        return []
    named = [one for one in folders_at(parent) if _begins(one.rpartition("/")[2], start)]
    return _those_with_a_run(open_location(folder) for folder in named)


def _in_folders(path: Path) -> list[Run]:
    """Runs in a folder, and those whose names begin like its own."""
    folders = [*_below(path, _DEPTH)]
    if path.name and path.parent.is_dir():
        folders += (one for one in _subfolders(path.parent) if _begins(one.name, path.name))
    return _those_with_a_run(open_location(one.absolute()) for one in dict.fromkeys(folders))


def _below(path: Path, depth: int) -> Iterator[Path]:
    """Folders that may be runs; those of runs themselves are not looked through."""
    for folder in _subfolders(path):
        yield folder
        if depth > 1 and not is_run(open_location(folder.absolute())):
            yield from _below(folder, depth - 1)


def _subfolders(path: Path) -> list[Path]:
    try:
        return sorted(one for one in path.iterdir() if one.is_dir() and one.name[:1] != ".")
    except OSError:
        return []


def _begins(name: str, start: str) -> bool:
    """Whether a name is that of a run whose ``output_location`` is `start`; all where empty."""
    return not start or _STAMP.sub("", name) == start


def _those_with_a_run(stores: Iterable[Store]) -> list[Run]:
    opened = list(stores)
    there = _each(is_run, opened)
    return [open_run(store) for store, is_one in zip(opened, there, strict=True) if is_one]


def _each(act: Callable[[T], R], things: list[T]) -> list[R]:
    """Ask several Stores at once."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pyveg-look") as pool:
        return list(pool.map(act, things))


def statuses(runs: Iterable[Run]) -> list[RunStatus]:
    """How some runs are, asked at once."""
    return _each(Run.status, list(runs))
