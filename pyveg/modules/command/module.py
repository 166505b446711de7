"""CommandModule: the user's own program over any files."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pyveg.core import bulk, memory, module, registry, usage
from pyveg.core.errors import CommandError, DataError, OutOfMemoryError, RunError
from pyveg.core.layout import item_folder, meeting_point
from pyveg.core.module import Job, Planning, Shipment
from pyveg.core.ports import Inputs
from pyveg.core.resources import GIB
from pyveg.core.texts import shown
from pyveg.core.types import Item
from pyveg.modules.command import application as app
from pyveg.modules.command import child, environment, git, outputs, placeholders, sending
from pyveg.modules.command.application import Member
from pyveg.modules.command.child import Ended
from pyveg.modules.command.environment import Environment
from pyveg.modules.command.settings import C, CommandSettings, settled

_PYTHON = ("python", "python3")
LONGEST_WAIT = 3600.0
"""Seconds between two tries at most."""
_LAST_LINES = 3
_LEAST_FREE = 4096
"""Bytes that are free on a disk which is not full."""
_LONGEST_LINE = 300
_MOST_OUTPUTS = 100
"""Names of outputs that the ledger lists for one item."""


class CommandModule(module.Module[C]):
    """Run a program of yours over files, each an item of its own."""

    Settings: ClassVar[type[CommandSettings]] = CommandSettings
    role: ClassVar[module.Role] = "start"
    keeps_time: ClassVar[bool] = True
    listed: ClassVar[bool] = True

    @classmethod
    def settled(cls, settings: C, where: str, warn: Callable[[str], None]) -> C:
        """Paths in full, a commit by its id; and every check."""
        return settled(settings, where, warn)

    def items(self, planning: Planning, settings: C) -> Sequence[Item]:
        """One for each input; each knows which application it is for."""
        inputs = registry.open_inputs(settings.inputs).items()
        digest = ""
        if settings.application or settings.repository:
            digest = app.digest_of(_members(settings, inputs, planning.about))
        _tell_of_meetings(inputs, planning.tell)
        return [Item(item.name, {**item.details, "application": digest}) for item in inputs]

    def prepare(self, shipment: Shipment[C]) -> Mapping[str, str]:
        """Send the application, and inputs where commands run on other machines."""
        settings, store = shipment.settings, shipment.store
        digest = shipment.items[0].details["application"]
        if digest and store.size(app.key_of(digest)) is None:
            inputs = registry.open_inputs(settings.inputs).items()
            members = _members(settings, inputs, shipment.about)
            if app.digest_of(members) != digest:
                raise RunError(
                    "the application has changed since the run was planned", "start it again"
                )
            with store.open_write(app.key_of(digest)) as stream:
                app.pack(members, stream)
        if not shipment.far:
            return {}
        folder = sending.folder_of(shipment.scope)
        return sending.send(_inputs(), shipment.items, store, folder, shipment.tell)

    def recheck(self, shipment: Shipment[C]) -> Mapping[str, str]:
        """Inputs of this machine that have changed since; nodes see their copies alone."""
        changed = {}
        for item in shipment.items:
            try:
                _check_unchanged(item)
            except DataError as error:
                changed[item.name] = str(error)
        return changed

    def tidy(self, shipment: Shipment[C]) -> None:
        """Remove inputs that were sent, those of earlier versions too."""
        if shipment.far:
            folder = sending.folder_of(shipment.scope)
            sending.keep_only(shipment.items, shipment.store, folder)

    def run(self, job: Job[C]) -> None:
        """Fetch the input, run the command, keep what it has made and said.

        Raises
        ------
        DataError
            If the input is not there.
        CommandError
            If the environment cannot be made, the command fails or makes nothing.
        """
        with _workplace() as work, _room_in(work):
            application = _application(job)
            values = _values(job, work, application)
            python = self._environment(job, application)
            ended = self._try(job, work, application, values, python)
            _check_unchanged(job.item)
            made = _check(ended, job, work)
            # Also after a failure, of which stdout and stderr are the first thing to read.
            _keep(job, work, made)
            if isinstance(made, CommandError):
                raise made

    @staticmethod
    def _environment(job: Job[C], folder: Path | None) -> Environment:
        if folder is None:
            return environment.environment_for(None, "", "")
        needs = environment.what_to_install(folder, job.settings.requirements)
        digest = job.item.details["application"]
        with usage.part("start"):
            return environment.environment_for(folder, digest, needs)

    @staticmethod
    def _try(
        job: Job[C],
        work: Path,
        application: Path | None,
        values: Mapping[str, str],
        python: Environment,
    ) -> Ended:
        """Run the command until it does well, as often as it may."""
        settings = job.settings
        command = _command(settings, values, python)
        variables = _variables(settings, values, python, work)
        limit = None if settings.timeout is None else settings.timeout * 60
        at_output = settings.working_folder == "output"
        folder = Path(values["output_dir"] if at_output else values["application"])
        most = int(memory.allowed() * GIB)
        for attempt in range(1, settings.retries + 2):
            # What an earlier try has half written must not count as an output.
            _empty(Path(values["output_dir"]))
            if application is not None:
                app.copied(application, Path(values["application"]))
            ended = child.run(command, folder, variables, work, limit, memory=most)
            job.notes["attempts"] = attempt
            usage.add_program(ended.cpu_seconds, ended.peak_memory_mb)
            if ended.well or not _may_help(ended, settings):
                break
            if attempt <= settings.retries and settings.retry_seconds:
                time.sleep(min(settings.retry_seconds * 2 ** (attempt - 1), LONGEST_WAIT))
        job.notes["seconds"] = round(ended.seconds, 3)
        if ended.code is not None:
            job.notes["exit_code"] = ended.code
        return ended


def _may_help(ended: Ended, settings: CommandSettings) -> bool:
    """Whether another try of the same command may go better."""
    if ended.why == "memory":  # it would take as much again
        return False
    codes = settings.retry_exit_codes
    return not codes or ended.code in codes


def _inputs() -> Inputs:
    """What opens items, whatever patterns they came from."""
    return registry.open_inputs(())


def _tell_of_meetings(items: Sequence[Item], tell: Callable[[str], None]) -> None:
    """Name Items whose folders are two here, and one on a system that knows no difference."""
    seen: dict[str, str] = {}
    for item in items:
        other = seen.setdefault(meeting_point(item.name), item.name)
        if other != item.name:
            tell(
                f"the results of {shown(other)} and {shown(item.name)} lie in two folders here, "
                "which would be one on macOS or Windows; rename one if they go there"
            )
            return


def _members(
    settings: CommandSettings, inputs: Sequence[Item], about: Mapping[str, Any]
) -> list[Member]:
    """Files of the application, without the job's own inputs, lists and config among them."""
    if settings.repository:
        files = git.files_of(settings.repository, settings.commit, "repository")
        fine = (file for file in files if not app.is_secret(file[0], file[2]))
        return [Member(name, run, partial(bytes, data)) for name, run, data in fine]
    folder = Path(settings.application)
    job_files = [item.details["input"] for item in inputs]
    job_files += [pattern[1:] for pattern in settings.inputs if pattern.startswith("@")]
    job_files.append(str(folder / (about.get("config_filename") or "")))
    return app.in_folder(folder, settings.ignore, job_files)


