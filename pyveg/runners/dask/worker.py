"""What runs on a worker of Dask."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from pyveg.core import registry
from pyveg.core.errors import KeyMissingError
from pyveg.core.execute import describe, run_task
from pyveg.core.ports import Store
from pyveg.core.tasks import TaskResult
from pyveg.runners.dask import child_processes
from pyveg.runners.dask.messages import TOPIC, Chunk, Unready, ended, started
from pyveg.runners.dask.opening import Opening, open_store, see_marker

RUNS_AT_ONCE = 64
"""How many runs a worker keeps Stores open for."""


@dataclass(frozen=True)
class _OpenStore:
    opening: Opening
    store: Store


_open_stores: OrderedDict[str, _OpenStore] = OrderedDict()
"""Token of a run -> its Store, as this process was told to open it."""
_guard = Lock()


def run(chunk: Chunk) -> list[TaskResult] | Unready:
    """Do a chunk, and tell of it by events.

    The results also stay with the worker until the scheduler forgets them, for a client that has
    missed the event.

    Parameters
    ----------
    chunk : Chunk

    Returns
    -------
    list of TaskResult or Unready
        One for each Task, in their order.
    """
    from distributed import get_worker

    worker = get_worker()
    run_of = _open_stores.get(chunk.token)
    if run_of is None:
        return Unready(worker.address)
    worker.log_event(TOPIC, started(chunk))
    if chunk.isolated:
        results = [child_processes.run(task, run_of.opening) for task in chunk.tasks]
    else:
        results = [run_task(task, run_of.store) for task in chunk.tasks]
    worker.log_event(TOPIC, ended(chunk, results))
    return results


async def prepare(
    token: str,
    store: Mapping[str, Any],
    variables: Mapping[str, str],
    modules: Sequence[str],
) -> str:
    """Open the Store of a run in this process, and see whether its Tasks can be done here.

    Arguments are plain data and nothing is raised: Dask logs what it cannot read and the arguments
    of what fails, and the variables may be secrets.

    Parameters
    ----------
    token : str
    store : mapping
        What `registry.open_store` needs.
    variables : mapping of str to str
        Environment variables for opening it.
    modules : sequence of str

    Returns
    -------
    str
        Why this worker can do no Task of the run; empty if it can.
    """
    try:
        return await asyncio.to_thread(_prepare, Opening(token, store, variables), modules)
    except Exception as error:  # noqa: BLE001 - see above
        return describe(error)


def _prepare(opening: Opening, modules: Sequence[str]) -> str:
    try:
        store = open_store(opening)
        see_marker(store, opening)
    except KeyMissingError as error:
        return (
            f"it does not see the files of the run at {error.store}; let all workers have the same "
            "folder at the same path, or choose another output_location_type"
        )
    except Exception as error:  # noqa: BLE001 - services and their clients raise many kinds
        return (
            f"it cannot open the run: {describe(error)}; give the workers what this machine has "
            "of packages and credentials"
        )
    try:
        for name in modules:
            registry.load("module", name)
    except Exception as error:  # noqa: BLE001 - importing a plugin runs anyone's code
        return f"{describe(error)}; install there what is installed here"
    with _guard:
        _open_stores[opening.token] = _OpenStore(opening, store)
        while len(_open_stores) > RUNS_AT_ONCE:
            _open_stores.popitem(last=False)
    return ""
