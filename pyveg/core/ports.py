"""What the engine asks of the outside: Stores, Runners and Inputs, as Protocols.

Adapters live in `pyveg.storage`, `pyveg.runners` and `pyveg.sources`, or in other people's
packages, and are found by name (`pyveg.core.registry`). Each port has one suite of contract checks
in `pyveg.testing`, which every adapter passes. The port of imagery is `pyveg.earth.source`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from pyveg.core.types import Item

if TYPE_CHECKING:
    from pyveg.core.events import EngineStatus
    from pyveg.core.tasks import Task, TaskResult


@runtime_checkable
class Store(Protocol):
    """Keys to bytes. A key is a relative path with "/" between its parts.

    A write appears whole or not at all, also when the process is killed in the middle of it.
    A Store can be used by many threads at once.
    """

    @property
    def shared(self) -> bool:
        """Whether other processes of this machine reach the same bytes."""
        ...

    @property
    def transfers(self) -> int:
        """How many keys are best read or written at once; 1 where each costs no waiting."""
        ...

    @property
    def url(self) -> str:
        """Where it is, as people write it; holds no secret."""
        ...

    def spec(self) -> dict[str, Any]:
        """What `registry.open_store` needs to open it again elsewhere; plain data, no secret."""
        ...

    def read(self, key: str) -> bytes:
        """Bytes of a key; `KeyMissingError` where there is none."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """Store bytes under a key, replacing what was there."""
        ...

    def size(self, key: str) -> int | None:
        """Length in bytes, or None where nothing is stored."""
        ...

    def delete(self, key: str) -> None:
        """Remove a key; nothing happens where there is none."""
        ...

    def list(self, prefix: str = "") -> Iterator[str]:
        """All keys that begin with `prefix`, sorted."""
        ...

    def open_read(self, key: str) -> AbstractContextManager[IO[bytes]]:
        """Stream a large value; `KeyMissingError` where there is none."""
        ...

    def open_write(self, key: str) -> AbstractContextManager[IO[bytes]]:
        """Stream a large value in; it appears when the context ends without an error."""
        ...

    def lock(self, key: str) -> AbstractContextManager[None]:
        """Hold the only lock of that name; `RunLockedError` where another process has it.

        The lock of a process that was killed frees itself, at once or when its lease has run out.
        """
        ...

    def discard_partial(self) -> None:
        """Remove what interrupted writes left behind. Call it only under the lock of a run."""
        ...


class Inputs(Protocol):
    """Files from outside, each an Item. Made from patterns; looks at nothing before it must.

    The details of an Item are ``input`` (a path or URL), ``size`` (bytes, or None where that is
    not known) and ``version``, which changes when the file does; they are all that it takes to
    open it again elsewhere.
    """

    def __init__(self, patterns: Sequence[str]) -> None: ...

    def settled(self) -> tuple[str, ...]:
        """The patterns as they hold in any working directory."""
        ...

    def items(self) -> Sequence[Item]:
        """One for each file, those that are named and not there included.

        `ConfigError` where nothing is there.
        """
        ...

    def path(self, item: Item) -> Path | None:
        """Where a file is on this machine, or None where it is elsewhere.

        `DataError` for one that is not there or has changed since it was listed.
        """
        ...

    def open(self, item: Item) -> AbstractContextManager[IO[bytes]]:
        """Stream a file; `DataError` as above, `StoreError` where its service gives none."""
        ...


@dataclass(frozen=True)
class RunnerSettings:
    """What every engine is told."""

    n_workers: int
    """How many Tasks may run at once."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What only some engines know."""


class Listener(Protocol):
    """Who an engine talks to. Any thread may call it, at any time."""

    def started(self, task_id: str) -> None:
        """A Task has begun; for engines that know."""
        ...

    def report(self, result: TaskResult) -> None:
        """A Task has ended: once for each that was submitted and not cancelled before it began."""
        ...

    def tell(self, status: EngineStatus) -> None:
        """How the engine is: nodes that come up, requests that are refused."""
        ...


class Runner(Protocol):
    """An engine that runs Tasks by `pyveg.core.execute.run_task`.

    The coordinator calls it from one thread. An engine keeps a Task's states apart from its own
    troubles: a worker that dies fails the Task that it was busy with, or repeats it, and never the
    run.
    """

    resolves_dependencies: ClassVar[bool]
    """True: takes Tasks together with those of their Sequence that come after them, and orders
    them itself."""
    needs_shared_store: ClassVar[bool]
    """True: Tasks run in other processes, which must reach the Store."""
    enforces_timeout: ClassVar[bool]
    """True: ends a Task at its time limit; a config with limits is refused otherwise."""

    def __init__(self, settings: RunnerSettings) -> None: ...

    def start(self, store: Store, listener: Listener) -> None:
        """Get ready; return at once. `EngineError` where its service refuses to be used at all."""
        ...

    def submit(self, tasks: Sequence[Task]) -> None:
        """Take Tasks, in bulk; return without waiting for them."""
        ...

    def cancel(self) -> None:
        """Give up what has not begun and stop what runs, as soon as the engine can."""
        ...

    def detach(self) -> None:
        """Let go of what goes on without this process; the same as `cancel` where nothing does."""
        ...

    def close(self) -> None:
        """Free everything. No report comes after it."""
        ...
