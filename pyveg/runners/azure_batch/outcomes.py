"""How Tasks ended that a node has done: read from the Store, where they left their proof."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pyveg.core import manifest
from pyveg.core.errors import KeyMissingError
from pyveg.core.layout import LOCK, failed_task_key
from pyveg.core.manifest import Manifest
from pyveg.core.memory import SHORT
from pyveg.core.ports import Store
from pyveg.core.report import DOUBTS
from pyveg.core.tasks import State, Task, TaskResult
from pyveg.core.usage import Usage
from pyveg.core.values import read_json
from pyveg.runners.azure_batch import advice
from pyveg.runners.azure_batch.bundles import Bundle
from pyveg.runners.azure_batch.models import EXIT_TASK_FAILED
from pyveg.runners.azure_batch.service import Change

_LAST_LINES = 3
_KILLED = (-9, 137)
"""Exit codes of what the system has killed, often for want of memory."""


def results(store: Store, bundle: Bundle, change: Change, log: str) -> Iterator[TaskResult]:
    """The result of each Task of a task of the service that has ended.

    Parameters
    ----------
    store : Store
        Where manifests are.
    bundle : Bundle
    change : Change
        How the service saw it end.
    log : str
        The end of its stderr; needed only where its process died.
    """
    found = [_on_node(_result(store, bundle, task, change, log), change) for task in bundle.tasks]
    if found:
        found[0] = _with_start(found[0], change, again=bundle.tasks[0].more_memory)
        found[-1] = _with_end(found[-1], change)
    yield from found


def _on_node(result: TaskResult, change: Change) -> TaskResult:
    """With the node, which the service knows."""
    if result.usage is None or not change.node:
        return result
    return replace(result, usage=replace(result.usage, node=change.node))


def _with_start(result: TaskResult, change: Change, *, again: bool) -> TaskResult:
    """With the tries of the command, and the time in which it began, as its first Task.

    Clocks of nodes and of the service are taken to agree, as Azure sets both.
    """
    usage = result.usage
    if usage is None or change.began is None:
        return result
    usage = replace(usage, tries=change.tries + again)
    began = change.began.timestamp()
    more = usage.began - began
    if more > 0:  # else it was done in an earlier try of the command
        usage = replace(_longer(usage, more), began=round(began, 6))
    return replace(result, seconds=usage.seconds, usage=usage)


def _with_end(result: TaskResult, change: Change) -> TaskResult:
    """With the time in which the command ended, as its last Task."""
    usage = result.usage
    if usage is None or change.began is None or change.ended is None:
        return result
    more = change.ended.timestamp() - usage.began - usage.seconds
    in_this_try = usage.began >= round(change.began.timestamp(), 6)
    if not in_this_try or more <= 0:
        return result
    usage = _longer(usage, more)
    return replace(result, seconds=usage.seconds, usage=usage)


def _longer(usage: Usage, seconds: float) -> Usage:
    """With time that Python took to begin or end."""
    return replace(
        usage,
        seconds=round(usage.seconds + seconds, 6),
        start_seconds=round(usage.start_seconds + seconds, 6),
    )


def undone(store: Store, bundle: Bundle, change: Change) -> list[Task]:
    """Tasks that a node gave up because it did not see in time that they were adopted."""
    if not bundle.adopted or change.exit_code != EXIT_TASK_FAILED:
        return []
    return [task for task in bundle.tasks if not (_done(store, task) or _failed(store, task))]


def process_died(change: Change) -> bool:
    """Whether the command ended without being able to say how its Tasks ended."""
    return not change.succeeded and change.exit_code not in (0, EXIT_TASK_FAILED)


def _result(store: Store, bundle: Bundle, task: Task, change: Change, log: str) -> TaskResult:
    died = process_died(change)
    done = _done(store, task)
    # Of a Task that is to be done again, a manifest may be from the time before.
    if done and not (died and task.step.replace):
        usage = Usage.from_json(done.usage)
        notes = _notes(done)
        return TaskResult(task.id, done.state, done.reason, done.seconds, notes=notes, usage=usage)
    if not died:
        failed = _failed(store, task)
        if failed is not None:
            return failed
        if store.epoch(LOCK) > task.epoch > 0:
            return TaskResult(task.id, State.CANCELLED, "another process has taken over the run")
    notes = {SHORT: True} if change.exit_code in _KILLED else {}
    return TaskResult(task.id, State.FAILED, _why(bundle, change, log), details=log, notes=notes)


def _notes(done: Manifest) -> Mapping[str, Any]:
    """Notes of a Task that is done; that a node had other packages is a doubt about its numbers.

    Nodes get the versions that are here, and others where these cannot be had for their Python, or
    where Tasks run in a container that was made elsewhere.
    """
    others = manifest.other_versions(done) if done.state is State.SUCCEEDED else []
    return {**done.notes, DOUBTS: [*done.notes.get(DOUBTS, ()), *others]} if others else done.notes


def _done(store: Store, task: Task) -> Manifest | None:
    done = manifest.read(store, task.id)
    return done if done is not None and done.fingerprint == task.fingerprint else None


def _failed(store: Store, task: Task) -> TaskResult | None:
    """What a Task that failed in this attempt has left behind."""
    try:
        document = read_json(store.read(failed_task_key(task.id)))
        if document["tasks"][0].get("epoch", 0) != task.epoch:
            return None
        result = document["result"]
        return TaskResult(
            task.id,
            State.FAILED,
            result["reason"],
            result["seconds"],
            result["details"],
            result.get("notes", {}),
            result.get("shared", False),
            Usage.from_json(result.get("usage")),
        )
    except (KeyMissingError, ValueError, LookupError, TypeError):
        return None


def _why(bundle: Bundle, change: Change, log: str) -> str:
    """Why a process ended that has left no word."""
    code = str(change.failure.code) if change.failure is not None else ""
    if code == "TaskEnded" and bundle.minutes is not None:
        limit = timedelta(minutes=bundle.minutes)
        return f'took longer than its time limit of {limit}; raise "timeout" if it may'
    if change.succeeded:
        return "its command ended well but left no manifest; is the container the right one?"
    why = f"its process on the node died: {advice.of_failure(change.failure, change.exit_code)}"
    said = " | ".join(log.splitlines()[-_LAST_LINES:])
    return f"{why}; it said: {said}" if said else why
