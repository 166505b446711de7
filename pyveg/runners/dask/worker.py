"""What runs on a worker of Dask."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from threading import Lock

from pyveg.core import registry
from pyveg.core.errors import KeyMissingError
from pyveg.core.execute import describe, run_task
from pyveg.core.ports import Store
from pyveg.core.tasks import TaskResult
from pyveg.runners.dask import apart
from pyveg.runners.dask.errand import STARTED, Errand, Opening, Unfit
from pyveg.runners.environment import environment

RUNS_AT_ONCE = 8
"""How many runs a worker keeps Stores open for."""
_LATE = 2.0
"""How long a new file may take to be seen through a network file system, seconds."""

_stores: OrderedDict[str, Store] = OrderedDict()
_guard = Lock()


def run(errand: Errand, opening: Opening) -> list[TaskResult] | Unfit:
    """Do an errand.

    Parameters
    ----------
    errand : Errand
    opening : Opening

    Returns
    -------
    list of TaskResult or Unfit
        One for each Task, in their order; or why this worker can do none.
    """
    from distributed import get_worker

    worker = get_worker()
    store = store_of(opening)
    if isinstance(store, str):
        return Unfit(worker.address, store)
    worker.log_event(STARTED, [opening.token, errand.number])
    if errand.apart:
        return [apart.run(task, opening) for task in errand.tasks]
    return [run_task(task, store) for task in errand.tasks]


async def examine(opening: Opening) -> str:
    """Why this worker can do no Task of a run; empty if it can. Leaves its event loop free."""
    return await asyncio.to_thread(trouble, opening)


def trouble(opening: Opening) -> str:
    """See `examine`."""
    store = store_of(opening)
    if isinstance(store, str):
        return store
    try:
        for name in opening.modules:
            registry.load("module", name)
    except Exception as error:  # noqa: BLE001 - importing a plugin runs anyone's code
        return f"{describe(error)}; install there what is installed here"
    return ""


def store_of(opening: Opening) -> Store | str:
    """The Store of a run, opened once in this process; or why it cannot be reached."""
    with _guard:
        known = _stores.get(opening.token)
        if known is not None:
            return known
        try:
            store = open_store(opening)
            _see_marker(store, opening)
        except KeyMissingError:
            return (
                f"it does not see the files of the run at {opening.store.get('path', store.url)}; "
                "let all workers have the same folder at the same path, or choose another "
                "output_location_type"
            )
        except Exception as error:  # noqa: BLE001 - services and their clients raise many kinds
            return (
                f"it cannot open the run: {describe(error)}; give the workers what this machine "
                "has of packages and credentials"
            )
        _stores[opening.token] = store
        while len(_stores) > RUNS_AT_ONCE:
            _stores.popitem(last=False)
        return store


def open_store(opening: Opening) -> Store:
    """Open the Store; what it needs of the environment is there for that moment only.

    Other people's Tasks may run in the same process, and another run may need another secret.
    """
    with environment(opening.environment):
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