@contextmanager
def _workplace() -> Iterator[Path]:
    """A folder for one item: ``in``, ``out``, ``tmp`` and the logs."""
    base = os.environ.get("AZ_BATCH_TASK_WORKING_DIR")  # on the large disk of a node
    base = base if base and Path(base).is_dir() else None
    with tempfile.TemporaryDirectory(prefix="pyveg-", dir=base, ignore_cleanup_errors=True) as name:
        work = Path(name).resolve()
        for part in ("in", "out", "tmp"):
            (work / part).mkdir()
        yield work


@contextmanager
def _room_in(work: Path) -> Iterator[None]:
    """Tell a full disk as what it is."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise child.no_room(work) from error
        raise


def _application(job: Job[C]) -> Path | None:
    """Its folder on this machine, which items get a copy of."""
    digest = job.item.details["application"]
    return app.unpacked(job.store, digest) if digest else None


def _check_unchanged(item: Item) -> None:
    """Fail where an input of this machine has changed while its program ran; `DataError`."""
    where = item.details["input"]
    if "://" not in where and Path(where).exists():  # else it came by the Store
        _inputs().path(item)


def _values(job: Job[C], work: Path, application: Path | None) -> dict[str, str]:
    """What stands in the place of placeholders."""
    sent = sending.key_of(sending.folder_of(job.scope), job.item)
    link = job.settings.link_inputs
    with usage.part("read"):
        path = sending.fetch(_inputs(), job.item, job.store, sent, work / "in", link=link)
    return {
        "input": str(path),
        "output_dir": str(work / "out"),
        "item": job.item.name,
        "name": path.name,
        "stem": path.stem,
        "url": job.item.details["input"],
        "application": "" if application is None else str(work / "app" / application.name),
    }


def _command(
    settings: CommandSettings, values: Mapping[str, str], python: Environment
) -> list[str]:
    program, *arguments = (placeholders.fill(text, values) for text in settings.command)
    return [str(python.python) if program in _PYTHON else program, *arguments]


def _variables(
    settings: CommandSettings, values: Mapping[str, str], python: Environment, work: Path
) -> dict[str, str]:
    """All variables of the program: some of ours, and its own."""
    passed = child.passed_on(os.environ, settings.pass_env)
    passed["PATH"] = os.pathsep.join([str(python.programs), passed.get("PATH", os.defpath)])
    passed["TMPDIR"] = str(work / "tmp")
    own = {name: placeholders.fill(text, values) for name, text in settings.env.items()}
    return {**passed, **own}


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)


def _check(ended: Ended, job: Job[C], work: Path) -> dict[str, Path] | CommandError:
    """The outputs; or why it has failed."""
    settings = job.settings
    if not ended.well:
        last = job.notes.get("attempts", 1)
        tries = f" at the last of {last} tries" if last > 1 else ""
        wrong, cure = _why(ended, settings)
        if _is_full(work):
            full = child.no_room(work)
            wrong, cure = f"{wrong}; {full.wrong}", full.cure
        kind = OutOfMemoryError if _is_short(ended) else CommandError
        return kind(f"{wrong}{tries}{_said(work)}", cure)
    try:
        made = outputs.collect(work / "out", settings.outputs)
    except CommandError as error:
        return error
    if not made and not settings.allow_no_output:
        patterns = ", ".join(settings.outputs)
        return CommandError(
            f"it ended well but made no output ({patterns} in {{output_dir}}){_said(work)}",
            "set allow_no_output = True if it need not",
        )
    return made


def _why(ended: Ended, settings: CommandSettings) -> tuple[str, str]:
    """What is wrong with how it ended, and the cure where there is one."""
    ended_by_us = {
        "late": (
            f"took longer than its time limit of {settings.timeout or 0:g} minutes",
            'raise "timeout" if it may',
        ),
        "memory": (
            f"it took more memory than the {memory.allowed():g} GiB that it may have",
            'raise memory_gb of "resources", or give retry_memory_gb for one more try',
        ),
        "asked": (
            "it was asked to end (SIGTERM) from outside",
            "finish the run with --from_cache",
        ),
    }
    if ended.why in ended_by_us:
        return ended_by_us[ended.why]
    if ended.code is None:
        return f'"{settings.command[0]}": {ended.why}', ""
    if ended.code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        how = "killed by signal 9" if ended.code < 0 else f"exit code {ended.code}"
        return f"{how}, often for want of memory", "run fewer at once (n_workers), or less in each"
    if ended.code < 0:
        return f"killed by signal {-ended.code}", ""
    return f"exit code {ended.code}", ""


def _is_short(ended: Ended) -> bool:
    """Whether it may have ended for want of memory: the system kills what is too large."""
    return ended.why == "memory" or ended.code in (-signal.SIGKILL, 128 + signal.SIGKILL)


def _is_full(work: Path) -> bool:
    """Whether there is no room left where programs keep their files."""
    with suppress(OSError):
        return shutil.disk_usage(work).free < _LEAST_FREE
    return False


def _said(work: Path) -> str:
    """The last lines of its stderr."""
    with (work / outputs.STDERR).open("rb") as stream:
        # Its end alone: a program may have written gigabytes.
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - 20 * _LONGEST_LINE))
        text = stream.read().decode(errors="replace")
    lines = [line.strip()[:_LONGEST_LINE] for line in text.splitlines() if line.strip()]
    return f": {' | '.join(lines[-_LAST_LINES:])}" if lines else ""


def _keep(job: Job[C], work: Path, made: Mapping[str, Path] | CommandError) -> None:
    """Outputs and logs to the Store, in the place of what an earlier try has left there."""
    folder = f"{job.scope.root}/{item_folder(job.item.name)}"
    files: dict[str, Path] = {} if isinstance(made, CommandError) else dict(made)
    names = list(files)
    more = [f"... {len(names) - _MOST_OUTPUTS} more"] if len(names) > _MOST_OUTPUTS else []
    job.notes["outputs"] = [*names[:_MOST_OUTPUTS], *more]
    files |= {name: work / name for name in (outputs.STDOUT, outputs.STDERR)}
    keys = {f"{folder}/{name}": path for name, path in files.items()}
    # Removed before the new ones are sent, so that outputs of two tries never mix.
    old = [key for key in job.store.list(f"{folder}/") if key not in keys]
    bulk.each(job.store, job.store.delete, old)
    bulk.each(job.store, partial(_send, job.store), keys.items())


def _send(store: Any, pair: tuple[str, Path]) -> None:
    key, path = pair
    with path.open("rb") as source, store.open_write(key) as target:
        shutil.copyfileobj(source, target)
