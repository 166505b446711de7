"""What becomes of the tasks of a run at the service, and what is told of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from pyveg.core import bulk, transfers
from pyveg.core.errors import EngineError, StoreError
from pyveg.core.events import EngineStatus
from pyveg.core.more_memory import may_have_more, told_of_more
from pyveg.core.ports import Listener, Store
from pyveg.core.tasks import State, Task, TaskResult
from pyveg.runners.azure_batch import outcomes
from pyveg.runners.azure_batch.bundles import Bundle
from pyveg.runners.azure_batch.pool import RunPool
from pyveg.runners.azure_batch.service import BatchService, Change, state_of
from pyveg.runners.azure_batch.settings import BatchSettings
from pyveg.runners.azure_batch.waiting import Waiting
from pyveg.runners.azure_batch.watch import JobWatch

_LOGS = 2
"""Requests of a node that no Task counts: its agent sends output and errors of each task of the
service. Beside them, a Task writes its manifest when it has counted."""
_LATE_COUNTS = 3
"""How many quiet counts in a row must lack a task before it is looked for: counts come late."""


class Following:
    """Looks at the jobs of a run, reports what has ended, and tells how it goes.

    Parameters
    ----------
    service : BatchService
    settings : BatchSettings
    pool : RunPool
    store : Store
    listener : Listener
    again : callable
        Given Tasks that are to be submitted once more.
    """

    def __init__(
        self,
        service: BatchService,
        settings: BatchSettings,
        pool: RunPool,
        *,
        store: Store,
        listener: Listener,
        again: Callable[[Sequence[Task]], None],
    ) -> None:
        self._service, self._pool, self._store, self._listener = service, pool, store, listener
        self._name = f"batch {settings.lane}".rstrip()
        self._again = again
        self._waiting = Waiting(service, settings, pool, listener.tell)
        self._looks = 0
        self._lacking: Counter[str] = Counter()
        """Id of a job -> how many counts in a row have lacked a task of it."""
        self._said = ""

    def look(self, jobs: Sequence[JobWatch]) -> bool:
        """Ask what has changed, report and tell it.

        Returns
        -------
        bool
            Whether anything has.

        Raises
        ------
        EngineError
            If none of the work that is left will ever be done.
        """
        busy = [watch for watch in jobs if watch.bundles]
        moved = {watch.id for watch in busy if self._look_at(watch)}
        changed = bool(busy) and self._pool.look()
        while self._pool.news:
            self._listener.tell(EngineStatus(self._pool.news.pop(0), urgent=True))
        if busy and (hopeless := self._pool.hopeless()):
            raise EngineError(hopeless)
        self._look_at_waiting([watch for watch in busy if watch.bundles], moved)
        self._looks += 1
        self._tell(jobs)
        return changed or bool(moved)

    def fail(self, bundles: Iterable[Bundle], reason: str, *, shared: bool = False) -> None:
        """Report that none of the Tasks was done; `shared` where others would fail of the same."""
        for bundle in bundles:
            for task in bundle.tasks:
                result = TaskResult(task.id, State.FAILED, reason, shared=shared)
                self._listener.report(result)

    # One job

    def _look_at(self, watch: JobWatch) -> bool:
        """Two requests: what has changed, and how many tasks are in each state."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            changes = self._service.changes(watch.id, watch.since)
        except ResourceNotFoundError:
            self._end_job(watch, "it was deleted by somebody")
            return True
        begun, ended = watch.take(changes)
        for bundle in begun:
            for task in bundle.tasks:
                self._listener.started(task.id)
        self._report(watch, ended)
        moved = bool(begun or ended)
        if moved or self._looks % 2 == 0:
            self._count(watch, moved=moved)
        else:
            self._check_job(watch)
        return moved

    def _count(self, watch: JobWatch, *, moved: bool) -> None:
        counts = self._service.counts(watch.id)
        watch.check(counts.completed)
        watch.counts = {
            "waiting": counts.active,
            "running": counts.running,
            "succeeded": counts.succeeded,
            "failed": counts.failed,
        }
        lacks = len(watch.bundles) - len(watch.unsent) > counts.active + counts.running
        if moved or not lacks:
            self._lacking.pop(watch.id, None)
            return
        self._lacking[watch.id] += 1
        if self._lacking[watch.id] >= _LATE_COUNTS:
            self._look_for_lost(watch)

    def _look_for_lost(self, watch: JobWatch) -> None:
        """Fail tasks that are not in the list of the job any more."""
        there = {change.id for change in self._service.all_tasks(watch.id)}
        gone = [b.id for b in watch.bundles.values() if b.id not in there | watch.unsent.keys()]
        for id_ in gone:
            lost = [watch.drop(id_), *watch.drop_dependants(id_)]
            reason = f"the task {id_} was deleted by somebody; finish the run with --from_cache"
            self.fail([bundle for bundle in lost if bundle is not None], reason)
        self._lacking.pop(watch.id, None)

    def _check_job(self, watch: JobWatch) -> None:
        """Notice a job that was ended or disabled by others, or has come to its time limit."""
        job = self._service.job(watch.id)
        if job is None:
            self._end_job(watch, "it was deleted by somebody")
            return
        state = state_of(job)
        watch.paused = state in ("disabled", "disabling")  # somebody's pause: it may go on
        if watch.paused or state in ("active", "enabling"):
            return
        _, ended = watch.take(self._service.changes(watch.id, None))
        self._report(watch, ended)
        why = job.execution_info.termination_reason if job.execution_info is not None else None
        if state == "deleting":
            why = "it was deleted by somebody"
        self._end_job(watch, why or f"it is {state}")

    def _end_job(self, watch: JobWatch, why: str) -> None:
        """Fail what is in hand of a job that will do no more."""
        watch.paused = False
        watch.over = f"its job {watch.id} has ended: {why}; finish the run with --from_cache"
        self.fail(watch.drop_all(), watch.over, shared=True)

    # What has ended

    def _report(self, watch: JobWatch, ended: Sequence[tuple[Bundle, Change]]) -> None:
        """Tell how tasks ended; each before those that wait for it."""
        if not ended:
            return
        try:
            results_of = bulk.each(self._store, lambda pair: self._outcome(watch, *pair), ended)
        except StoreError:  # nobody knows yet how they ended
            watch.take_back(bundle for bundle, _ in ended)
            raise
        for (bundle, change), (results, undone) in zip(ended, results_of, strict=True):
            transfers.count(_LOGS + len(results), storage=True)
            for result in results:
                self._listener.report(result)
            if undone:
                self._do_again(watch, bundle, undone)
                continue
            blocks = outcomes.process_died(change) or len(bundle.tasks) == 1
            if blocks and any(result.state is State.FAILED for result in results):
                reason = f"{bundle.id} failed, which it waits for"
                self.fail(watch.drop_dependants(bundle.id), reason)

    def _outcome(
        self, watch: JobWatch, bundle: Bundle, change: Change
    ) -> tuple[list[TaskResult], list[Task]]:
        """The results of a task of the service, and its Tasks that it left undone."""
        undone = outcomes.undone(self._store, bundle, change)
        done = [task for task in bundle.tasks if task not in undone]
        died = outcomes.process_died(change)
        log = self._service.task_log(watch.id, bundle.id) if died else ""
        results = list(outcomes.results(self._store, Bundle(bundle.id, tuple(done)), change, log))
        short = [task for task, end in zip(done, results, strict=True) if may_have_more(task, end)]
        for task in short:
            self._listener.tell(EngineStatus(told_of_more(task), urgent=True))
        again = {task.id for task in short}
        more = [replace(task, more_memory=True) for task in short]
        return [result for result in results if result.task_id not in again], [*undone, *more]

    def _do_again(self, watch: JobWatch, bundle: Bundle, undone: Sequence[Task]) -> None:
        """Submit Tasks anew, and those that the service would keep waiting for them."""
        behind = watch.drop_dependants(bundle.id)
        self._service.terminate_tasks(watch.id, [one.id for one in behind])
        self._again([*undone, *(task for one in behind for task in one.tasks)])

    # All jobs

    def _look_at_waiting(self, busy: Sequence[JobWatch], moved: set[str]) -> None:
        """Give up what will never begin; everything, where nothing else is left."""
        why: dict[str, str] = {}
        for watch in busy:
            reason = self._waiting.look(watch, moved=watch.id in moved)
            if reason:
                why[watch.id] = reason
        if why and len(why) == len(busy):
            raise EngineError("; ".join(dict.fromkeys(why.values())))
        for watch in busy:
            if watch.id in why:
                watch.over = why[watch.id]
                self.fail(watch.drop_all(), watch.over, shared=True)
                self._service.delete_job(watch.id)  # else its tasks would run some day

    def _tell(self, jobs: Sequence[JobWatch]) -> None:
        """One line when it has changed."""
        totals: Counter[str] = Counter()
        for watch in jobs:
            totals.update(watch.counts)
        tasks = ", ".join(f"{count} {name}" for name, count in totals.items() if count)
        text = f"{self._name}: {tasks or 'no tasks yet'}; nodes: {self._pool}"
        paused = sorted(watch.id for watch in jobs if watch.paused)
        if paused:
            text += f"; the job {', '.join(paused)} is disabled: enable it in the portal to go on"
        if text != self._said and any(watch.counts for watch in jobs):
            self._said = text
            urgent = bool(self._pool.trouble or self._pool.emptied or paused)
            self._listener.tell(EngineStatus(text, urgent=urgent))
