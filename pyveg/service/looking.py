"""What there is to see of a job: its run, its process, and what that has said."""

from __future__ import annotations

import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from pyveg.core import registry, stop
from pyveg.core.errors import StoreError
from pyveg.runs.run import is_run
from pyveg.runs.watch import RunState, RunStatus, status_of
from pyveg.service import notes
from pyveg.service.children import Children
from pyveg.service.config import ServiceConfig
from pyveg.service.notes import Outcome
from pyveg.service.outcome import Policy, Seen
from pyveg.service.processes import Processes
from pyveg.service.records import JobRecord
from pyveg.service.refusals import Refusal
from pyveg.service.telling import store_at

_AT_ONCE = 8
"""Stores elsewhere that are looked at together."""
_LONG = 15.0
"""Seconds after which a Store that does not answer is told of."""


class Looker:
    """Looks at jobs; at those elsewhere in threads, so that nobody waits for a service.

    Parameters
    ----------
    config : ServiceConfig
    children : Children
    processes : Processes
    """

    def __init__(self, config: ServiceConfig, children: Children, processes: Processes) -> None:
        self._config = config
        self._children = children
        self._processes = processes
        self._pool: ThreadPoolExecutor | None = None
        self._looks: dict[str, tuple[float, Future[Seen]]] = {}
        """Job -> since when it is looked at, and what will come of it."""

    def seen(self, job: JobRecord) -> Seen | None:
        """What is to be seen of a job; None where a look at a Store elsewhere takes its time.

        Raises
        ------
        StoreError
            If its Store is away, or has not answered for long.
        """
        store = store_at(job.url)
        if "://" not in store.url or store.url.startswith("file://"):
            return self._look(job)
        if job.id not in self._looks:
            self._pool = self._pool or ThreadPoolExecutor(_AT_ONCE, "pyveg-look")
            self._looks[job.id] = time.monotonic(), self._pool.submit(self._look, job)
        since, look = self._looks[job.id]
        if look.done():
            del self._looks[job.id]
            return look.result()
        waited = time.monotonic() - since
        if waited > _LONG:
            raise StoreError(
                f"{store.url} has not answered for {waited:.0f} s", "look at its service"
            )
        return None

    def _look(self, job: JobRecord) -> Seen:
        folder = self._config.job_folder(job.id)
        # Before the Store: what the process wrote last is seen then.
        alive = self._children.alive(job.id, folder)
        store = store_at(job.url)
        begun = (folder / notes.ORDER).exists()
        run = status_of(store) if begun and is_run(store) else None
        asked = ""
        if run is not None and run.state is RunState.STOPPED and run.told is not None:
            request = stop.read(store)
            if request is not None and request.epoch == run.told.epoch:
                asked = request.by
        return Seen(
            run,
            alive,
            begun,
            notes.read(folder, notes.OUTCOME, Outcome),
            asked,
            "" if alive else notes.last_words(folder),
            _silence(run),
        )

    def policy(self, job: JobRecord) -> Policy:
        """What goes for a job."""
        try:
            some_failed = self._processes.get(job.process).some_failed
        except Refusal:  # its file has an error at the moment, or is no longer offered
            some_failed = "failed"
        far = job.stopping and self._is_far(job)  # asked for in no other case
        return Policy(self._config.max_restarts, some_failed, far)

    def _is_far(self, job: JobRecord) -> bool:
        """Whether the run of a job has Tasks on other machines, by what was planned for it."""
        try:
            path = self._config.job_folder(job.id) / notes.PIPELINE
            planned = json.loads(path.read_text(encoding="utf-8"))
            names = {planned["runner"]} | {
                settings["run_mode"]
                for sequence in planned["sequences"]
                for _, settings in sequence["modules"]
            }
        except (OSError, ValueError, KeyError, TypeError):  # nothing was planned yet
            return False
        return any(registry.runner_class(name).elsewhere for name in names - {"local"})


def _silence(run: RunStatus | None) -> float:
    if run is None or run.last_sign is None:
        return float("inf")
    return (datetime.now(UTC) - run.last_sign).total_seconds()
