"""The engine as the coordinator sees it: a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ClassVar

from pyveg.core.errors import EngineError, PyvegError
from pyveg.core.events import EngineStatus
from pyveg.core.execute import describe
from pyveg.core.installing import how_to_install
from pyveg.core.nodes import LOCAL as THIS_MACHINE
from pyveg.core.nodes import NodeClock, NodeUse
from pyveg.core.ports import EngineView, Listener, Runner, Store, Work
from pyveg.core.tasks import State, Task, TaskResult
from pyveg.runners.dask.opening import Opening
from pyveg.runners.dask.settings import LOCAL, DaskSettings, check_address, notes

if TYPE_CHECKING:
    from distributed import Client

    from pyveg.runners.dask.dispatch import Dispatch


class DaskRunner(Runner):
    """Tasks on the workers of a Dask scheduler.

    Where no scheduler is named, workers of this machine are started with the first Task, a process
    for each Task at once, and ended with the engine.
    """

    Settings: ClassVar[type[Any]] = DaskSettings
    old_names: ClassVar[Mapping[str, str]] = {"dask_scheduler": "scheduler"}
    needs_shared_store: ClassVar[bool] = True
    enforces_timeout: ClassVar[bool] = True
    elsewhere: ClassVar[bool] = True

    @classmethod
    def check(cls, settings: DaskSettings, work: Work) -> Sequence[str]:
        """Refuse an address that can be none, and tell of one that others may listen to."""
        check_address(settings.scheduler)
        return tuple(notes(settings.scheduler, work.store))

    @classmethod
    def look(cls, settings: DaskSettings, store: Store) -> EngineView | None:
        """Workers and what they do, asked of the scheduler."""
        from pyveg.runners.dask.look import open_view

        return open_view(settings.scheduler, store)

    def __init__(self, settings: DaskSettings, work: Work) -> None:
        self._scheduler = settings.scheduler
        self._n_workers = max(1, work.n_workers)
        self._modules = tuple(dict.fromkeys(step.module for step in work.steps))
        self._thread = threading.Thread(target=self._main, name="dask", daemon=True)
        self._ready: Future[None] = Future()
        self._lock = threading.Lock()
        self._inbox: list[Task] = []
        self._closed = False
        self._broken = ""
        """Why the thread has ended before its time."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()
        self._wanted = asyncio.Event()
        self._dispatch: Dispatch | None = None
        self._standing = NodeClock()

    def start(self, store: Store, listener: Listener) -> None:
        """Connect, and see whether all workers can do the work.

        Raises
        ------
        EngineError
            If there is no scheduler, or a worker that cannot be used; with what to do.
        """
        self._store, self._listener = store, listener
        token = secrets.token_hex(4)
        self._opening = Opening(token, store.spec(), dict(store.grant().variables))
        self._thread.start()
        self._ready.result()

    def submit(self, tasks: Sequence[Task]) -> None:
        """Take Tasks; return at once."""
        with self._lock:
            self._inbox.extend(tasks)
            broken = self._broken
        if broken:
            self._fail_rest(broken)
        self._soon(self._take)

    def withdraw(self, task_ids: Collection[str]) -> None:
        """Drop Tasks that have not gone to the scheduler."""
        unwanted = frozenset(task_ids)
        with self._lock:
            self._inbox = [task for task in self._inbox if task.id not in unwanted]
        self._soon(lambda: self._drop(unwanted))

    def cancel(self) -> None:
        """Give everything up; what runs on a scheduler's workers ends by itself."""
        with self._lock:
            self._closed = True
        self._soon(self._ended.set)
        self._soon(self._wanted.set)

    def close(self) -> None:
        """Let go of the scheduler; end the workers of this machine."""
        self.cancel()
        if self._thread.is_alive():
            self._thread.join()

    def nodes_used(self) -> list[NodeUse]:
        """How long machines with workers have stood; those that run on for others count too."""
        size = THIS_MACHINE if self._scheduler == LOCAL else "dask"
        return [NodeUse(size, seconds=sum(self._standing.seconds().values()))]

    def _soon(self, act: Callable[[], object]) -> None:
        """Do something in the engine's thread, unless that has ended."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(act)

    # In the thread

    def _main(self) -> None:
        try:
            from pyveg.runners.dask.cluster import quiet

            with quiet():
                asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - whatever Dask raises becomes a reason
            self._break(error)
        finally:
            with self._lock:
                self._loop = None

    async def _serve(self) -> None:
        with self._lock:
            self._loop = asyncio.get_running_loop()
        if self._scheduler == LOCAL:  # where all is done already, no worker is started
            self._ready.set_result(None)
            await self._wanted.wait()
        if self._closed:
            return
        await asyncio.to_thread(self._store.write, self._opening.marker, b"")
        try:
            await self._work()
        finally:
            await asyncio.to_thread(self._store.delete, self._opening.marker)

    async def _work(self) -> None:
        from pyveg.runners.dask.cluster import connected
        from pyveg.runners.dask.dispatch import Dispatch
        from pyveg.runners.dask.look import told

        async with connected(self._scheduler, self._n_workers) as client:
            if self._scheduler == LOCAL:  # nobody else could know where these workers are
                address = client.scheduler.address
                await asyncio.to_thread(self._store.write, self._opening.marker, told(address))
            self._tell_page(client)
            dispatch = Dispatch(client, self._opening, self, self._modules, self._standing)
            await dispatch.begin()
            self._dispatch = dispatch
            if not self._ready.done():
                self._ready.set_result(None)
            self._take()
            if not self._closed:
                await self._ended.wait()
            await dispatch.end()
            self._standing.see({})

    def _tell_page(self, client: Client) -> None:
        """Where Dask's own page of the workers is, or why there is none."""
        from pyveg.runners.dask.cluster import pages_can_be_shown

        if self._scheduler == LOCAL and not pages_can_be_shown():
            cure = how_to_install("bokeh")
            self.tell(EngineStatus(f"dask: no page of the workers, as bokeh is missing; {cure}"))
        elif client.dashboard_link:
            page = f"dask: the workers are shown at {client.dashboard_link}"
            self.tell(EngineStatus(page, urgent=True))  # it must stay on the screen

    def _take(self) -> None:
        """Pass Tasks on, once there is somebody to take them."""
        self._wanted.set()
        if self._dispatch is not None:
            with self._lock:
                tasks, self._inbox = self._inbox, []
            self._dispatch.take(tasks)

    def _drop(self, unwanted: frozenset[str]) -> None:
        if self._dispatch is not None:
            self._dispatch.drop(unwanted)

    def _break(self, error: Exception) -> None:
        """Tell of a failure whom it concerns: who starts the engine, or who waits for Tasks."""
        reason = describe(error)
        if not self._ready.done():
            known = isinstance(error, PyvegError)
            self._ready.set_exception(error if known else EngineError(f"Dask: {reason}"))
            return
        self.tell(EngineStatus(f"dask: {reason}", urgent=True))
        with self._lock:
            self._broken = reason
        self._fail_rest(reason)

    def _fail_rest(self, reason: str) -> None:
        with self._lock:
            tasks, self._inbox = self._inbox, []
        for task in tasks:
            self.report(TaskResult(task.id, State.FAILED, reason))

    # What `Dispatch` tells, unless the engine is closed

    def started(self, task_id: str) -> None:
        """A Task has begun."""
        with self._lock:
            if not self._closed:
                self._listener.started(task_id)

    def report(self, result: TaskResult) -> None:
        """A Task has ended."""
        with self._lock:
            if not self._closed:
                self._listener.report(result)

    def tell(self, status: EngineStatus) -> None:
        """How the workers are."""
        self._listener.tell(status)
