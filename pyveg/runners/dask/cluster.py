"""Where the workers are: a scheduler that runs somewhere, or workers of this machine."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from pathlib import Path
from types import ModuleType
from typing import Any

from distributed import Client, LocalCluster, Nanny, Worker
from distributed.utils import silence_logging_cmgr
from distributed.versions import VersionMismatchWarning

from pyveg.core import registry
from pyveg.core.errors import EngineError
from pyveg.core.execute import describe
from pyveg.core.values import read_json
from pyveg.runners.dask.settings import LOCAL

PATIENCE = 5.0
"""How long a scheduler may take to answer the first time, seconds."""
_NOTHING = logging.CRITICAL + 1
"""A level of logs above all that Dask writes, such as the traceback of a scheduler whose client has
left in the middle of a Task."""


@asynccontextmanager
async def connected(scheduler: str, n_workers: int) -> AsyncIterator[Client]:
    """A client of the scheduler; workers of this machine are started first and ended with it.

    Parameters
    ----------
    scheduler : str
        Its address, the JSON file that has it, or ``"local"``.
    n_workers : int
        How many workers of this machine.

    Raises
    ------
    EngineError
        If there is no scheduler at that address.
    """
    async with AsyncExitStack() as stack:
        if scheduler == LOCAL:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pyveg-dask-"))
            cluster = await stack.enter_async_context(_local_cluster(n_workers, folder))
            address = cluster.scheduler_address
        else:
            address = address_of(scheduler)
        yield await stack.enter_async_context(_client(address))


def address_of(scheduler: str) -> str:
    """The address of a scheduler, read from its file where one is named.

    Raises
    ------
    EngineError
        If the file cannot be read.
    """
    if not scheduler.endswith(".json"):
        return scheduler
    try:
        return str(read_json(Path(scheduler).expanduser().read_bytes())["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"dask: scheduler: {scheduler} does not tell where a scheduler is ({describe(error)})",
            "start one with `dask scheduler --scheduler-file FILE`",
        ) from error


@asynccontextmanager
async def _client(address: str) -> AsyncIterator[Client]:
    try:
        with warnings.catch_warnings():
            # Versions are looked at by `worker_checks`, which names the worker and the cure.
            warnings.simplefilter("ignore", VersionMismatchWarning)
            client = await Client(
                address, asynchronous=True, set_as_default=False, name="pyveg", timeout=PATIENCE
            )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise EngineError(
            f"no Dask scheduler answers at {address} ({reason})",
            "start it with `dask scheduler`, or correct its address (the setting scheduler)",
        ) from error
    try:
        yield client
    finally:
        with suppress(OSError, TimeoutError):  # one that is gone need not be told
            await client.close()


def pages_can_be_shown() -> bool:
    """Whether what Dask's page of the workers needs is installed."""
    return registry.is_installed("bokeh")


def _local_cluster(n_workers: int, folder: str) -> LocalCluster:
    """Workers of this machine, one Task at a time in each."""
    return LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        worker_class=_Nanny,
        memory_limit=0,  # as with processes; Dask would end a worker that takes its share
        local_directory=folder,
        asynchronous=True,
        silence_logs=_NOTHING,
        scheduler_kwargs={
            "allowed_failures": 0,  # what to try again is decided in `dispatch`
            "dashboard": pages_can_be_shown(),
            "dashboard_address": "127.0.0.1:0",  # any port, this machine only
        },
    )


def quiet() -> AbstractContextManager[None]:
    """Leave it to `dispatch` to tell, in pyveg's words, what matters of what Dask would log."""
    silent: AbstractContextManager[None] = silence_logging_cmgr(_NOTHING)
    return silent


class _Worker(Worker):  # type: ignore[misc]
    """A worker that leaves what to do and what to tell to the coordinator."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._silence = ExitStack()  # for as long as the process lives
        self._silence.enter_context(quiet())
        super().__init__(*args, **kwargs)


class _Nanny(Nanny):  # type: ignore[misc]
    """Starts a worker without running the user's script again, and ends it at once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, worker_class=_Worker, **kwargs)

    async def instantiate(self) -> Any:
        with _without_main():
            return await super().instantiate()

    async def close(self, timeout: float = 5, reason: str = "nanny-close") -> Any:
        if self.pid is not None:  # it holds nothing that is wanted, and may be amid a long Task
            os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        return await super().close(timeout=timeout, reason=reason)


_hidden: list[ModuleType] = []


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the user's script while workers start; all of them do so in one thread."""
    _hidden.append(sys.modules["__main__"])
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        main = _hidden.pop()
        if not _hidden:
            sys.modules["__main__"] = main
