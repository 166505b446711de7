"""Tasks in processes of this machine, with time limits, and workers that may die."""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext, SpawnContext, SpawnProcess
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from pyveg.core import memory, secrets
from pyveg.core.execute import STEPS_AT_ONCE, run_task
from pyveg.core.ports import Store, Work
from pyveg.core.registry import load, open_store
from pyveg.core.tasks import Step, Task, TaskResult
from pyveg.runners import reasons
from pyveg.runners.environment import environment
from pyveg.runners.local import PoolRunner

_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Workers are as many as cores, so libraries inside them must not start threads of their own."""


class ProcessRunner(PoolRunner):
    """Tasks in worker processes: one per core, each with its own memory.

    A worker that dies takes its pool with it. Every Task that was in hand is then tried again,
    alone; one that kills its worker a second time has failed. A Task beyond its time limit is
    ended by its own worker; the others that were in hand are simply done again.
    """

    needs_shared_store: ClassVar[bool] = True
    enforces_timeout: ClassVar[bool] = True

    def __init__(self, settings: Any, work: Work) -> None:
        super().__init__(settings, work)
        self._preload = list(dict.fromkeys(_imported_by(work)))
        self._begun: dict[str, float] = {}
        self._suspects: deque[Task] = deque()
        self._alone: set[str] = set()
        """Ids of Tasks that must be the only one in hand."""
        self._fallen: list[tuple[Task, float]] = []
        self._lifeline: Connection | None = None
        self._steps: dict[int, tuple[Step, bytes]] = {}
        """Id of the object -> a Step, kept so that its id stays its own, and that pickled."""

    def _make_executor(self) -> Executor:
        context = worker_context(self._preload)
        reader, self._lifeline = context.Pipe(duplex=False)
        return ProcessPoolExecutor(
            self._n_workers,
            mp_context=context,
            initializer=_begin_worker,
            initargs=(self._store.spec(), self._surroundings(), reader),
        )

    def _surroundings(self) -> _Surroundings:
        """Where workers find themselves: here and now, with what opens the Store."""
        # Their server process was started once, perhaps before any of this was set.
        variables = {**os.environ, **self._store.grant().variables}
        return _Surroundings(_working_directory(), variables, secrets.known())

    def _ahead(self) -> int:
        if self._suspects or self._fallen or self._alone & {t.id for t in self._running.values()}:
            return 1
        limited = any(task.step.timeout for task in self._running.values())
        return self._n_workers if limited else 2 * self._n_workers

    def _feed(self) -> None:
        with self._lock:
            if self._fallen and not self._running and not self._closed:
                self._bury()
            if self._suspects and not self._running:
                self._alone = {self._suspects[0].id}
                self._waiting.appendleft(self._suspects.popleft())
        super()._feed()

    def _submit(self, executor: Executor, task: Task) -> Future[TaskResult]:
        self._begun[task.id] = time.monotonic()
        own = task.item, task.after, task.after_any, task.fingerprint, task.missing, task.epoch
        return executor.submit(_run, self._pickled(task.step), *own, task.more_memory)

    def _pickled(self, step: Step) -> bytes:
        """A Step as workers get it: written once, and equal bytes are read once by each worker."""
        if id(step) not in self._steps:
            self._steps[id(step)] = step, pickle.dumps(step)
        return self._steps[id(step)][1]

    def _hand_over(self, executor: Executor, task: Task) -> Future[TaskResult] | None:
        try:
            return super()._hand_over(executor, task)
        except BrokenProcessPool:  # it fell since the last Task; those in hand will tell
            self._waiting.appendleft(task)
            if not self._running:
                self._executor = None
            return None

    def _failed(self, task: Task, error: BaseException) -> TaskResult | None:
        if not isinstance(error, BrokenProcessPool):
            return super()._failed(task, error)
        with self._lock:
            self._fallen.append((task, time.monotonic() - self._begun[task.id]))
        return None

    def _bury(self) -> None:
        """Sort out a pool that has fallen, once all that it had in hand has come back."""
        fallen, self._fallen = self._fallen, []
        self._executor = None
        overdue = [
            task
            for task, seconds in fallen
            if task.step.timeout is not None and seconds >= task.step.timeout * 60
        ]
        for task in overdue:
            self._listener.report(reasons.overdue(task))
        others = [task for task, _ in fallen if task not in overdue]
        if overdue:
            self._waiting.extendleft(reversed(others))
        elif len(fallen) == 1:
            self._listener.report(reasons.process_died(others[0]))
        else:
            self._suspects.extend(others)

    def withdraw(self, task_ids: Collection[str]) -> None:
        """Drop Tasks that no worker has been given, those to be tried again among them."""
        unwanted = frozenset(task_ids)
        with self._lock:
            self._suspects = deque(task for task in self._suspects if task.id not in unwanted)
        super().withdraw(unwanted)

    def cancel(self) -> None:
        """Give up everything; workers end at once."""
        self._cut()
        super().cancel()

    def close(self) -> None:
        """Free the workers, which wait for nothing."""
        super().close()
        self._cut()

    def _cut(self) -> None:
        if self._lifeline is not None:
            self._lifeline.close()


@dataclass(frozen=True)
class _Surroundings:
    """What a worker shares with the process that it works for."""

    folder: str
    """Working directory; empty where it is gone."""
    variables: Mapping[str, str] = field(repr=False)
    """Environment; secrets among them."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """What none of them may show."""


def _working_directory() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return ""


def _imported_by(work: Work) -> Iterator[str]:
    """Python modules that Tasks need, for workers to share one copy of them."""
    for step in work.steps:
        cls = load("module", step.module)
        yield from (cls.__module__, *cls.preload)


def worker_context(preload: list[str]) -> BaseContext:
    """How workers are started: from a clean server process where the system has such."""
    if sys.platform == "win32":
        return _Spawn()
    context = _ForkServer()
    context.set_forkserver_preload(["pyveg.core.execute", *preload])
    with environment(_ONE_THREAD):
        forkserver.ensure_running()
    return context


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the user's script, which a worker would otherwise run again; no Task needs it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class _SpawnWorker(SpawnProcess):
    def start(self) -> None:
        with _without_main():
            super().start()


class _Spawn(SpawnContext):
    Process = _SpawnWorker


if sys.platform != "win32":
    from multiprocessing.context import ForkServerContext, ForkServerProcess

    class _ForkServerWorker(ForkServerProcess):
        def start(self) -> None:
            with _without_main():
                super().start()

    class _ForkServer(ForkServerContext):
        Process = _ForkServerWorker


_store: Store


def _begin_worker(
    store_spec: Mapping[str, Any], surroundings: _Surroundings, lifeline: Connection
) -> None:
    """Open the Store, and end with the coordinator, however that ends."""
    global _store  # noqa: PLW0603 - one Store per worker process
    os.environ.update(surroundings.variables)
    secrets.know(*surroundings.secrets)
    if surroundings.folder:
        os.chdir(surroundings.folder)
    tie(lifeline)
    memory.keep_limits()
    _store = open_store(store_spec)


def tie(lifeline: Connection) -> None:
    """In a new worker: end with the coordinator, who alone holds the other end of the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the coordinator's to handle
    os.environ.update(_ONE_THREAD)
    threading.Thread(target=_watch, args=(lifeline,), daemon=True).start()


def _watch(lifeline: Connection) -> None:
    """Wait until the coordinator lets go of its end or is gone."""
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


@lru_cache(maxsize=STEPS_AT_ONCE)
def _step_in(pickled: bytes) -> Step:
    step: Step = pickle.loads(pickled)
    return step


def _run(step: bytes, *own: Any) -> TaskResult:
    """Run a Task from its Step, pickled, and what else it consists of."""
    task = Task(_step_in(step), *own)
    if task.step.timeout is None:
        return run_task(task, _store)
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - faulthandler wants a real file
        # A watchdog in C: it ends the process even where a library never gives way to Python.
        faulthandler.dump_traceback_later(task.step.timeout * 60, exit=True, file=nowhere)
        try:
            return run_task(task, _store)
        finally:
            faulthandler.cancel_dump_traceback_later()
