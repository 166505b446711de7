"""Everything that a run holds of one Task: what was told of it, its logs, why it failed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyveg.core import bulk
from pyveg.core.errors import ConfigError, KeyMissingError, RunError
from pyveg.core.execute import tasks_in
from pyveg.core.layout import TASK_FILES, TASK_LOGS, failed_task_key, manifest_key
from pyveg.core.records import Kind
from pyveg.core.values import read_json
from pyveg.runs.run import Run
from pyveg.runs.telling import Told

_LOG_NAMES = ("stderr.txt", "stdout.txt")
_AT_ONCE = 64


@dataclass(frozen=True)
class TaskView:
    """What a run holds of one Task."""

    task_id: str
    told: tuple[Told, ...]
    """Events of it, of all attempts."""
    done: bool
    """Whether it has a manifest: it need not be done again."""
    failed_key: str
    """Where its description is kept, to be run again by hand; empty where it has not failed."""
    logs: tuple[str, ...]
    """Keys of what its program, or the machine that did it, has said."""

    @property
    def state(self) -> str:
        """How it ended the last time; ``"running"`` while it has only begun."""
        for one in reversed(self.told):
            if one.record.kind is Kind.ENDED:
                return one.record.state
            return "running"
        return "done before" if self.done else "waiting"

    def to_json(self) -> dict[str, Any]:
        """Plain data; its names are those of ``pyveg_logs --task ID --json``."""
        return {
            "task": self.task_id,
            "state": self.state,
            "done": self.done,
            "events": [one.to_json() for one in self.told],
            "failed_file": self.failed_key,
            "logs": list(self.logs),
        }


def look_at_task(run: Run, task_id: str) -> TaskView:
    """Gather what a run holds of a Task.

    Parameters
    ----------
    run : Run
    task_id : str
        ``<sequence>/<module>/<item>``, as logs and tables have it.

    Raises
    ------
    RunError
        If nothing in the run knows of such a Task.
    """
    told = tuple(one for one in run.events() if one.record.task and one.record.task == task_id)
    done = _is_there(run, manifest_key(task_id))
    failed = failed_task_key(task_id)
    view = TaskView(
        task_id,
        told,
        done,
        failed if _is_there(run, failed) else "",
        (*_program_logs(run, task_id), *_machine_logs(run, task_id)),
    )
    if not (view.told or view.done or view.failed_key or view.logs) and not _may_be(run, task_id):
        raise RunError(
            f"{run.url} knows no task {task_id}",
            "give it as the log has it: <sequence>/<module>/<item>",
        )
    return view


def _is_there(run: Run, key: str) -> bool:
    return run.store.size(key) is not None


def _may_be(run: Run, task_id: str) -> bool:
    """Whether the run has such a Module; which Items it has is not known without planning."""
    return any(task_id.startswith(f"{label}/") for label in _labels(run))


def _labels(run: Run) -> Iterator[str]:
    for step in run.steps:
        name = step.module.rpartition(":")[2]
        yield f"{step.scope.sequence.replace('/', '-')}/{name}"


def _program_logs(run: Run, task_id: str) -> list[str]:
    """What a program of a user has said in it."""
    sequence, _, rest = task_id.partition("/")
    item = rest.partition("/")[2]
    roots = [
        step.scope.root for step in run.steps if step.scope.sequence.replace("/", "-") == sequence
    ]
    keys = [f"{root}/{item}/{name}" for root in dict.fromkeys(roots) for name in _LOG_NAMES]
    return [key for key in keys if item and _is_there(run, key)]


def _machine_logs(run: Run, task_id: str) -> list[str]:
    """What the machine has said that did it, which may have done others too."""
    module = task_id.split("/")[1] if "/" in task_id else ""
    names = [
        key
        for key in run.store.list(f"{TASK_FILES}/")
        if key.rpartition("/")[2].startswith(f"{module}-")
    ]
    logs: list[str] = []
    for begin in range(0, len(names), _AT_ONCE):
        part = names[begin : begin + _AT_ONCE]
        for key, holds in zip(
            part, bulk.each(run.store, lambda key: _holds(run, key, task_id), part), strict=True
        ):
            if holds:
                folder = f"{TASK_LOGS}/{key.removeprefix(f'{TASK_FILES}/').removesuffix('.json')}/"
                logs += run.store.list(folder)
    return logs


def _holds(run: Run, key: str, task_id: str) -> bool:
    try:
        return any(task.id == task_id for task in tasks_in(read_json(run.store.read(key))))
    except (KeyMissingError, ConfigError, ValueError, KeyError, TypeError):
        return False
