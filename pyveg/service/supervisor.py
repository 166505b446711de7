"""Compares the table of jobs with their runs, and acts; one thread of the server does it.

Nothing that it needs is in its memory alone: a server that is started again goes on from the table,
the notes in the folders of jobs, and the Stores of their runs.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyveg.core import params
from pyveg.core.errors import PyvegError, RunError
from pyveg.core.status import Status
from pyveg.core.texts import said
from pyveg.runs.run import open_run
from pyveg.service import access, notes, tidying
from pyveg.service.callers import Callers
from pyveg.service.children import Children
from pyveg.service.config import ServiceConfig
from pyveg.service.health import Health
from pyveg.service.jobs_table import Jobs
from pyveg.service.looking import Looker
from pyveg.service.outcome import Next, Seen, Verdict, judge
from pyveg.service.processes import Processes
from pyveg.service.records import JobRecord, Told
from pyveg.service.states import MOVES, JobState
from pyveg.service.table import make
from pyveg.service.telling import store_at

_News = tuple[str, str, Told | None] | None
"""What is to be kept of a job: its id, a message, what its run has said."""
_Act = Callable[[JobRecord], _News]

_TICK = 0.25
"""Seconds between two looks while jobs run."""
_IDLE = 1.0
"""The same while there is nothing to do; a new job wakes it in a server of one process."""
_TERM_AFTER = 10.0
_KILL_AFTER = 60.0
"""Seconds after the request to stop that signals follow it."""
_ASK_EVERY = 2.0
_GROUP_SECONDS = 5.0
"""How long the processes that a dead one has started may take to end by themselves."""
_TIDY_EVERY = 600.0


@dataclass
class _Watched:
    """What the supervisor remembers of a job; all of it can be found out again."""

    dead_since: float | None = None
    asked_at: float = 0.0
    begun: bool = False
    last: tuple[str, Told | None] | None = None


class Supervisor:
    """Starts, adopts, resumes and stops the runs of jobs.

    Parameters
    ----------
    config : ServiceConfig
    jobs : Jobs
    callers : Callers
    processes : Processes
    health : Health
        Where it says that it lives, and what is wrong.
    children : Children
    """

    def __init__(
        self,
        config: ServiceConfig,
        jobs: Jobs,
        callers: Callers,
        processes: Processes,
        health: Health,
        *,
        children: Children | None = None,
    ) -> None:
        self._config = config
        self._jobs = jobs
        self._callers = callers
        self._health = health
        self.children = children or Children()
        self._looker = Looker(config, self.children, processes)
        self._watched: dict[str, _Watched] = {}
        self._wake = threading.Event()
        self._over = threading.Event()
        self._tidied = float("-inf")
        self._made = False
        self._ended: set[str] = set()

    def run(self) -> None:
        """Work until `end` is called. Whatever fails is told by `Health`, and tried again."""
        while not self._over.is_set():
            busy = False
            try:
                busy = self.tick()
                self._health.mend("table of jobs")
            except PyvegError as error:
                self._health.trouble("table of jobs", str(error))
            except Exception as error:  # noqa: BLE001 - the service stays up, and says what is wrong
                self._health.trouble("supervisor", said(error))
            else:
                self._health.mend("supervisor")
            self._health.beat()
            self._wake.wait(_TICK if busy else _IDLE)
            self._wake.clear()

    def wake(self) -> None:
        """Look at once: something was asked for."""
        self._wake.set()

    def end(self) -> None:
        """Have `run` return; the processes of jobs go on."""
        self._over.set()
        self._wake.set()

    def interrupt_jobs(self) -> None:
        """Have all running jobs end in order; the next server resumes them."""
        for job in self._jobs.active():
            self.children.end(self._config.job_folder(job.id), signal.SIGTERM)
        self.children.wait_all(_KILL_AFTER)

    def tick(self) -> bool:
        """Look at all jobs once, and act.

        Returns
        -------
        bool
            Whether there is anything that goes on.
        """
        if not self._made:
            make(self._config.table_path)
            self._made = True
        self._tidy_now_and_then()
        active, to_purge = self._jobs.active(), self._jobs.to_purge()
        self._watched = {job.id: self._watched.get(job.id, _Watched()) for job in active}
        self._health.keep_only("job ", {f"job {job.id}" for job in (*active, *to_purge)})
        for job in to_purge:
            self._guarded(job, self._purge)
        self._ended.clear()
        begun = [job for job in active if job.stopping or self._has_process(job)]
        news = [self._guarded(job, self._look_at) for job in begun]
        self._jobs.tell([one for one in news if one is not None])
        self._start_waiting([job for job in active if job.id not in self._ended])
        return bool(active)

    # One job

    def _guarded(self, job: JobRecord, act: _Act) -> _News:
        """Do something about a job; that its Store is away, say, stops nothing else."""
        what = f"job {job.id}"
        try:
            news = act(job)
        except PyvegError as error:
            self._health.trouble(what, str(error))
            return None
        except OSError as error:
            self._health.trouble(what, said(error))
            return None
        self._health.mend(what)
        return news

    def _look_at(self, job: JobRecord) -> _News:
        watched = self._watched[job.id]
        seen = self._looker.seen(job)
        if seen is None:
            return None
        watched.begun = seen.begun
        if job.stopping and seen.alive:
            self._press(job, seen, watched)
        policy = self._looker.policy(job)
        verdict = judge(seen, policy, wants_stop=job.stopping, restarts=job.restarts)
        if verdict.next is not Next.WAIT:
            return self._started_again(job, verdict, watched)
        return self._settled(job, verdict, seen, watched)

    def _settled(self, job: JobRecord, verdict: Verdict, seen: Seen, watched: _Watched) -> _News:
        """Write down what is now known of a job."""
        began = _since(seen.run.told if seen.run else None)
        if verdict.state.over:
            # Before that is written down, as nobody looks at the job afterwards.
            access.forget(self._config.job_folder(job.id))
            if seen.run is not None and job.state is JobState.ACCEPTED:
                # Too short to be seen running; every move is made.
                self._jobs.move(job.id, JobState.RUNNING, at=began, told=verdict.told)
            self._jobs.move(job.id, verdict.state, verdict.message, verdict.told)
            self._ended.add(job.id)
            self._callers.note(job.caller, "", str(verdict.state), job.id, verdict.message)
            return None
        if verdict.state in MOVES[job.state]:
            self._jobs.move(job.id, verdict.state, verdict.message, verdict.told, at=began)
            return None
        news = verdict.message, verdict.told
        if news == watched.last or (verdict.told is None and verdict.message == job.message):
            return None
        watched.last = news
        return job.id, verdict.message, verdict.told

    # To stop

    def _press(self, job: JobRecord, seen: Seen, watched: _Watched) -> None:
        """Have a job stop: by its Store, then by signals."""
        folder = self._config.job_folder(job.id)
        now = time.time()
        since, clears = _order_of(folder, job)
        if now - since > _KILL_AFTER:
            self.children.kill_left(job.id, folder)
            return
        if clears or now - watched.asked_at < _ASK_EVERY:
            return
        # Again and again, since a run that has just begun forgets what earlier ones were asked.
        watched.asked_at = now
        if now - since > _TERM_AFTER or seen.run is None or not seen.run.may_go_on:
            self.children.end(folder, signal.SIGTERM)
        else:
            self._ask(job)

    def _ask(self, job: JobRecord) -> None:
        try:
            open_run(store_at(job.url)).ask_to_stop()
        except RunError:  # it has just ended, or not quite begun: the next look tells
            return

    # To start

    def _started_again(self, job: JobRecord, verdict: Verdict, watched: _Watched) -> _News:
        """Start the process of a job when nothing of an earlier one is left."""
        folder = self._config.job_folder(job.id)
        if not watched.begun:
            return None  # it waits for its turn
        now = time.monotonic()
        watched.dead_since = watched.dead_since or now
        if self.children.left(job.id, folder):
            if now - watched.dead_since > _GROUP_SECONDS:
                self.children.kill_left(job.id, folder)
            return job.id, verdict.message, verdict.told
        if verdict.next is not Next.START:
            self._jobs.count_restart(job.id)
        self._start(job, stop_at_once=verdict.next is Next.CLEAR)
        return job.id, verdict.message, verdict.told

    def _start_waiting(self, active: Sequence[JobRecord]) -> None:
        """Start those whose turn it is: of callers with few running jobs first, oldest first."""
        running = [job for job in active if self._has_process(job)]
        free = self._config.max_running - len(running)
        started = {job.id for job in running}
        waiting = [job for job in active if job.id not in started and not job.stopping]
        busy = Counter(job.caller for job in running)
        while free > 0 and waiting:
            job = min(waiting, key=lambda one: (busy[one.caller], one.created))
            waiting.remove(job)
            busy[job.caller] += 1
            free -= 1
            self._guarded(job, self._start)

    def _has_process(self, job: JobRecord) -> bool:
        """Whether a process was started for it, which takes one of the places."""
        return (self._config.job_folder(job.id) / notes.ORDER).exists()

    def _start(self, job: JobRecord, *, stop_at_once: bool = False) -> _News:
        folder = self._config.job_folder(job.id)
        watched = self._watched.setdefault(job.id, _Watched())
        watched.dead_since = None
        (folder / notes.OUTCOME).unlink(missing_ok=True)
        self.children.start(
            job.id,
            folder,
            {
                "job": job.id,
                "process": job.process,
                "inputs": dict(job.inputs),
                "url": job.url,
                "config": params.to_json(self._config),
                "stop": stop_at_once,
            },
        )
        watched.begun = True
        return None

    # To remove

    def _purge(self, job: JobRecord) -> _News:
        if not self.children.left(job.id, self._config.job_folder(job.id)):
            tidying.remove(job, self._config)
            self._jobs.purged(job.id)
        return None

    def _tidy_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._tidied < _TIDY_EVERY:
            return
        self._tidied = now
        self._callers.forget_old(self._config.audit_days)
        access.sweep(self._config.job_folder(""), {job.id for job in self._jobs.active()})
        for job in tidying.expired(self._jobs, self._config):
            self._jobs.ask_to_purge(job.id)


def _since(told: Status | None) -> float | None:
    """When a run began; None where it does not say."""
    return (told.since or None) if told is not None else None


def _order_of(folder: Path, job: JobRecord) -> tuple[float, bool]:
    """Since when the process of a job is to stop, and whether it does nothing but clear up."""
    path = folder / notes.ORDER
    try:
        order: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if order.get("stop"):
            return path.stat().st_mtime, True
    except (OSError, ValueError):
        pass
    return job.wants_stop or time.time(), False
