"""Engines and kinds of Stores for drivers that disturb runs: how they are started and finished."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyveg import open_run
from pyveg.core.layout import LOCK, PRIVATE
from pyveg.jobs.locations import open_location
from pyveg.testing.azure_cloud import LocalCloud
from pyveg.testing.dask_processes import DaskProcesses
from pyveg.testing.graphs import fake_config

COMMAND = [sys.executable, "-m", "pyveg.scripts.run_pipeline"]
PATIENCE = 120.0
"""Seconds after which the lock of a process that was killed must be free."""


@dataclass(frozen=True)
class Kind:
    """An engine and a Store."""

    name: str
    location: str
    """Where its runs go, as a pattern of ``{folder}`` and ``{number}``."""
    config: dict[str, Any]
    seconds: tuple[float, float] = (0.8, 3.0)
    """Earliest and latest moment of a kill."""
    left: Callable[[], list[str]] = field(default=list)
    """What it has left at a service."""


def special(count: int, seconds: float, run_mode: str = "local") -> dict[str, Any]:
    """Settings of the fake Modules: some Items that each take a while."""
    return {
        "A": {"count": count, "run_mode": run_mode},
        "Start": {"seconds": seconds},
        "B": {"count": 2},
    }


def write_config(folder: Path, kind: Kind, number: int) -> tuple[Path, str]:
    """Write a config for one run; where the run goes is known before it begins."""
    where = kind.location.format(folder=folder, number=number)
    protocol, separator, rest = where.partition("://")
    more = {"output_location_type": protocol} if separator else {}
    path = folder / f"{kind.name}_{number}.py"
    path.write_text(fake_config(rest or where, **more, **kind.config))
    return path, where


def find(where: str) -> str | None:
    """The run whose location begins with `where`; None where its process had not come to that."""
    protocol, separator, rest = where.partition("://")
    if protocol == "azure":
        return next(iter(_containers(rest)), None)
    path = Path(rest or where)
    for run in sorted(path.parent.glob(f"{path.name}_*")):
        if (run / PRIVATE / "run.json").is_file():
            return f"{protocol}://{run}" if separator else str(run)
    return None


def _containers(prefix: str) -> Iterator[str]:
    from pyveg.azure_config import load
    from pyveg.storage.azure_access import Access, service_client

    config = load()
    client = service_client(config.blob_url, Access.from_environment(config.storage_account_key))
    for container in client.list_containers(name_starts_with=f"{prefix}-"):
        url = f"azure://{container.name}"
        if open_location(url).size(f"{PRIVATE}/run.json") is not None:
            yield url


def manifests(where: str) -> dict[str, bytes]:
    """What proves that Tasks are done."""
    store = open_location(where)
    return {key: store.read(key) for key in store.list(f"{PRIVATE}/manifests/")}


def results(where: str) -> dict[str, bytes]:
    """What a user gets."""
    store = open_location(where)
    return {key: store.read(key) for key in store.list() if not key.startswith(f"{PRIVATE}/")}


def wait_for_lock(where: str) -> None:
    """Until nobody holds the lock of a run, the dead included."""
    store, end = open_location(where), time.monotonic() + PATIENCE
    while (holder := store.holder(LOCK)) is not None and holder.alive:
        if time.monotonic() > end:
            raise TimeoutError(f"{where} is still held by {holder}")
        time.sleep(0.5)


def finish(where: str, expected: dict[str, bytes]) -> list[str]:
    """Finish a run that was disturbed; what is wrong with it."""
    wait_for_lock(where)
    before = manifests(where)
    done = subprocess.run(
        [*COMMAND, "--from_cache", where],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    if done.returncode:
        return [f"exit code {done.returncode}: {done.stdout}{done.stderr}"]
    trouble = []
    if results(where) != expected:
        trouble.append("the results are not those of a run that nobody disturbed")
    after = manifests(where)
    again = [key for key in before if after.get(key) != before[key] and "/combine/" not in key]
    if again:
        trouble.append(f"done again: {', '.join(again)}")
    left = list(open_location(where).list(f"{PRIVATE}/stop"))
    if left or open_run(open_location(where)).status().state != "ended":
        trouble.append("it does not say that it has ended")
    return trouble


def undisturbed(folder: Path, kind: Kind) -> dict[str, bytes]:
    """The results of a run to its end."""
    config, where = write_config(folder, kind, 0)
    subprocess.run([*COMMAND, "--config_file", str(config)], check=True, capture_output=True)
    run = find(where)
    assert run is not None
    return results(run)


@contextmanager
def kinds(folder: Path, names: list[str]) -> Iterator[list[Kind]]:
    """Engines and Stores of those names, with the services that they need."""

    def local(name: str) -> str:
        return str(folder / name / "{number}" / "out")  # of its own, or runs of others are found

    with ExitStack() as stack:
        made = [
            Kind(
                name,
                local(name),
                {"runner": name, "n_workers": 2, "special_config": special(20, 0.08)},
            )
            for name in ("serial", "threads", "processes")
        ]
        config = {"runner": "processes", "n_workers": 2, "special_config": special(20, 0.08)}
        made.append(Kind("file", f"file://{local('file')}", config))
        if {"azurite", "batch"} & set(names):
            cloud = stack.enter_context(LocalCloud(folder / "cloud"))
            made += _azure(folder, cloud)
        if "dask" in names:
            dask = stack.enter_context(DaskProcesses(folder / "dask"))
            dask.add_workers(2)
            made.append(_dask(local("dask"), dask))
        yield [kind for kind in made if kind.name in names]


def _azure(folder: Path, cloud: LocalCloud) -> list[Kind]:
    path = folder / "azure_config.py"
    nodes = {"pool_dedicated_node_count": 1, "poll_seconds": 0.2, "task_slots_per_node": 4}
    path.write_text(cloud.config(**nodes))
    os.environ["PYVEG_AZURE_CONFIG"] = str(path)
    config = {"runner": "processes", "n_workers": 2, "special_config": special(20, 0.08)}
    far = {"runner": "serial", "special_config": special(6, 0.3, "batch")}
    return [
        Kind("azurite", "azure://killed-{number}", config, (1.2, 4.0)),
        Kind("batch", "azure://batch-{number}", far, (2.0, 20.0), left_at_batch),
    ]


def left_at_batch() -> list[str]:
    """Jobs and pools that runs have left."""
    from pyveg.azure_config import load
    from pyveg.runners.azure_batch.cleanup import account_of

    return [f"{one.kind} {one.id}" for one in account_of(load()).leftovers()]


def _dask(local: str, dask: DaskProcesses) -> Kind:
    config = {
        "runner": "dask",
        "engines": {"dask": {"scheduler": dask.address}},
        "special_config": special(20, 0.08),
    }
    return Kind("dask", local, config, (1.5, 4.0))


ALL = ("serial", "threads", "processes", "file", "azurite", "batch", "dask")
