"""What runs on a worker of Dask."""

from __future__ import annotations

import asyncio
import time
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
from pyveg.runners.dask import apart
from pyveg.runners.dask.errand import TOPIC, Errand, Opening, Unready, ended, started
from pyveg.runners.environment import environment

RUNS_AT_ONCE = 64
"""How many runs a worker keeps Stores open for."""
_LATE = 2.0
"""How long a new file may take to be seen through a network file system, seconds."""


@dataclass(frozen=True)
class _Opened:
    opening: Opening
    store: Store


_opened: OrderedDict[str, _Opened] = OrderedDict()
"""Token of a run -> its Store, as this process was told to open it."""
_guard = Lock()


def run(errand: Errand) -> list[TaskResult] | Unready:
    """Do an errand, and tell of it by events.

    The results also stay with the worker until the scheduler forgets them, for a client that has
    missed the event.

    Parameters
    ----------
    errand : Errand

    Returns
    -------
    list of TaskResult or Unready
        One for each Task, in their order.
    """
    from distributed import get_worker

    worker = get_worker()
    opened = _opened.get(errand.token)
    if opened is None:
        return Unready(worker.address)
    worker.log_event(TOPIC, started(errand))
    if errand.apart:
        results = [apart.run(task, opened.opening) for task in errand.tasks]
    else:
        results = [run_task(task, opened.store) for task in errand.tasks]
    worker.log_event(TOPIC, ended(errand, results))
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
        found = open_store(opening)
        _see_marker(found, opening)
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
        _opened[opening.token] = _Opened(opening, found)
        while len(_opened) > RUNS_AT_ONCE:
            _opened.popitem(last=False)
    return ""


def open_store(opening: Opening) -> Store:
    """Open the Store; what it needs of the environment is there for that moment only.

    Other people's Tasks may run in the same process, and another run may need another secret.
    """
    with _guard, environment(opening.environment):
        return registry.open_store(opening.store)


def _see_marker(store: Store, opening: Opening) -> None:
    """Raise `KeyMissingError` where the marker is not to be seen."""
    end = time.monotonic() + _LATE
    while True:
        try:
            store.read(opening.marker)
        except KeyMissingError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return
