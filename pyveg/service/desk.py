"""What routes and pages call. Each method checks who asks, and raises `Refusal` with a status."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pyveg.core.errors import PyvegError
from pyveg.core.secrets import has_secret
from pyveg.service import access, results, telling
from pyveg.service.admission import Limits, Order
from pyveg.service.attempts import Attempts
from pyveg.service.callers import Callers
from pyveg.service.config import ServiceConfig
from pyveg.service.health import LATE, Health, Report, full_disks
from pyveg.service.jobs_table import LATEST, Admitted, Jobs, Wanted
from pyveg.service.processes import Process, Processes
from pyveg.service.records import Caller, JobRecord
from pyveg.service.refusals import Refusal, no_job
from pyveg.service.results import OpenedFile, ResultLink
from pyveg.service.states import JobState
from pyveg.service.table import Table
from pyveg.service.telling import LogPage, TaskPage

MOST = 1_000
"""Jobs of one page at most."""
_LONGEST_KEY = 200
_MOST_INPUTS = 200_000
"""Characters of the inputs of one job."""

Submitted = Admitted


@dataclass(frozen=True)
class JobPage:
    """Part of a list of jobs."""

    jobs: list[JobRecord]
    next: str
    """Cursor of the next part; empty at the end."""


class Desk:
    """The service without HTTP.

    Parameters
    ----------
    config : ServiceConfig
    wake : callable
        Called when there is something for the supervisor to do; it looks by itself too.
    """

    def __init__(self, config: ServiceConfig, wake: Callable[[], None] = lambda: None) -> None:
        self.config = config
        self.table = Table(config.table_path)
        self.jobs_table = Jobs(self.table)
        self.callers = Callers(self.table, config.folder, config.session_hours)
        self.attempts = Attempts(
            config.wrong_secrets,
            lambda address: self.callers.note("", address, "sent too many wrong secrets"),
        )
        self.processes_known = Processes(config)
        self.health = Health(config.folder)
        self.checks: list[Callable[[], Mapping[str, str]]] = []
        """What further parts say in `report`: what does not work -> why."""
        self._tellers = telling.Tellers()
        self._wake = wake

    # Processes

    def processes(self, caller: Caller) -> list[Process]:
        """Those that the caller may use."""
        return [one for one in self.processes_known.all() if caller.may_use(one.id)]

    def process(self, caller: Caller, process: str) -> Process:
        """One of them.

        Raises
        ------
        Refusal
            404 where there is none, 403 where the caller may not use it.
        """
        found = self.processes_known.get(process)
        if not caller.may_use(found.id):
            raise Refusal(
                403,
                f"{caller.name} may not use the process {found.id}",
                "ask whoever runs this service",
            )
        return found

    # Jobs

    def submit(
        self,
        caller: Caller,
        process: str,
        inputs: Any,
        *,
        key: str | None = None,
        address: str = "",
        signatures: str = "",
    ) -> Submitted:
        """Take a job in.

        Parameters
        ----------
        caller : Caller
        process : str
        inputs : mapping
            As they came from JSON.
        key : str, optional
            What the caller calls this request: the same key gives the same job.
        address : str
            Where the request came from, for the audit.
        signatures : str
            Secrets that the job reads its inputs with, as `pyveg.service.access` keeps them.

        Raises
        ------
        Refusal
            422 for wrong inputs, 409 for a key that was used for something else, 429 and 503 where
            a limit is reached.
        """
        chosen = self.process(caller, process)
        if key is not None and not _may_be_key(key):
            raise Refusal(
                400,
                "the Idempotency-Key is no text that can be one",
                f"give 1 to {_LONGEST_KEY} letters and digits",
            )
        chosen.allow(caller, chosen.checked(inputs))
        text = json.dumps(inputs, sort_keys=True)
        if len(text) > _MOST_INPUTS:
            raise Refusal(413, f"the inputs have {len(text)} characters", "give fewer")
        job = uuid.uuid4().hex
        order = Order(
            job,
            chosen.id,
            caller.name,
            self._address_of(chosen.id, job),
            inputs,
            hashlib.sha256(f"{chosen.id}\0{text}".encode("utf-8", "surrogatepass")).hexdigest(),
            key,
        )
        admitted = self._admitted(order, self._limits(caller, chosen.id), signatures)
        if admitted.new:
            self.callers.note(caller.name, address, "submitted", job, chosen.id)
            self._wake()
        return admitted

    def _admitted(self, order: Order, limits: Limits, signatures: str) -> Admitted:
        """Take an order in, with its signatures in place: its process may start at once."""
        folder = self.config.job_folder(order.id)
        if signatures:
            access.keep(folder, signatures)
        new = False
        try:
            admitted = self.jobs_table.admit(order, limits)
            new = admitted.new
        finally:
            if signatures and not new:
                shutil.rmtree(folder, ignore_errors=True)
        return admitted

    def jobs(
        self,
        caller: Caller,
        *,
        states: Collection[str] = (),
        processes: Collection[str] = (),
        limit: int = 50,
        cursor: str = "",
    ) -> JobPage:
        """Jobs of the caller, newest first; of everybody for an admin."""
        known = {str(state): state for state in JobState}
        for state in states:
            if state not in known:
                raise Refusal(
                    400, f"{state[:40]!r} is no status", f"give one of {', '.join(known)}"
                )
        wanted = Wanted(_whose(caller), [known[one] for one in states], processes)
        before = str(telling.number(cursor)) if cursor else LATEST
        return JobPage(*self.jobs_table.page(wanted, max(1, min(limit, MOST)), before))

    def job(self, caller: Caller, job: str) -> JobRecord:
        """One job.

        Raises
        ------
        Refusal
            404 where there is none, or it is somebody else's.
        """
        found = self.jobs_table.get(job)
        if found is None or not (caller.admin or found.caller == caller.name):
            raise no_job(job)
        return found

    def changes(
        self, caller: Caller, after: int, *, job: str = "", limit: int = 500
    ) -> list[JobRecord]:
        """Jobs that have changed since a change, in the order of their last changes."""
        return self.jobs_table.changed(after, limit, job, _whose(caller))

    def cancel(self, caller: Caller, job: str, *, address: str = "") -> JobRecord:
        """Have a job stopped; that it was asked already changes nothing.

        Raises
        ------
        Refusal
            409 where it is over.
        """
        before = self.job(caller, job)
        found = self.jobs_table.ask_to_stop(job)
        if found is None:
            raise Refusal(
                409,
                f"the job {job} is {self.job(caller, job).state} and cannot be dismissed",
                "add ?purge=true to remove what it has made",
            )
        if before.wants_stop is None:
            self.callers.note(caller.name, address, "asked to stop", job)
        self._wake()
        return found

    def purge(self, caller: Caller, job: str, *, address: str = "") -> JobRecord:
        """Have all removed that a job has made, and the job from all lists.

        Raises
        ------
        Refusal
            409 where it is not over.
        """
        before = self.job(caller, job)
        found = self.jobs_table.ask_to_purge(job)
        if found is None:
            raise Refusal(
                409, f"the job {job} is {before.state} and cannot be purged", "dismiss it first"
            )
        self.callers.note(caller.name, address, "purged", job)
        self._tellers.forget(before.url)
        self._wake()
        return found

    # What jobs tell and make

    def log(
        self, caller: Caller, job: str, *, after: str = "", level: str = "", limit: int = 200
    ) -> LogPage:
        """Part of the log of a job."""
        if level and level not in telling.LEVELS:
            raise Refusal(
                400, f"{level[:40]!r} is no level", f"give one of {', '.join(telling.LEVELS)}"
            )
        return telling.log(self.job(caller, job).url, after, level, max(1, min(limit, MOST)))

    def tasks(
        self, caller: Caller, job: str, *, state: str = "", limit: int = 200, cursor: str = ""
    ) -> TaskPage:
        """Tasks of a job that have begun."""
        url = self.job(caller, job).url
        return self._tellers.tasks(url, state, max(1, min(limit, MOST)), cursor)

    def task(self, caller: Caller, job: str, task_id: str) -> dict[str, Any]:
        """Everything that the run of a job holds of one Task."""
        return telling.task(self.job(caller, job).url, task_id)

    def nodes(self, caller: Caller, job: str) -> tuple[list[dict[str, Any]], list[str]]:
        """The machines that work for a job, and why others cannot be seen."""
        return telling.nodes(self.job(caller, job).url)

    def results(self, caller: Caller, job: str) -> dict[str, ResultLink]:
        """What a job has made."""
        found = self.job(caller, job)
        return results.links(found, self.config.folder, self.config.link_minutes)

    def open_file(self, job: str, stamp: str, key: str) -> OpenedFile:
        """A file that a link of `results` leads to; the link is all that it takes."""
        return results.open_file(self.jobs_table.get(job), self.config.folder, job, stamp, key)

    # How the service is

    def report(self) -> Report:
        """Whether all works that the service stands on."""
        found = self.health.report()
        troubles = {**found.troubles, **full_disks([self.config.folder, self.config.runs])}
        for path, error in self.processes_known.troubles().items():
            troubles[f"process file {path}"] = str(error)
        for check in self.checks:
            troubles |= check()
        try:
            self.jobs_table.last_change()
        except PyvegError as error:
            troubles["table of jobs"] = str(error)
        if found.age > LATE and "supervisor" not in troubles:
            troubles["supervisor"] = f"it has given no sign of life for {found.age:.0f} s"
        return Report(found.age, troubles)

    def _limits(self, caller: Caller, process: str) -> Limits:
        special = self.config.of(process).max_active
        return Limits(
            self.config.max_active if caller.max_active is None else caller.max_active,
            self.config.max_active_of_process if special is None else special,
        )

    def _address_of(self, process: str, job: str) -> str:
        root = self.config.of(process).runs or self.config.runs
        if root.startswith("azure://"):
            return f"{root.rstrip('/')}-{job}"  # a container, whose name has no folders
        return f"{root.rstrip('/')}/{process}-{job}"


def _may_be_key(key: str) -> bool:
    """Whether a text may name a request; it is kept in the table, so it is no secret."""
    return 0 < len(key) <= _LONGEST_KEY and key.isprintable() and not has_secret(key)


def _whose(caller: Caller) -> str:
    return "" if caller.admin else caller.name
