"""The coordinator: gives each Task to its engine as soon as what it waits for has ended.

It lives in one thread and sleeps until an engine reports. Engines differ in one thing only: those
that resolve dependencies get Tasks in bulk together with those that come after them.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

from pyveg.core import bulk, manifest
from pyveg.core.errors import LockLostError
from pyveg.core.events import EngineStatus, Event, RunEnded, TaskEnded, TaskStarted
from pyveg.core.manifest import Manifest
from pyveg.core.more_memory import may_have_more, told_of_more
from pyveg.core.ports import Lock, Runner, Store
from pyveg.core.shared_failures import SharedFailures
from pyveg.core.silence import LOOK_SECONDS, Silence
from pyveg.core.tasks import State, Task, TaskGraph, TaskResult, digest
from pyveg.core.types import StopHow
from pyveg.core.usage import Usage

INTERRUPTED = "the run was interrupted"


@dataclass(frozen=True)
class _Stop:
    """Somebody wants the run to end."""

    how: StopHow
    why: str


@dataclass(frozen=True)
class _Hold:
    """Nothing more is to begin; what has begun comes to its end."""

    why: str


_Message: TypeAlias = str | TaskResult | EngineStatus | _Stop | _Hold | Exception
"""What engines and others tell; a text is the id of a Task that has begun."""


class _StopAskedError(Exception):
    """Takes the coordinator out of its loop."""

    def __init__(self, stop: _Stop) -> None:
        super().__init__(stop.why)
        self.stop = stop


class Coordinator:
    """Runs one TaskGraph to its end.

    Parameters
    ----------
    graph : TaskGraph
    store : Store
        Where results and manifests are.
    runners : mapping of str to Runner
        The engine of each run mode; started and closed by the caller.
    notify : callable
        Told of each Event, in the caller's thread.
    prepare : callable
        Told of Tasks before they go to their engine; gives the ids of those that cannot be done,
        and why.
    recheck : callable
        Told of each Task that succeeded; gives the reason why it has failed after all, or nothing.
    fresh : bool
        Whether the Store is known to hold no manifests yet, so that none need be looked for.
    on_interrupt : {"cancel", "detach"}
        Whether an interrupt leaves alone what goes on without this process.
    lock : Lock, optional
        The right to write to the run. Its epoch goes with each Task, and nothing is handed out
        once it is lost.
    """

    def __init__(
        self,
        graph: TaskGraph,
        store: Store,
        runners: Mapping[str, Runner],
        notify: Callable[[Event], None],
        *,
        prepare: Callable[[Sequence[Task]], Mapping[str, str]] = lambda tasks: {},  # noqa: ARG005
        recheck: Callable[[Task], str] = lambda task: "",  # noqa: ARG005
        fresh: bool = False,
        on_interrupt: StopHow = "cancel",
        lock: Lock | None = None,
    ) -> None:
        self._prepare = prepare
        self._recheck = recheck
        self._fresh = fresh
        self._on_interrupt: StopHow = on_interrupt
        self._lock = lock
        self._graph = graph
        self._store = store
        self._runners = runners
        self._notify = notify
        self._inbox: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._waits = {task.id: len({*task.after, *task.after_any}) for task in graph}
        self._submitted: dict[str, float] = {}
        """Id of a Task -> when it could have begun, seconds since 1970."""
        self._begun: set[str] = set()
        self._more: set[str] = set()
        """Ids of Tasks that are tried again with more memory."""
        self._held = ""
        """Why nothing more begins; empty while things do."""
        self._shared = SharedFailures()
        self._silence = Silence(lock, store.url, notify)
        self._manifests: dict[str, Manifest | None] = {}
        self.results: dict[str, TaskResult] = {}

    def started(self, task_id: str) -> None:
        """For engines: a Task has begun. Any thread may call it."""
        self._inbox.put(task_id)

    def report(self, result: TaskResult) -> None:
        """For engines: a Task has ended. Any thread may call it."""
        self._inbox.put(result)

    def tell(self, status: EngineStatus) -> None:
        """For engines: how they are. Any thread may call it."""
        self._inbox.put(status)

    def ask_to_stop(self, how: StopHow | None = None, why: str = INTERRUPTED) -> None:
        """End the run before its end. Any thread may call it, at any time.

        Parameters
        ----------
        how : {"cancel", "detach"}, optional
            Whether what runs elsewhere is ended too; as for an interrupt where left out.
        why : str
            The reason of each Task that is given up.
        """
        self._inbox.put(_Stop(how or self._on_interrupt, why))

    def hold(self, why: str) -> None:
        """Begin nothing more; Tasks that have begun come to their end. Any thread may call it.

        Parameters
        ----------
        why : str
            The reason of each Task that is given up.
        """
        self._inbox.put(_Hold(why))

    def fail(self, error: Exception) -> None:
        """End the run with an error, as when its lock is lost. Any thread may call it."""
        self._inbox.put(error)

    def run(self) -> dict[str, TaskResult]:
        """Run until every Task has ended; an interrupt or a request to stop gives up what is left.

        Raises
        ------
        LockLostError
            If another process has taken over the run: engines let go of what they have in hand.
        StoreGoneError
            If the Store of the run is gone.
        """
        try:
            stop = self._work()
            if stop is not None:
                self._check_lock()  # what is in hand may be somebody else's by now
        except Exception as error:
            # What was handed out belongs to whoever has taken over; else nobody needs it.
            self._let_go("detach" if isinstance(error, LockLostError) else "cancel")
            raise
        if stop is not None:
            self._let_go(stop.how)
            self._cancel_rest(stop.why)
        self._notify(RunEnded(stop is not None))
        return self.results

    def _work(self) -> _Stop | None:
        """Until every Task has ended, or somebody wants the run to end."""
        try:
            while not self._inbox.empty():  # somebody may have asked it to stop already
                self._receive()
            self._look_ahead()
            self._release([task.id for task in self._graph if not self._waits[task.id]])
            while len(self.results) < len(self._graph):
                self._receive()
        except KeyboardInterrupt:
            return _Stop(self._on_interrupt, INTERRUPTED)
        except _StopAskedError as asked:
            return asked.stop
        return None

    def _let_go(self, how: StopHow) -> None:
        for runner in dict.fromkeys(self._runners.values()):
            (runner.detach if how == "detach" else runner.cancel)()

    def tell_rest(self) -> None:
        """Pass on what engines told while they were closed."""
        while not self._inbox.empty():
            message = self._inbox.get()
            if isinstance(message, EngineStatus):
                self._notify(message)

    def _next(self) -> _Message:
        """What comes next; meanwhile it is seen whether the Store still answers."""
        while True:
            self._silence.look()
            with suppress(queue.Empty):
                return self._inbox.get(timeout=LOOK_SECONDS)

    def _receive(self) -> None:
        message = self._next()
        if isinstance(message, EngineStatus):
            self._notify(message)
        elif isinstance(message, str):
            if message not in self.results:
                self._begun.add(message)
                self._notify(TaskStarted(self._graph[message]))
        elif isinstance(message, _Stop):
            raise _StopAskedError(message)
        elif isinstance(message, _Hold):
            self._hold(message.why)
        elif isinstance(message, Exception):
            raise message
        elif message.task_id not in self.results:
            self._check_ours(message)
            if self._tries_with_more(message):
                return
            result = self._rechecked(message)
            self._release(self._end(result))
            self._give_up_alike(result)

    def _hold(self, why: str) -> None:
        """Give up all that has not begun."""
        self._held = self._held or why
        left = [task for task in self._graph if task.id not in self._begun | self.results.keys()]
        waiting: dict[Runner, list[str]] = {}
        for task in left:
            if task.id in self._submitted:
                waiting.setdefault(self._runners[task.step.run_mode], []).append(task.id)
        for runner, task_ids in waiting.items():
            runner.withdraw(task_ids)
        for task in left:
            self._end(TaskResult(task.id, State.CANCELLED, self._held))

    def _tries_with_more(self, result: TaskResult) -> bool:
        """Give a Task that died for want of memory to its engine once more, where it may have more.

        Engines that order Tasks themselves see to this too.
        """
        task = self._graph[result.task_id]
        runner = self._runners[task.step.run_mode]
        if runner.resolves_dependencies or task.id in self._more or not may_have_more(task, result):
            return False
        self._check_lock()
        self._more.add(task.id)
        self._notify(EngineStatus(told_of_more(task), urgent=True))
        epoch = 0 if self._lock is None else self._lock.epoch
        runner.submit([replace(self._with_missing(task), epoch=epoch, more_memory=True)])
        return True

    def _rechecked(self, result: TaskResult) -> TaskResult:
        if result.state is not State.SUCCEEDED:
            return result
        reason = self._recheck(self._graph[result.task_id])
        return replace(result, state=State.FAILED, reason=reason) if reason else result

    def _check_ours(self, result: TaskResult) -> None:
        """What went wrong may be the work of a process that has taken over, and is its matter.

        A Task finds itself outdated, or an engine finds what it made removed, maybe before the
        lock is known to be lost.
        """
        if not result.state.good:
            self._check_lock()

    def _check_lock(self) -> None:
        if self._lock is not None:
            self._lock.check()

    def _give_up_alike(self, result: TaskResult) -> None:
        """When a service has failed some Tasks in a row, ask it for no more in this run."""
        step = self._graph[result.task_id].step
        if not self._shared.seen(step, result):
            return
        left = [
            task.id
            for task in self._graph
            if task.step is step and task.id not in self.results and task.id not in self._begun
        ]
        self._runners[step.run_mode].withdraw(left)
        for task_id in left:
            self._release(self._end(TaskResult(task_id, State.FAILED, result.reason, shared=True)))

    def _cancel_rest(self, why: str) -> None:
        """Take what engines still reported, and give up the rest."""
        while not self._inbox.empty():
            message = self._inbox.get()
            if isinstance(message, TaskResult) and message.task_id not in self.results:
                self._end(message)
        for task in self._graph:
            if task.id not in self.results:
                self._set(TaskResult(task.id, State.CANCELLED, why))

    def _set(self, result: TaskResult) -> None:
        queued = self._submitted.get(result.task_id)
        if queued is not None and result.usage is not None and result.state is not State.CACHED:
            tries = result.usage.tries + (result.task_id in self._more)
            usage = replace(result.usage, queued=round(queued, 3), tries=tries)
            result = replace(result, usage=usage)
        self.results[result.task_id] = result
        self._notify(TaskEnded(self._graph[result.task_id], result))

    def _end(self, result: TaskResult) -> list[str]:
        """Note the end of a Task and of all that cannot run because of it.

        Returns
        -------
        list of str
            Ids of Tasks that wait for nothing any more.
        """
        ready: list[str] = []
        ended = deque([result])
        while ended:
            current = ended.popleft()
            if current.task_id in self.results:
                continue
            self._set(current)
            for task_id in self._graph.dependants[current.task_id]:
                if task_id in self.results:
                    continue
                self._waits[task_id] -= 1
                if task_id in self._submitted:  # with an engine that orders Tasks itself
                    self._submitted[task_id] = max(self._submitted[task_id], _end_of(current))
                if current.task_id in self._graph[task_id].after and not current.state.good:
                    ended.append(self._consequence(task_id, current))
                elif self._waits[task_id] == 0:
                    ready.append(task_id)
        return [task_id for task_id in ready if task_id not in self.results]

    @staticmethod
    def _consequence(task_id: str, before: TaskResult) -> TaskResult:
        """What becomes of a Task when one that it comes after did not succeed."""
        if before.state in (State.SKIPPED, State.CANCELLED):
            return TaskResult(task_id, before.state, before.reason)
        if before.state is State.BLOCKED:
            return TaskResult(task_id, State.BLOCKED, before.reason)
        return TaskResult(task_id, State.BLOCKED, f"{before.task_id} failed: {before.reason}")

    def _release(self, ready: Iterable[str]) -> None:
        """Give Tasks to their engines, in bulk; those that are done already end here."""
        bulk: dict[str, list[Task]] = {}
        epoch = 0 if self._lock is None else self._lock.epoch
        now = time.time()
        waiting = deque(ready)
        while waiting:
            task = self._with_missing(self._graph[waiting.popleft()])
            if task.id in self.results or task.id in self._submitted:
                continue
            if self._held:
                self._end(TaskResult(task.id, State.CANCELLED, self._held))
                continue
            done = self._done_before(task)
            if done is not None:
                state = State.SKIPPED if done.state is State.SKIPPED else State.CACHED
                usage = Usage.from_json(done.usage)
                result = TaskResult(task.id, state, done.reason, notes=done.notes, usage=usage)
                waiting.extend(self._end(result))
                continue
            mode = task.step.run_mode
            bulk.setdefault(mode, []).append(replace(task, epoch=epoch) if epoch else task)
            self._submitted[task.id] = now
            if self._runners[mode].resolves_dependencies:
                waiting.extend(self._may_follow(task))
        if bulk:
            self._check_lock()
        for mode, tasks in bulk.items():
            refused = self._prepare(tasks)
            self._runners[mode].submit([task for task in tasks if task.id not in refused])
            for task_id, reason in refused.items():
                self.report(TaskResult(task_id, State.FAILED, reason))

    def _look_ahead(self) -> None:
        """Read the manifests of a run to be finished, many at once where that is faster."""
        if self._fresh or self._store.transfers == 1:
            return
        tasks = [task for task in self._graph if not task.after_any]
        manifests = bulk.each(self._store, lambda task: manifest.valid(self._store, task), tasks)
        self._manifests = {task.id: one for task, one in zip(tasks, manifests, strict=True)}

    def _done_before(self, task: Task) -> Manifest | None:
        """The manifest of a Task that an earlier try has done."""
        if self._fresh:
            return None
        if task.id in self._manifests:
            return self._manifests[task.id]
        return manifest.valid(self._store, task)

    def _with_missing(self, task: Task) -> Task:
        """A combiner with what it now knows of the Tasks that it waited for."""
        missing = {
            task_id: f"{self.results[task_id].state}: {self.results[task_id].reason}"
            for task_id in task.after_any
            if not self.results[task_id].state.good
        }
        if not missing:
            return task
        fingerprint = digest([task.fingerprint, sorted(missing)])
        return replace(task, missing=missing, fingerprint=fingerprint)

    def _may_follow(self, task: Task) -> list[str]:
        """Tasks that the same engine can take now, though those that they wait for still run."""
        return [
            task_id
            for task_id in self._graph.dependants[task.id]
            if not self._graph[task_id].after_any
            and self._is_beside(task_id, task)
            and all(self._in_hand(before, task) for before in self._graph[task_id].after)
        ]

    def _in_hand(self, task_id: str, like: Task) -> bool:
        """Whether a Task has succeeded, or is with the same engine as part of its Sequence."""
        if task_id in self.results:
            return self.results[task_id].state.good
        return task_id in self._submitted and self._is_beside(task_id, like)

    def _is_beside(self, task_id: str, like: Task) -> bool:
        """Whether a Task is for the same engine, and part of the same lane of it."""
        step, mode = self._graph[task_id].step, like.step.run_mode
        if step.run_mode != mode:
            return False
        lane = self._runners[mode].lane
        return lane(step) == lane(like.step)


def _end_of(result: TaskResult) -> float:
    """When a Task ended, by the clock of its machine; 0 where nobody knows."""
    return result.usage.began + result.usage.seconds if result.usage is not None else 0.0
