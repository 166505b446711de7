"""Gives the Tasks of one pool to Azure Batch in bulk and follows what becomes of them.

One thread does it all: it sleeps until Tasks come or the next look at the service is due. What
takes many requests (descriptions to the container, tasks to the service) goes out in parallel.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pyveg.core import bulk, transfers
from pyveg.core.errors import EngineError, LockLostError, PyvegError, StoreError
from pyveg.core.events import EngineStatus
from pyveg.core.execute import describe, task_file
from pyveg.core.layout import LOCK
from pyveg.core.nodes import NodeUse
from pyveg.core.ports import Listener, Store, Work
from pyveg.core.tasks import State, Task, TaskResult
from pyveg.core.transfers import Transfers
from pyveg.runners.azure_batch import advice, capacity, models
from pyveg.runners.azure_batch.bundles import Bundle, make_bundles, task_file_key, waves
from pyveg.runners.azure_batch.following import Following
from pyveg.runners.azure_batch.lanes import Lane
from pyveg.runners.azure_batch.names import Ids
from pyveg.runners.azure_batch.packages import Delivery, make_delivery
from pyveg.runners.azure_batch.plan import make_settings
from pyveg.runners.azure_batch.pool import RunPool
from pyveg.runners.azure_batch.resume import OldJob, adopt, find_jobs
from pyveg.runners.azure_batch.service import BatchService
from pyveg.runners.azure_batch.settings import BatchSettings
from pyveg.runners.azure_batch.sizes import Fit, size_of
from pyveg.runners.azure_batch.watch import JobWatch, Pace

if TYPE_CHECKING:
    from azure.batch import models as m

GATHER = 1.0
"""How long Tasks are gathered before they are added, seconds."""
PATIENCE = 3600.0
"""How long the service may not answer before the run gives up, seconds."""


class PoolRunner:
    """The Tasks of a lane as tasks of Azure Batch, on nodes of its pool.

    A pool that the run makes, and its jobs, are removed when it closes.

    Parameters
    ----------
    lane : Lane
        Which Tasks, and the pool.
    work : Work
        Of the whole engine.
    lanes : sequence of str
        Names of all lanes of the run. The first ends the jobs that an earlier attempt has left of
        others.
    """

    def __init__(self, lane: Lane, work: Work, lanes: Sequence[str]) -> None:
        self._lane, self._lanes = lane, lanes
        self._settings = _fitted(make_settings(lane.config, work, lane.name), lane)
        self._work = work
        self._stop = threading.Event()
        credential = self._settings.credential()
        self._service = BatchService(self._settings.account_url, credential, self._stop)
        self._inbox: queue.SimpleQueue[Sequence[Task] | frozenset[str] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main, name="azure-batch", daemon=True)
        self._jobs: dict[str, JobWatch] = {}
        """Sequence -> its job."""
        self._pending: dict[str, list[Task]] = {}
        """Sequence -> Tasks that have come and are not with the service yet."""
        self._old: dict[str, OldJob] = {}
        self._strays: list[str] = []
        """Jobs of an earlier attempt that no lane of this one goes on with."""
        self._adopted: dict[str, list[Bundle]] = {}
        """Sequence -> what goes on in its old job, until somebody asks for it."""
        self._attempts: dict[str, int] = {}
        """Sequence -> number of the last job that was made for it."""
        self._epoch = 0
        self._made_jobs: set[str] = set()
        self._pool = RunPool(self._service, self._settings, self._is_taken_over)
        self._delivery: Delivery | None = None
        self._pace = Pace(self._settings.poll_seconds)
        self._due = 0.0
        self._away: dict[str, float] = {}
        """What could not be done because a service was away -> since when."""
        self._detached = False
        self._told_left: dict[str, tuple[str, str]] = {}
        """What could not be removed: id -> what it is, and why."""

    # As of an engine (`pyveg.core.ports.Runner`)

    def start(self, store: Store, listener: Listener) -> None:
        """See whether the account can be used, and begin.

        Raises
        ------
        EngineError
            If it cannot, with what to do.
        """
        self._store, self._listener = store, listener
        self._following = Following(
            self._service,
            self._settings,
            self._pool,
            store=store,
            listener=listener,
            again=self.submit,
        )
        try:
            self._look_around()
        except Exception as error:
            raise self._explained(error) from error
        self._thread.start()

    def submit(self, tasks: Sequence[Task]) -> None:
        """Take Tasks; return at once."""
        self._inbox.put(tuple(tasks))

    def withdraw(self, task_ids: Collection[str]) -> None:
        """Take back Tasks that have not begun; return at once."""
        self._inbox.put(frozenset(task_ids))

    def cancel(self) -> None:
        """Give everything up; `close` removes it from the service."""
        self._end()

    def detach(self) -> None:
        """Leave what runs to itself; ``--from_cache`` comes back to it."""
        self._detached = True
        self._end()

    def close(self) -> None:
        """End, and remove what the run has made, unless it was left to go on."""
        self._end()
        if self._thread.is_alive():
            self._thread.join()
        self._stop.clear()  # these requests may be repeated
        self._remove()
        self._pool.standing.see({})
        self._stop.set()

    def nodes_used(self) -> list[NodeUse]:
        """How long nodes of the pool have stood."""
        return self._pool.nodes_used()

    def _end(self) -> None:
        self._stop.set()
        self._inbox.put(None)

    # Before and after

    def _look_around(self) -> None:
        """What is there already: the pool, and jobs of this run that were left behind."""
        self._epoch = self._store.epoch(LOCK)
        self._pool.find(self._listener.tell)
        self._settings = replace(self._settings, fit=self._fit_there())
        found = find_jobs(self._service, self._settings, self._lanes)
        self._old = found.mine
        self._strays = list(found.strays) if self._lane.name == self._lanes[0] else []
        self._made_jobs.update([*(old.id for old in self._old.values()), *self._strays])
        self._attempts = {sequence: old.attempt for sequence, old in self._old.items()}

    def _fit_there(self) -> Fit | None:
        """How tasks share the nodes of the pool, which may be there already and of another size."""
        fit, there = self._settings.fit, self._pool.there
        if fit is None or there is None:
            return fit
        size = size_of(there.vm_size, self._lane.config.vm_sizes) or fit.size
        return fit.on(size, there.task_slots_per_node or 1)

    def _adopt_old(self) -> None:
        """Adopt or end what an earlier attempt has left, before anything of this one goes out."""
        while self._strays:
            self._service.delete_job(self._strays[0])
            self._strays.pop(0)
        if not self._old:
            return
        wanted: dict[str, list[Task]] = {}
        for task in self._work.graph:
            if task.step.label in self._lane.labels and task.step.scope.sequence in self._old:
                own = replace(task, epoch=self._epoch)
                wanted.setdefault(task.step.scope.sequence, []).append(own)
        for sequence, old in list(self._old.items()):
            same = old.delivery == self._packages().digest  # else its nodes have another pyveg
            seen = replace(old, usable=old.usable and same)
            alive = adopt(self._service, self._store, seen, wanted.get(sequence, ()))
            if alive is not None:
                self._jobs[sequence] = JobWatch(old.id, self._prepares, used=Ids(old.tasks))
                self._adopted[sequence] = alive
            del self._old[sequence]

    def _remove(self) -> None:
        """Delete jobs and the pool, if they are this client's; what cannot be deleted is told."""
        if self._detached or self._is_taken_over():
            return
        left: dict[str, tuple[str, str]] = {}
        for job in sorted(self._made_jobs):
            left |= self._try_remove(self._service.delete_job, job, "job")
        if self._pool.made:
            left |= self._try_remove(self._service.delete_pool, self._pool.made, "pool")
        self._made_jobs &= left.keys()
        if self._pool.made not in left:
            self._pool.made = ""
        if left and left != self._told_left:
            reasons = dict.fromkeys(reason for _, reason in left.values())
            things = ", ".join(thing for thing, _ in left.values())
            text = f"could not remove {things}: {'; '.join(reasons)}. Run pyveg_azure_cleanup"
            self._listener.tell(EngineStatus(text, urgent=True))
        self._told_left = left

    def _is_taken_over(self) -> bool:
        """Whether jobs and pool are another client's now.

        The coordinator sees that too; but a client that was suspended may be told to end, and come
        here, before it has looked.
        """
        try:
            return 0 < self._epoch < self._store.epoch(LOCK)
        except PyvegError:  # the Store is gone or away; whoever has it could not work either
            return False

    def _try_remove(self, remove: Any, id_: str, kind: str) -> dict[str, tuple[str, str]]:
        """Remove one thing; its id, what it is and why, where that cannot be done."""
        from azure.core.exceptions import AzureError

        try:
            remove(id_)
        except (AzureError, EngineError) as error:
            return {id_: (f"{kind} {id_}", advice.of_error(error))}
        return {}

    # The thread

    def _main(self) -> None:
        try:
            while not self._stop.is_set() and not self._try("adopt", self._adopt_old):
                self._stop.wait(self._pace.seconds)
            while not self._stop.is_set():
                self._take(self._gather())
                if time.monotonic() >= self._due and not self._stop.is_set():
                    self._try("look", self._look)
                    self._due = time.monotonic() + self._pace.seconds
        except LockLostError:  # the coordinator is told by the lock itself
            self._detached = True
        except Exception as error:  # noqa: BLE001 - the engine's trouble becomes its Tasks' reason
            if not self._stop.is_set():
                self._give_up(str(self._explained(error)))

    def _gather(self) -> list[Task]:
        """Tasks that have come, and those that come within a second; none when a look is due."""
        busy = self._pending or any(watch.bundles for watch in self._jobs.values())
        timeout = max(0.0, self._due - time.monotonic()) if busy else None
        tasks: list[Task] = []
        end = None
        while not self._stop.is_set():
            try:
                more = self._inbox.get(timeout=timeout)
            except queue.Empty:
                break
            if isinstance(more, frozenset):
                tasks = [task for task in tasks if task.id not in more]
                self._take_back(more)
            else:
                tasks.extend(more or ())
            end = end or time.monotonic() + GATHER
            timeout = max(0.0, end - time.monotonic())
        return tasks

    def _try(self, what: str, act: Callable[[], None]) -> bool:
        """Do something that may be done again; False where a service was away, which is told.

        Any other error is raised, also an answer that asking again will not change.
        """
        try:
            act()
        except Exception as error:
            if self._waits_for_quota(what, error):
                return False
            if not _passes(error):
                raise
            self._no_answer(error, self._away.setdefault(what, time.monotonic()))
            return False
        self._away.pop(what, None)
        return True

    def _waits_for_quota(self, what: str, error: Exception) -> bool:
        """Whether it is waited for a quota that is used up; told once."""
        if not (self._settings.wait_seconds and capacity.lacks_quota(error)):
            return False
        first = what not in self._away
        waited = time.monotonic() - self._away.setdefault(what, time.monotonic())
        if waited > self._settings.wait_seconds:
            return False
        if first:
            text = f"{self._explained(error)}; waiting for it (wait_for_quota)"
            self._listener.tell(EngineStatus(text, urgent=True))
        return True

    def _no_answer(self, error: Exception, since: float) -> None:
        """A service is away: no reason to fail anything yet."""
        reason = str(self._explained(error))
        minutes = (time.monotonic() - since) / 60
        if minutes * 60 > PATIENCE:
            raise EngineError(
                f"no answer for {minutes:.0f} minutes: {reason}",
                "its tasks may still run: come back with --from_cache",
            )
        self._listener.tell(EngineStatus(f"{reason}; trying again", urgent=True))

    def _explained(self, error: Exception) -> EngineError:
        """The service's error as one of ours."""
        if isinstance(error, EngineError):
            return error
        from azure.core.exceptions import AzureError

        if isinstance(error, AzureError):
            return advice.engine_error(self._settings.account_url, error)
        return EngineError(describe(error))

    def _give_up(self, reason: str) -> None:
        """Fail all Tasks in hand and all that still come; nobody pays for nodes meanwhile."""
        for sequence in list(self._pending):
            self._fail_unsent(sequence, self._pending.pop(sequence), reason)
        for watch in self._jobs.values():
            self._following.fail(watch.drop_all(), reason, shared=True)
        self._remove()
        while not self._stop.is_set():
            more = self._inbox.get()
            if not isinstance(more, frozenset):
                self._refuse(more or (), reason)

    def _refuse(self, tasks: Iterable[Task], reason: str) -> None:
        for task in tasks:
            self._listener.report(TaskResult(task.id, State.FAILED, reason, shared=True))

    def _look(self) -> None:
        """See what has become of what is in hand."""
        if self._following.look(list(self._jobs.values())):
            self._pace.changed()

    # Tasks to the service

    def _take(self, tasks: Sequence[Task]) -> None:
        """Submit what has come, and what could not be submitted the last time."""
        for task in tasks:
            self._pending.setdefault(task.step.scope.sequence, []).append(task)
        for sequence in list(self._pending):
            if self._stop.is_set():
                return
            if self._submitted(sequence, self._pending[sequence]):
                del self._pending[sequence]
                self._due = 0.0
                self._pace.changed()

    def _submitted(self, sequence: str, tasks: Sequence[Task]) -> bool:
        """Whether the Tasks of one Sequence are done with; not where the service is away."""
        try:
            return self._try(f"submit {sequence}", lambda: self._add(sequence, tasks))
        except LockLostError:
            raise
        except Exception as error:  # noqa: BLE001 - a job over quota fails its own Tasks only
            if not self._stop.is_set():
                self._fail_unsent(sequence, tasks, str(self._explained(error)))
            return True

    def _fail_unsent(self, sequence: str, tasks: Sequence[Task], reason: str) -> None:
        """Fail those of some Tasks that the service has not taken."""
        watch = self._jobs.get(sequence)
        if watch is not None:
            for id_ in list(watch.unsent):
                watch.drop(id_)
        sent = watch.in_hand if watch is not None else {}
        self._refuse((task for task in tasks if task.id not in sent), reason)

    def _add(self, sequence: str, tasks: Sequence[Task]) -> None:
        """Give Tasks of one Sequence to its job; may be called again where it did not come through.

        What was sent already, or is made and not sent, is in hand and is not made anew.
        """
        self._pool.ensure(self._packages)
        watch = self._ensure_job(sequence)
        if watch.over:
            raise EngineError(watch.over)
        self._attach(sequence, watch, tasks)
        new = [task for task in tasks if task.id not in watch.in_hand]
        watch.plan(make_bundles(new, watch.in_hand, watch.used, self._settings.totals))
        self._send(watch)

    def _send(self, watch: JobWatch) -> None:
        bundles = list(watch.unsent.values())
        bulk.write_many(
            self._store,
            {task_file_key(watch.id, b.id): task_file(b.tasks, self._store) for b in bundles},
        )
        for wave in waves(bundles):
            if self._stop.is_set():
                return
            made = [self._model(b, watch.id) for b in wave if b.id in watch.unsent]
            refused = self._service.add_tasks(watch.id, made)
            watch.sent(wave)
            for id_, reason in refused.items():
                lost = [watch.drop(id_), *watch.drop_dependants(id_)]
                left = [bundle for bundle in lost if bundle is not None]
                self._following.fail(left, f"Azure Batch did not take it: {reason}")

    def _model(self, bundle: Bundle, job: str) -> m.BatchTaskCreateOptions:
        return models.task(bundle, job, self._settings, self._packages())

    def _packages(self) -> Delivery:
        """What nodes install; packed and sent when it is first needed."""
        if self._delivery is None:
            delivery = make_delivery(self._settings.plugins, self._settings.extras)
            if not self._settings.pool.container_image:
                packages = dict(delivery.items())
                bulk.write_many(self._store, packages)
                number, size = len(packages), sum(map(len, packages.values()))
                transfers.note_once(Transfers(number, 0, size, number))
            self._delivery = delivery
        return self._delivery

    @property
    def _prepares(self) -> bool:
        """Whether nodes belong to a pool that was there before and may lack this pyveg."""
        ready = self._settings.pool.container_image or self._pool.sets_up(self._packages())
        return not ready

    def _ensure_job(self, sequence: str) -> JobWatch:
        watch = self._jobs.get(sequence)
        if watch is None:
            attempt = self._attempts.get(sequence, 0) + 1
            watch = JobWatch(self._new_job(sequence, attempt), self._prepares)
            self._jobs[sequence], self._attempts[sequence] = watch, attempt
        return watch

    def _new_job(self, sequence: str, attempt: int) -> str:
        job = models.job(
            sequence,
            attempt,
            self._pool.id,
            self._settings,
            self._packages(),
            prepare=self._prepares,
        )
        self._made_jobs.add(job.id)
        self._service.add_job(job)
        return job.id

    def _attach(self, sequence: str, watch: JobWatch, tasks: Sequence[Task]) -> None:
        """Follow what was adopted of an earlier attempt, as far as it is asked for."""
        wanted = {task.id for task in tasks}
        adopted = self._adopted.get(sequence, [])
        mine = [b for b in adopted if any(task.id in wanted for task in b.tasks)]
        if not mine:
            return
        self._adopted[sequence] = [bundle for bundle in adopted if bundle not in mine]
        watch.add(mine)
        watch.since = None
        count = sum(len(bundle.tasks) for bundle in mine)
        self._listener.tell(EngineStatus(f"{sequence}: {count} tasks are still in hand"))

    def _take_back(self, task_ids: frozenset[str]) -> None:
        """Forget Tasks that nobody waits for; end those that are with the service, if not begun."""
        for sequence, tasks in list(self._pending.items()):
            self._pending[sequence] = [task for task in tasks if task.id not in task_ids]
            if not self._pending[sequence]:
                del self._pending[sequence]
        for watch in self._jobs.values():
            bundles = {watch.in_hand[id_] for id_ in task_ids & watch.in_hand.keys()}
            whole = [
                id_
                for id_ in bundles - watch.begun
                if all(task.id in task_ids for task in watch.bundles[id_].tasks)
            ]
            sent = [id_ for id_ in whole if id_ not in watch.unsent]
            for id_ in whole:
                watch.drop(id_)
                sent.extend(bundle.id for bundle in watch.drop_dependants(id_))
            self._try("take back", partial(self._service.terminate_tasks, watch.id, sent))


def _fitted(settings: BatchSettings, lane: Lane) -> BatchSettings:
    """With as many slots on a node as it takes to share it by what tasks need."""
    settings = replace(settings, pool=replace(settings.pool, next_sizes=lane.next_sizes))
    if lane.fit is None:
        return settings
    pool = replace(settings.pool, vm_size=lane.fit.size.name, slots=lane.fit.slots)
    return replace(settings, pool=pool, fit=lane.fit)


def _passes(error: Exception) -> bool:
    """Whether a service was away for a moment; anything else is its answer, or our mistake."""
    from azure.core.exceptions import AzureError

    if isinstance(error, AzureError):
        return not advice.is_final(error)
    return isinstance(error, StoreError) and not error.shared
