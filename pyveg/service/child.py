"""The process of one job: it plans and does the run that its order names, or finishes it.

``python -m pyveg.service.child FOLDER``

It takes a lock first, so that a job never has two processes, whoever starts them.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pyveg.core.errors import LockLostError, PyvegError
from pyveg.core.report import EXIT_INTERRUPTED, EXIT_WRONG
from pyveg.core.secrets import redacted
from pyveg.core.texts import said
from pyveg.service import notes
from pyveg.service.notes import ChildNote, Outcome

if TYPE_CHECKING:
    from pyveg.core.pipeline import Pipeline
    from pyveg.core.report import RunReport
    from pyveg.jobs.run import PreparedRun
    from pyveg.service.config import ServiceConfig

_LEASE_SECONDS = 180.0
"""Longer than a lease among objects lasts whose holder was killed."""
_LOCKED_AGAIN = 2.0
BUSY = 75
"""Exit code where another process does the job already."""


def main(folder: Path) -> int:
    """Do the job of a folder; gives the exit code."""
    if not _is_alone(folder):
        return BUSY
    notes.write(folder, notes.CHILD, ChildNote.of(os.getpid()))
    (folder / notes.OUTCOME).unlink(missing_ok=True)  # that of an earlier process
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.excepthook = _print_redacted
    threading.excepthook = _print_redacted_of_thread
    begin = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC: process {os.getpid()} begins"
    print(begin, flush=True)  # noqa: T201 - it goes to the log of the job
    outcome = _outcome(folder)
    notes.write(folder, notes.OUTCOME, outcome)
    print(f"{outcome.end}: {outcome.message}", flush=True)  # noqa: T201
    return outcome.exit_code


def _outcome(folder: Path) -> Outcome:
    try:
        return _done(folder)
    except KeyboardInterrupt:
        return Outcome("interrupted", "interrupted", EXIT_INTERRUPTED)
    except LockLostError as error:
        return Outcome("busy", str(error), BUSY)
    except PyvegError as error:
        return Outcome("refused", str(error), EXIT_WRONG)
    except Exception as error:  # noqa: BLE001 - the last place; its words are what the caller sees
        text = redacted("".join(traceback.format_exception(error)))
        print(text, file=sys.stderr, flush=True)  # noqa: T201
        return Outcome("error", redacted(said(error)), EXIT_WRONG)


def _done(folder: Path) -> Outcome:
    from pyveg.azure_config import use_file
    from pyveg.core import params
    from pyveg.service.config import ServiceConfig

    order = json.loads((folder / notes.ORDER).read_text(encoding="utf-8"))
    config = params.build(ServiceConfig, order["config"], "service_config.py")
    use_file(config.azure_config)
    prepared = _prepared(folder, order, config)
    if order.get("stop"):  # what a dead process has left elsewhere is ended by a start that stops
        prepared.ask_to_stop("cancel", "the job was dismissed")
    report = _started(prepared)
    why = f"there is no analysis: {report.analysis_failed}" if report.analysis_failed else ""
    return Outcome("interrupted" if report.interrupted else "ended", why, report.exit_code)


def _started(prepared: PreparedRun) -> RunReport:
    """Carry it out, as soon as the lock of a process that died has run out."""
    from pyveg.core.errors import RunLockedError
    from pyveg.jobs.run import start

    end = time.monotonic() + _LEASE_SECONDS
    while True:
        try:
            return start(prepared)
        except LockLostError:
            raise
        except RunLockedError:
            if prepared.resumed is None or time.monotonic() > end:
                raise
            time.sleep(_LOCKED_AGAIN)


def _prepared(folder: Path, order: dict[str, Any], config: ServiceConfig) -> PreparedRun:
    from pyveg.core.errors import RunError
    from pyveg.core.pipeline import Pipeline
    from pyveg.jobs.run import prepare
    from pyveg.service.telling import run_at

    kept = folder / notes.PIPELINE
    begun = run_at(order["url"])
    if begun is not None and kept.exists():
        # Its own words of before, so that nothing has to be trusted that lies with the results.
        if not begun.can_be_finished:
            raise RunError("the run was begun by another version of pyveg", "submit the job again")
        pipeline = Pipeline.from_json(json.loads(kept.read_text(encoding="utf-8")))
        return prepare(pipeline, from_cache=order["url"])
    if begun is not None:
        return prepare(from_cache=order["url"])  # its record is signed by this user, or refused
    pipeline = _pipeline(folder, order, config)
    prepared = prepare(pipeline, at=order["url"])
    notes.write(folder, notes.PIPELINE, prepared.pipeline.to_json())
    return prepared


def _pipeline(folder: Path, order: dict[str, Any], config: ServiceConfig) -> Pipeline:
    """The job by its process and inputs, with what the operator says of all jobs."""
    from pyveg.core.engines import joined
    from pyveg.jobs.resolve import resolve
    from pyveg.service.processes import Processes

    process = Processes(config).get(order["process"])
    special = config.of(process.id)
    settings = process.settings(process.checked(order["inputs"]), folder)
    settings["output_location"] = order["url"]
    for name in ("runner", "n_workers"):
        chosen = getattr(special, name) or getattr(config, name)
        if chosen is not None:
            settings[name] = chosen
    engines = joined(joined(settings.get("engines") or {}, config.engines), special.engines)
    if engines:
        settings["engines"] = engines
    return resolve(settings, config_filename=process.filename)


def _is_alone(folder: Path) -> bool:
    """Whether this process has the job for itself; the lock goes with it, however it ends.

    It is of the kind that belongs to one process: what this one starts does not keep it.
    """
    global _lock  # noqa: PLW0603 - open as long as the process lives
    _lock = (folder / notes.LOCK).open("a")
    try:
        fcntl.lockf(_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


_lock: Any = None


def _print_redacted(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    text = "".join(traceback.format_exception(kind, error, trace))
    print(redacted(text), file=sys.stderr, flush=True)  # noqa: T201


def _print_redacted_of_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None:
        _print_redacted(told.exc_type, told.exc_value, told.exc_traceback)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
