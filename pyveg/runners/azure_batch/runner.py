"""The engine: gives Tasks to Azure Batch in bulk and follows what becomes of them.

One thread does it all: it sleeps until Tasks come or the next look at the service is due. What
takes many requests (descriptions to the container, tasks to the service) goes out in parallel.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pyveg.core import bulk
from pyveg.core.errors import EngineError
from pyveg.core.events import EngineStatus
from pyveg.core.execute import describe, task_file
from pyveg.core.ports import Listener, RunnerSettings, Store
from pyveg.core.tasks import State, Task, TaskResult
from pyveg.runners.azure_batch import advice, models, outcomes
from pyveg.runners.azure_batch.bundles import Bundle, make_bundles, task_file_key, waves
from pyveg.runners.azure_batch.packages import Delivery, make_delivery
from pyveg.runners.azure_batch.pool import PoolGoneError, RunPool
from pyveg.runners.azure_batch.resume import OldJob, old_jobs, still_alive
from pyveg.runners.azure_batch.service import BatchService, Change, state_of
from pyveg.runners.azure_batch.settings import BatchSettings
from pyveg.runners.azure_batch.watch import JobWatch, Pace

if TYPE_CHECKING:
    from azure.batch import models as m

GATHER = 1.0
"""How long Tasks are gathered before they are added, seconds."""
PATIENCE = 3600.0
"""How long the service may not answer before the run gives up, seconds."""


class AzureBatchRunner:
    """Tasks as tasks of Azure Batch, on nodes of a pool.

    Settings come as `BatchSettings` in the option ``"batch"``. A pool that the run makes, and its
    jobs, are removed when the engine closes.
    """

    resolves_dependencies: ClassVar[bool] = True
    needs_shared_store: ClassVar[bool] = True
    enforces_timeout: ClassVar[bool] = True

    def __init__(self, settings: RunnerSettings) -> None:
        self._settings: BatchSettings = settings.options["batch"]
        self._stop = threading.Event()
        credential = self._settings.credential()
        self._service = BatchService(self._settings.account_url, credential, self._stop)
        self._inbox: queue.SimpleQueue[Sequence[Task] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main, name="azure-batch", daemon=True)
        self._jobs: dict[str, JobWatch] = {}
        """Sequence -> its job."""
        self._old: dict[str, OldJob] = {}
        self._made_jobs: set[str] = set()
        self._pool = RunPool(self._service, self._settings)
        self._delivery: Delivery | None = None
        self._pace = Pace(self._settings.poll_seconds)
        self._due = 0.0
        self._looks = 0
        self._answered = time.monotonic()
        self._counts: dict[str, dict[str, int]] = {}
        self._said = ""
        self._paused = ""
        """Id of a job that somebody has disabled."""
        self._detached = False

    # The port

    def start(self, store: Store, listener: Listener) -> None:
        """See whether the account can be used, and begin.

        Raises
        ------
        EngineError
            If it cannot, with what to do.
        """
        self._store, self._listener = store, listener
        try:
            self._look_around()
        except Exception as error:
            raise self._explained(error) from error
        self._thread.start()

    def submit(self, tasks: Sequence[Task]) -> None:
        """Take Tasks; return at once."""
        self._inbox.put(tasks)

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
        if not self._detached:
            self._remove()

    def _end(self) -> None:
        self._stop.set()
        self._inbox.put(None)

    # Before and after

    def _look_around(self) -> None:
        """What is there already: the pool, and jobs of this run that were left behind."""
        self._pool.find(self._listener.tell)
        self._old = old_jobs(self._service, self._settings.run, self._settings.hours)
        self._made_jobs.update(old.id for old in self._old.values())

    def _remove(self) -> None:
        """Delete jobs and the pool; what cannot be deleted is told."""
        self._stop.clear()  # these requests may be repeated
        left = []
        for job in sorted(self._made_jobs):
            left.extend(self._try_remove(self._service.delete_job, job, "job"))
        if self._pool.made:
            left.extend(self._try_remove(self._service.delete_pool, self._pool.made, "pool"))
        self._stop.set()
        if left:
            text = f"could not remove {'; '.join(left)}. Run pyveg_azure_cleanup"
            self._listener.tell(EngineStatus(text, urgent=True))

    def _try_remove(self, remove: Any, id_: str, kind: str) -> list[str]:
        from azure.core.exceptions import AzureError

        try:
            remove(id_)
        except (AzureError, EngineError) as error:
            return [f"{kind} {id_} ({advice.of_error(error)})"]
        return []

    # The thread

    def _main(self) -> None:
        try:
            while not self._stop.is_set():
                tasks = self._gather()
                if tasks and not self._stop.is_set():
                    self._take(tasks)
                if time.monotonic() >= self._due and not self._stop.is_set():
                    self._look()
        except Exception as error:  # noqa: BLE001 - the engine's trouble becomes its Tasks' reason
            if not self._stop.is_set():
                self._give_up(str(self._explained(error)))

    def _gather(self) -> list[Task]:
        """Tasks that have come, and those that come within a second; none when a look is due."""
        busy = any(watch.bundles for watch in self._jobs.values())
        timeout = max(0.0, self._due - time.monotonic()) if busy else None
        tasks: list[Task] = []
        end = None
        while not self._stop.is_set():
            try:
                more = self._inbox.get(timeout=timeout)
            except queue.Empty:
                break
            tasks.extend(more or ())
            end = end or time.monotonic() + GATHER
            timeout = max(0.0, end - time.monotonic())
        return tasks

    def _explained(self, error: Exception) -> EngineError:
        """The service's error as one of ours."""
        if isinstance(error, EngineError):
            return error
        from azure.core.exceptions import AzureError

        if isinstance(error, AzureError):
            return advice.engine_error(self._settings.account_url, error)
        return EngineError(describe(error))

    def _give_up(self, reason: str) -> None:
        """Fail all Tasks in hand."""
        for watch in self._jobs.values():
            self._fail([*watch.bundles.values()], reason)
            watch.bundles.clear()
        while not self._stop.is_set():
            more = self._inbox.get()
            for task in more or ():
                self._listener.report(TaskResult(task.id, State.FAILED, reason))

    def _fail(self, bundles: Iterable[Bundle], reason: str) -> None:
        for bundle in bundles:
            for task in bundle.tasks:
                self._listener.report(TaskResult(task.id, State.FAILED, reason))

    # Tasks to the service

    def _take(self, tasks: Sequence[Task]) -> None:
        by_sequence: dict[str, list[Task]] = {}
        for task in tasks:
            by_sequence.setdefault(task.step.scope.sequence, []).append(task)
        for sequence, members in by_sequence.items():
            try:
                self._add(sequence, members)
            except Exception as error:  # noqa: BLE001 - a job over quota fails its own Tasks only
                if self._stop.is_set():
                    return
                reason = str(self._explained(error))
                for task in members:
                    self._listener.report(TaskResult(task.id, State.FAILED, reason))
        self._due = 0.0
        self._pace.changed()

    def _add(self, sequence: str, tasks: Sequence[Task]) -> None:
        self._pool.ensure(self._packages)
        watch = self._ensure_job(sequence)
        attached = self._attach(sequence, watch, tasks)
        tasks = [task for task in tasks if task.id not in attached]
        in_hand = {t.id: bundle.id for bundle in watch.bundles.values() for t in bundle.tasks}
        bundles = make_bundles(tasks, in_hand, watch.used, self._settings.totals)
        bulk.write_many(
            self._store,
            {task_file_key(watch.id, b.id): task_file(b.tasks, self._store) for b in bundles},
        )
        for wave in waves(bundles):
            if self._stop.is_set():
                return
            made = [self._model(bundle, watch.id) for bundle in wave]
            watch.add(wave)
            for id_, reason in self._service.add_tasks(watch.id, made).items():
                refused = [watch.bundles.pop(id_), *watch.drop_dependants(id_)]
                self._fail(refused, f"Azure Batch did not take it: {reason}")

    def _model(self, bundle: Bundle, job: str) -> m.BatchTaskCreateOptions:
        return models.task(bundle, job, self._settings, self._packages())

    def _packages(self) -> Delivery:
        """What nodes install; packed and sent when it is first needed."""
        if self._delivery is None:
            self._delivery = make_delivery(self._settings.plugins, self._settings.extras)
            if not self._settings.pool.container_image:
                bulk.write_many(self._store, dict(self._delivery.items()))
        return self._delivery

    def _ensure_job(self, sequence: str) -> JobWatch:
        watch = self._jobs.get(sequence)
        if watch is not None:
            return watch
        old = self._old.get(sequence)
        if old is not None and old.usable:
            watch = JobWatch(old.id, used=set(old.tasks))
        else:
            if old is not None:  # it ended, or its SAS will: nothing of it may go on
                self._service.delete_job(old.id)
            watch = JobWatch(self._new_job(sequence, old.attempt + 1 if old is not None else 1))
        self._jobs[sequence] = watch
        return watch

    def _new_job(self, sequence: str, attempt: int) -> str:
        job = models.job(
            sequence,
            attempt,
            self._pool.id,
            self._settings,
            self._packages(),
            prepare=not self._pool.made,
        )
        self._made_jobs.add(job.id)
        self._service.add_job(job)
        return job.id

    def _attach(self, sequence: str, watch: JobWatch, tasks: Sequence[Task]) -> set[str]:
        """Go on with what still runs from an earlier try; ids of the Tasks in it."""
        old = self._old.pop(sequence, None)
        if old is None or not old.usable:
            return set()
        alive, dead = still_alive(self._store, old, tasks)
        watch.add(alive)
        for id_ in dead:
            self._service.terminate_task(old.id, id_)
        count = sum(len(bundle.tasks) for bundle in alive)
        if count:
            self._listener.tell(EngineStatus(f"{sequence}: {count} tasks are still in hand"))
        return {task.id for bundle in alive for task in bundle.tasks}

    # What becomes of them

    def _look(self) -> None:
        """Ask what has changed, and tell."""
        from azure.core.exceptions import AzureError

        try:
            busy = [watch for watch in self._jobs.values() if watch.bundles]
            for watch in busy:
                self._look_at(watch)
            if busy:
                self._look_at_pool()
            self._looks += 1
            self._answered = time.monotonic()
        except (AzureError, EngineError) as error:
            if isinstance(error, PoolGoneError) or advice.is_final(error):
                raise  # an answer: whatever is in hand ends with it, and what was made is removed
            self._no_answer(error)
        self._tell()
        self._due = time.monotonic() + self._pace.seconds

    def _no_answer(self, error: Exception) -> None:
        """The service is away: no reason to fail anything yet."""
        reason = str(self._explained(error))
        minutes = (time.monotonic() - self._answered) / 60
        if minutes * 60 > PATIENCE:
            raise EngineError(
                f"no answer for {minutes:.0f} minutes: {reason}",
                "its tasks may still run: come back with --from_cache",
            )
        self._listener.tell(EngineStatus(f"{reason}; trying again", urgent=True))

    def _look_at(self, watch: JobWatch) -> None:
        """Two requests: what has changed, and how many tasks are in each state."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            changes = self._service.changes(watch.id, watch.since)
        except ResourceNotFoundError:
            self._end_job(watch, "it was deleted by somebody")
            return
        begun, ended = watch.take(changes)
        for bundle in begun:
            for task in bundle.tasks:
                self._listener.started(task.id)
        self._report(watch, ended)
        if begun or ended or self._looks % 2 == 0:
            counts = self._service.counts(watch.id)
            watch.check(counts.completed)
            self._counts[watch.id] = {
                "waiting": counts.active,
                "running": counts.running,
                "succeeded": counts.succeeded,
                "failed": counts.failed,
            }
        else:
            self._check_job(watch)
        if begun or ended:
            self._pace.changed()

    def _check_job(self, watch: JobWatch) -> None:
        """Notice a job that was ended or disabled by others, or has come to its time limit."""
        job = self._service.job(watch.id)
        if job is None:
            self._end_job(watch, "it was deleted by somebody")
            return
        state = state_of(job)
        if state in ("disabled", "disabling"):  # somebody's pause: tasks wait, and may go on
            self._paused = watch.id
            return
        self._paused = ""
        if state in ("active", "enabling"):
            return
        _, ended = watch.take(self._service.changes(watch.id, None))
        self._report(watch, ended)
        why = job.execution_info.termination_reason if job.execution_info is not None else None
        self._end_job(watch, why or f"it is {state}")

    def _end_job(self, watch: JobWatch, why: str) -> None:
        """Fail what is in hand of a job that will do no more."""
        left = list(watch.bundles.values())
        watch.bundles.clear()
        self._fail(left, f"its job {watch.id} has ended: {why}; finish the run with --from_cache")

    def _report(self, watch: JobWatch, ended: Sequence[tuple[Bundle, Change]]) -> None:
        """Tell how tasks ended; each before those that wait for it."""
        if not ended:
            return
        results_of = bulk.each(self._store, lambda pair: self._outcome(watch.id, *pair), ended)
        for (bundle, change), results in zip(ended, results_of, strict=True):
            for result in results:
                self._listener.report(result)
            blocks = outcomes.process_died(change) or len(bundle.tasks) == 1
            if blocks and any(result.state is State.FAILED for result in results):
                reason = f"{bundle.id} failed, which it waits for"
                self._fail(watch.drop_dependants(bundle.id), reason)

    def _outcome(self, job: str, bundle: Bundle, change: Change) -> list[TaskResult]:
        log = self._service.task_log(job, bundle.id) if outcomes.process_died(change) else ""
        return list(outcomes.results(self._store, bundle, change, log))

    def _look_at_pool(self) -> None:
        """Give up where no node will ever do the work."""
        if self._pool.look():
            self._pace.changed()
        hopeless = self._pool.hopeless()
        if hopeless:
            for watch in self._jobs.values():
                left = list(watch.bundles.values())
                watch.bundles.clear()
                self._fail(left, hopeless)

    def _tell(self) -> None:
        """One line when it has changed."""
        totals: dict[str, int] = {}
        for counts in self._counts.values():
            for name, count in counts.items():
                totals[name] = totals.get(name, 0) + count
        tasks = ", ".join(f"{count} {name}" for name, count in totals.items() if count)
        text = f"batch: {tasks or 'no tasks yet'}; nodes: {self._pool}"
        if self._paused:
            text += f"; the job {self._paused} is disabled: enable it in the portal to go on"
        if text != self._said and self._counts:
            self._said = text
            self._listener.tell(EngineStatus(text, urgent=bool(self._pool.trouble or self._paused)))
