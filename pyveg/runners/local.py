"""The local engines: Tasks one after the other, in threads, or in processes of this machine."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Collection, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from pyveg.core.execute import describe, run_task
from pyveg.core.ports import Listener, Runner, Store, Work
from pyveg.core.tasks import State, Task, TaskResult
from pyveg.runners import room
from pyveg.runners.room import Room


class PoolRunner(Runner, ABC):
    """Feeds a pool of workers, a few Tasks ahead, so that much work costs little memory."""

    @classmethod
    def check(cls, settings: Any, work: Work) -> Sequence[str]:
        """Refuse Tasks that need more than this machine has."""
        del settings
        room.check(work.steps, max(1, work.n_workers))
        return ()

    def __init__(self, settings: Any, work: Work) -> None:
        del settings
        self._n_workers = max(1, work.n_workers)
        self._room = Room(self._n_workers)
        self._waiting: deque[Task] = deque()
        self._running: dict[Future[TaskResult], Task] = {}
        self._lock = threading.RLock()
        self._closed = False
        self._executor: Executor | None = None

    def start(self, store: Store, listener: Listener) -> None:
        """Remember whom to tell; workers begin with the first Task."""
        self._store = store
        self._listener = listener

    @abstractmethod
    def _make_executor(self) -> Executor: ...

    @abstractmethod
    def _submit(self, executor: Executor, task: Task) -> Future[TaskResult]: ...

    def _ahead(self) -> int:
        """How many Tasks may be with the pool at once."""
        return self._n_workers

    def submit(self, tasks: Sequence[Task]) -> None:
        """Take Tasks; return without waiting for them."""
        with self._lock:
            self._waiting.extend(tasks)
        self._feed()

    def _feed(self) -> None:
        """Hand on waiting Tasks as long as there is room."""
        while True:
            with self._lock:
                if self._closed or not self._waiting or len(self._running) >= self._ahead():
                    return
                if not self._room.has(self._waiting[0], self._running.values()):
                    return
                if self._executor is None:
                    self._executor = self._make_executor()
                task = self._waiting.popleft()
                future = self._hand_over(self._executor, task)
            if future is not None:
                self._listener.started(task.id)
                future.add_done_callback(self._done)

    def _hand_over(self, executor: Executor, task: Task) -> Future[TaskResult] | None:
        """Give one Task to the pool; None where the pool takes none any more."""
        future = self._submit(executor, task)
        self._running[future] = task
        return future

    def _done(self, future: Future[TaskResult]) -> None:
        with self._lock:
            task = self._running.pop(future)
        if future.cancelled():
            return
        error = future.exception()
        result = self._failed(task, error) if error is not None else future.result()
        with self._lock:  # no report may come once it is closed
            if result is not None and not self._closed:
                self._listener.report(result)
        self._feed()

    def _failed(self, task: Task, error: BaseException) -> TaskResult | None:
        """The result of a Task whose worker could not even say how it ended."""
        return TaskResult(task.id, State.FAILED, describe(error))

    def withdraw(self, task_ids: Collection[str]) -> None:
        """Drop Tasks that no worker has been given."""
        unwanted = frozenset(task_ids)
        with self._lock:
            self._waiting = deque(task for task in self._waiting if task.id not in unwanted)

    def cancel(self) -> None:
        """Give up what waits; what runs in a thread cannot be stopped and ends by itself."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Wait for what runs, and free the workers."""
        with self._lock:
            self._closed = True
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)


class ThreadRunner(PoolRunner):
    """Tasks in threads: light, for work that waits or that frees the interpreter."""

    def _make_executor(self) -> Executor:
        return ThreadPoolExecutor(self._n_workers, thread_name_prefix="pyveg")

    def _submit(self, executor: Executor, task: Task) -> Future[TaskResult]:
        return executor.submit(run_task, task, self._store)


class SerialRunner(ThreadRunner):
    """Tasks one after the other, in a thread beside the coordinator's."""

    def __init__(self, settings: Any, work: Work) -> None:
        super().__init__(settings, replace(work, n_workers=1))
