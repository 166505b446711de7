"""The one function by which every engine runs a Task."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import IO, Any, NamedTuple

from pyveg.core import manifest, memory, registry, transfers
from pyveg.core.errors import ConfigError, LockLostError, PyvegError, SkipItem
from pyveg.core.fencing import Check, Fence, FencedStore
from pyveg.core.layout import failed_task_key, manifest_key
from pyveg.core.manifest import Manifest
from pyveg.core.module import Module, Settings, settings_of
from pyveg.core.ports import Store
from pyveg.core.secrets import redacted, redacted_in
from pyveg.core.tasks import State, Step, Task, TaskResult
from pyveg.core.texts import said
from pyveg.core.timed_stream import timed_stream
from pyveg.core.usage import Meter
from pyveg.core.values import read_json

TASK_FORMAT = 2
"""Version of the JSON that `task_file` writes. The first one, without a number, had a Step in each
Task."""
STEPS_AT_ONCE = 64
"""How many Steps a process keeps its Modules and settings for."""


class _Recorder(FencedStore):
    """A Store as a Module sees it; keeps a list of what is read and written, and counts it."""

    def __init__(self, store: Store, check: Check, meter: Meter) -> None:
        super().__init__(store, check)
        self._meter = meter
        self.inputs: dict[str, None] = {}
        self.outputs: dict[str, int] = {}

    def read(self, key: str) -> bytes:
        with self._meter.part("read"):
            data = super().read(key)
        self._meter.moved(read=len(data))
        self.inputs[key] = None
        return data

    def write(self, key: str, data: bytes) -> None:
        with self._meter.part("write"):
            super().write(key, data)
        self._meter.moved(written=len(data))
        self.outputs[key] = len(data)

    def delete(self, key: str) -> None:
        super().delete(key)
        self.outputs.pop(key, None)

    @contextmanager
    def open_read(self, key: str) -> Iterator[IO[bytes]]:
        with super().open_read(key) as stream:
            self.inputs[key] = None
            yield timed_stream(stream, self._meter)

    @contextmanager
    def open_write(self, key: str) -> Iterator[IO[bytes]]:
        with ExitStack() as stack:
            stream = stack.enter_context(super().open_write(key))
            yield timed_stream(stream, self._meter)
            with self._meter.part("write"):  # much of it goes out when it is closed
                stack.close()
        self.outputs[key] = self.size(key) or 0

    def discard_partial(self) -> None:
        raise TypeError("a Module must not clear the Store")


def run_task(task: Task, store: Store, adopted: Callable[[], int] | None = None) -> TaskResult:
    """Run one Task: read, compute, write, and then its manifest.

    Whatever goes wrong becomes a state with a reason; this is the one place that catches
    everything.

    Parameters
    ----------
    task : Task
    store : Store
        The Store of the run.
    adopted : callable, optional
        Reads anew to which attempt the Task belongs, where a later one can adopt it.

    Returns
    -------
    TaskResult
        Of a Task whose run was taken over by a later attempt: ``cancelled``. It writes nothing
        from then on.

    Examples
    --------
    >>> from pyveg.core.tasks import Step
    >>> from pyveg.core.types import Item, Scope
    >>> from pyveg.storage.memory import MemoryStore
    >>> task = Task(Step("no.such:Module", 1, Scope("files"), {}, {}), Item("a.csv"))
    >>> print(run_task(task, MemoryStore("example-task")).state)
    failed
    """
    meter = Meter()
    with meter.current(), memory.limited(task.memory_gb):
        return _measured(task, store, Fence(store, task.epoch, adopted), meter)


def _measured(task: Task, store: Store, fence: Fence, meter: Meter) -> TaskResult:
    recorder = _Recorder(store, fence.check, meter)
    notes: dict[str, Any] = {}
    try:
        end = _inherited(task, store) or _run_module(task, recorder, notes)
        result = _result(task, end, meter, notes)
        fence.check()  # once more: what follows says that the Task is done
        if moved := transfers.take():
            result = replace(result, notes={**result.notes, transfers.NOTE: moved.to_json()})
        if result.state is State.FAILED:
            _keep_failed(task, result, store)
        elif result.state is not State.BLOCKED:
            manifest.write(store, _manifest(task, result, recorder))
    except LockLostError as error:
        result = _result(task, _End(State.CANCELLED, str(error)), meter, notes)
    except Exception as error:  # noqa: BLE001 - the Store fails: a reason, not a crash
        result = _result(task, _failure(error), meter, notes)
    return result


class _End(NamedTuple):
    """How a Task ended, but for its time."""

    state: State
    reason: str = ""
    details: str = ""
    shared: bool = False


def _failure(error: Exception) -> _End:
    shared = isinstance(error, PyvegError) and error.shared
    return _End(State.FAILED, describe(memory.explained(error)), redacted(_trace()), shared)


def _trace() -> str:
    """The traceback of the error in hand, even of one whose text cannot be had."""
    try:
        return traceback.format_exc()
    except Exception:  # noqa: BLE001 - anyone's code
        return ""


def _result(task: Task, end: _End, meter: Meter, notes: Mapping[str, Any]) -> TaskResult:
    usage = meter.usage()
    kept = redacted_in(notes)
    return TaskResult(
        task.id, end.state, end.reason, usage.seconds, end.details, kept, end.shared, usage
    )


def _run_module(task: Task, store: Store, notes: dict[str, Any]) -> _End:
    try:
        cls, settings = _module_of(_StepRef(task.step))
        job = cls.job_class(task.step.scope, task.item, settings, store, task.missing, notes, cls)
        cls().run(job)
    except SkipItem as reason:
        return _End(State.SKIPPED, redacted(str(reason)))
    except Exception as error:  # noqa: BLE001 - see run_task
        if memory.is_short(error):
            notes[memory.SHORT] = True
        return _failure(error)
    return _End(State.SUCCEEDED)


class _StepRef:
    """A Step as the key of a cache: this very object, as equal ones may differ in 1 and 1.0."""

    def __init__(self, step: Step) -> None:
        self.step = step

    def __hash__(self) -> int:
        return id(self.step)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _StepRef) and self.step is other.step


@lru_cache(maxsize=STEPS_AT_ONCE)
def _module_of(ref: _StepRef) -> tuple[type[Module[Any]], Settings]:
    """Class and settings of a Step, which all its Tasks share as both are never changed."""
    cls: type[Module[Any]] = registry.load("module", ref.step.module)
    return cls, settings_of(cls, ref.step.settings)


def describe(error: BaseException) -> str:
    """An error in one line: our own as they are written, others with their kind before them."""
    if not isinstance(error, PyvegError):
        return redacted(said(error))
    text = " ".join(str(error).split())
    return text.encode("utf-8", "backslashreplace").decode()  # names of files may be any bytes


def _inherited(task: Task, store: Store) -> _End | None:
    """The state of a Task that cannot run because of one that it comes after; None if it can.

    The coordinator sees to this itself; engines that order Tasks on their own rely on it.
    """
    for task_id in task.after:
        before = manifest.read(store, task_id)
        if before is None:
            return _End(State.BLOCKED, f"{task_id} has not been done")
        if before.state is State.SKIPPED:
            return _End(State.SKIPPED, before.reason)
    return None


def _manifest(task: Task, result: TaskResult, recorder: _Recorder) -> Manifest:
    return Manifest(
        task_id=task.id,
        state=result.state,
        fingerprint=task.fingerprint,
        reason=result.reason,
        inputs=tuple(recorder.inputs),
        outputs=recorder.outputs,
        seconds=round(result.seconds, 6),
        peak_memory_mb=result.usage.peak_memory_mb if result.usage else None,
        usage=result.usage.to_json() if result.usage else {},
        notes=result.notes,
        versions=manifest.versions(),
    )


def _keep_failed(task: Task, result: TaskResult, store: Store) -> None:
    """Leave the Task where `pyveg_run_module --config_file` can run it again, and why it failed."""
    store.delete(manifest_key(task.id))  # its outputs may be of two minds now
    why = {
        "reason": result.reason,
        "seconds": result.seconds,
        "details": result.details,
        "notes": result.notes,
        "shared": result.shared,
        "usage": result.usage.to_json() if result.usage else {},
    }
    store.write(failed_task_key(task.id), task_file([task], store, result=why))


def task_file(tasks: Sequence[Task], store: Store, **more: Any) -> bytes:
    """Tasks and where their Store is, as `read_task_file` reads them.

    Each Step is written once, in a list; a Task has its number in it.
    """
    steps = {id(task.step): task.step for task in tasks}
    number = {id_: place for place, id_ in enumerate(steps)}
    document = {
        "format": TASK_FORMAT,
        "steps": [step.to_json() for step in steps.values()],
        "tasks": [task.to_json(number[id(task.step)]) for task in tasks],
        "store": store.spec(),
        **more,
    }
    return (json.dumps(document, indent=1, default=str) + "\n").encode()


def read_task_file(data: bytes) -> tuple[list[Task], Store]:
    """Read what `task_file` wrote, and open the Store.

    Raises
    ------
    ConfigError
        If another version of pyveg wrote it.
    """
    document = read_json(data)
    return tasks_in(document), registry.open_store(document["store"])


def tasks_in(document: Mapping[str, Any]) -> list[Task]:
    """The Tasks of a task file; those of one Step share it.

    Raises
    ------
    ConfigError
        If another version of pyveg wrote it.
    ValueError, TypeError, LookupError
        If it is damaged.
    """
    tasks = document["tasks"]
    if document.get("format") != TASK_FORMAT:
        raise ConfigError(
            "this task file was written by another version of pyveg", "run it with that version"
        )
    try:
        steps = [Step.from_json(step) for step in document["steps"]]
        return [Task.from_json(task, steps) for task in tasks]
    except (AttributeError, ConfigError) as error:
        raise ValueError(f"it is damaged: {error}") from error
