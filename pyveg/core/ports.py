"""What the engine asks of the outside: Stores, Runners and Inputs, as Protocols.

Adapters live in `pyveg.storage`, `pyveg.runners` and `pyveg.sources`, or in other people's
packages, and are found by name (`pyveg.core.registry`). Each port has one suite of contract checks
in `pyveg.testing`, which every adapter passes. The port of imagery is `pyveg.earth.source`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from pyveg.core.nodes import Capacity, NodeUse
from pyveg.core.types import Item

if TYPE_CHECKING:
    from pyveg.core.events import EngineStatus
    from pyveg.core.tasks import Step, Task, TaskGraph, TaskResult


Rights = Literal["all", "read", "add", "none"]
"""What a grant lets its holder do: everything that a run does, read, add new values, or nothing
beyond what its holder may do anyway."""


@dataclass(frozen=True)
class Grant:
    """What must travel to another process so that it can open a Store there.

    Examples
    --------
    >>> Grant({"KEY": "secret"})  # shows none of it
    Grant(expires=None)
    """

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Environment variables for that process; secrets among them. They go from process to process,
    never to a file or a command line."""
    address: str = field(default="", repr=False)
    """Where any machine finds the Store by plain HTTP, with the right in it, so a secret; empty
    where there is no such address."""
    expires: datetime | None = None
    """When it ends, aware; None where it does not."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock, or died while it did.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> print(Holder("node-1", 42, datetime(2026, 1, 1, tzinfo=UTC), epoch=2, alive=True))
    process 42 on host node-1
    """

    host: str
    pid: int
    since: datetime
    """When it took the lock, aware."""
    epoch: int
    """How often the lock has been taken, this time included."""
    alive: bool | None
    """None where that cannot be seen from here."""
    seen: datetime | None = None
    """Its last sign of life, aware; None where it leaves none."""

    def __str__(self) -> str:
        return f"process {self.pid} on host {self.host}"


EPOCH_TRUSTED = 1.0
"""How long a Task may believe what it last read of a lock's epoch, seconds. Who takes a lock over
waits for twice that before it does anything."""


class Lock(Protocol):
    """The right to write to a run, while it is held.

    Examples
    --------
    >>> from pyveg.storage.memory import MemoryStore
    >>> with MemoryStore("example-lock").lock("run") as lock:
    ...     lock.check()  # raises where another process has taken over
    ...     lock.epoch
    1
    """

    @property
    def epoch(self) -> int:
        """How often it has been taken, this time included; a later holder has a larger one."""
        ...

    @property
    def overdue(self) -> float:
        """Seconds by which its renewal is late, as the Store does not answer; else 0."""
        ...

    def check(self) -> None:
        """Return at once where it is held for sure.

        Raises
        ------
        LockLostError
            If somebody else took over, or may have. It is never held again.
        StoreGoneError
            If the Store is gone, or lets this process in no more.
        """
        ...

    def on_lost(self, tell: Callable[[Exception], None]) -> None:
        """Have a function called, once and from any thread, as soon as `check` would raise."""
        ...


@runtime_checkable
class Store(Protocol):
    """Keys to bytes. A key is a relative path with "/" between its parts.

    A write appears whole or not at all, also when the process is killed in the middle of it.
    A Store can be used by many threads at once.

    Examples
    --------
    >>> from pyveg.storage.memory import MemoryStore
    >>> store = MemoryStore("example-store")
    >>> store.write("a/b.txt", b"three")
    >>> store.size("a/b.txt"), list(store.list("a/"))
    (5, ['a/b.txt'])
    >>> isinstance(store, Store)
    True
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
        """Store bytes under a key, replacing what was there.

        Parameters
        ----------
        key : str
            A relative path with "/" between its parts.
        data : bytes
        """
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

    @property
    def address(self) -> str:
        """Where any machine finds it by plain HTTP, without a right; empty where none does."""
        ...

    def grant(self, rights: Rights = "all", life: timedelta | None = None) -> Grant:
        """What another process needs to open it; may ask a service.

        Parameters
        ----------
        rights : {"all", "read", "add", "none"}
        life : timedelta, optional
            How long the grant lasts, where such end; else what the Store's own settings say.

        Returns
        -------
        Grant
        """
        ...

    def lock(self, key: str) -> AbstractContextManager[Lock]:
        """Hold the only lock of that name; `RunLockedError` where another process has it.

        The lock of a process that was killed frees itself, at once or when its lease has run out.
        A lease that ran out and went to somebody else is lost for good: `Lock.check` raises from
        then on, and so does the end of the context.
        """
        ...

    def holder(self, key: str) -> Holder | None:
        """Who holds the lock of that name; None where nobody does. It does not touch the lock.

        One that was killed is told of, as not alive, until the lock is taken again.
        """
        ...

    def epoch(self, key: str) -> int:
        """How often the lock of that name has been taken; 0 for never. One cheap read."""
        ...

    def discard_partial(self) -> None:
        """Remove what interrupted writes left behind. Call it only under the lock of a run."""
        ...


class Inputs(Protocol):
    """Files from outside, each an Item. Made from patterns; looks at nothing before it must.

    The details of an Item are ``input`` (a path or URL), ``size`` (bytes, or None where that is
    not known) and ``version``, which changes when the file does; they are all that it takes to
    open it again elsewhere.

    Examples
    --------
    >>> from pyveg.sources.files import FileInputs
    >>> inputs = FileInputs(["setup.*"])  # nothing is looked at yet
    >>> inputs.settled()[0].endswith("setup.*")
    True
    """

    def __init__(self, patterns: Sequence[str], private_hosts: Sequence[str] | None = None) -> None:
        """Look at nothing yet.

        Parameters
        ----------
        patterns : sequence of str
        private_hosts : sequence of str, optional
            Hosts in private networks that addresses may lead to, and no others. Where it is left
            out addresses are the user's own, and may lead anywhere.
        """

    def settled(self) -> tuple[str, ...]:
        """The patterns as they hold in any working directory."""
        ...

    def items(self) -> Sequence[Item]:
        """One for each file, those that are named and not there included.

        `ConfigError` where nothing is there.
        """
        ...

    def each(self) -> Iterator[Item]:
        """The same one by one, for more files than one wants to hold."""
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
class Work:
    """What an engine is to do in one run.

    Examples
    --------
    >>> from pyveg.core.tasks import TaskGraph
    >>> from pyveg.storage.memory import MemoryStore
    >>> Work(TaskGraph([]), frozenset({"local"}), MemoryStore("example-work"), n_workers=2).steps
    []
    """

    graph: TaskGraph
    """All Tasks of the run."""
    run_modes: frozenset[str]
    """Those of its Tasks are for this engine whose Step has one of these."""
    store: Store
    """The Store of the run; while the run is being checked, one of a made-up name to which
    nothing is written."""
    n_workers: int
    """How many Tasks may run at once."""

    @property
    def steps(self) -> list[Step]:
        """The Steps that are for this engine."""
        return [step for step in self.graph.steps if step.run_mode in self.run_modes]


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """The settings of an engine that has none.

    Examples
    --------
    An engine with one setting:

    >>> from pyveg.core.params import setting
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Queue(EngineSettings):
    ...     queue: str = setting("short", doc="the queue that Tasks wait in")
    >>> Queue().queue
    'short'
    """


@dataclass(frozen=True)
class NodeSeen:
    """A machine of an engine, as it is at this moment."""

    id: str
    state: str
    """In the service's own word, such as ``idle``."""
    since: datetime | None = None
    """When it came to that state, aware."""
    reason: str = ""
    """Why it cannot work; empty where it can or is coming up."""


@dataclass(frozen=True)
class WorkSeen:
    """What a node does for the run at this moment."""

    task_ids: tuple[str, ...]
    """Its Tasks, done one after the other."""
    node: str
    since: datetime | None = None
    """When it began, aware."""


class EngineView(Protocol):
    """An engine that works elsewhere, as any process sees it while a run lasts.

    Examples
    --------
    One that sees a machine:

    >>> class View(EngineView):
    ...     def nodes(self):
    ...         return [NodeSeen("node-1", "idle")]
    >>> View().nodes()[0].state
    'idle'
    """

    def nodes(self) -> Sequence[NodeSeen]:
        """The machines that work for the run."""
        ...

    def running(self) -> Sequence[WorkSeen]:
        """What they do."""
        ...

    def log(self, task_id: str) -> str:
        """The end of what a Task that runs has said; empty where it does not run."""
        ...

    def node_log(self, node: str) -> str:
        """The end of what a node has said that is setting itself up; empty where none is known."""
        ...


class Listener(Protocol):
    """Who an engine talks to. Any thread may call it, at any time.

    Examples
    --------
    >>> class Printing(Listener):
    ...     def report(self, result):
    ...         print(result.task_id, result.state)
    >>> from pyveg.core.tasks import State, TaskResult
    >>> Printing().report(TaskResult("a/B/c", State.SUCCEEDED))
    a/B/c succeeded
    """

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
    run. Subclasses say what they are by class attributes.

    Examples
    --------
    An engine that does each Task at once:

    >>> from pyveg.core.execute import run_task
    >>> class AtOnce(Runner):
    ...     def __init__(self, settings, work):
    ...         self.work = work
    ...
    ...     def start(self, store, listener):
    ...         self.store, self.listener = store, listener
    ...
    ...     def submit(self, tasks):
    ...         for task in tasks:
    ...             self.listener.report(run_task(task, self.store))
    >>> AtOnce.needs_shared_store
    False
    """

    Settings: ClassVar[type[Any]] = EngineSettings
    """Frozen dataclass of its settings, declared with `pyveg.core.params.setting`; in a config
    they are given as ``engines = {"<name of the engine>": {...}}``."""
    old_names: ClassVar[Mapping[str, str]] = {}
    """Names at the top of older configs -> the setting that each is now."""
    resolves_dependencies: ClassVar[bool] = False
    """True: takes Tasks together with those of their Sequence that come after them, and orders
    them itself."""
    needs_shared_store: ClassVar[bool] = False
    """True: Tasks run in other processes, which must reach the Store."""
    enforces_timeout: ClassVar[bool] = False
    """True: ends a Task at its time limit; a config with limits is refused otherwise."""
    elsewhere: ClassVar[bool] = False
    """True: Tasks may run on other machines, which reach the Store and not the files of this
    one."""
    location_type: ClassVar[str] = "local"
    """The ``output_location_type`` that goes with it, where nobody says another."""

    @classmethod
    def check(cls, settings: Any, work: Work) -> Sequence[str]:
        """Refuse what cannot work, before anything is started or written.

        Parameters
        ----------
        settings : EngineSettings
            Of the class `Settings`.
        work : Work
            What it is to do.

        Returns
        -------
        sequence of str
            What the user should know.

        Raises
        ------
        ConfigError
        """
        del settings, work
        return ()

    @classmethod
    def capacity(cls, settings: Any, work: Work) -> Capacity:
        """How much it will do at once, and on which nodes; asks nobody.

        Parameters
        ----------
        settings
            Its settings.
        work : Work

        Returns
        -------
        Capacity
        """
        del settings
        return Capacity(work.n_workers)

    @classmethod
    def answer(cls) -> str:
        """What its service says when it is asked how it is, for `pyveg_doctor`.

        Returns
        -------
        str
            One line, without a secret; empty where there is no service, or none is named.

        Raises
        ------
        PyvegError
            If it does not answer; with what to do.
        """
        return ""

    @classmethod
    def look(cls, settings: Any, store: Store) -> EngineView | None:
        """How it works for the run in a Store, asked of its service by any process.

        Parameters
        ----------
        settings : EngineSettings
            Of the class `Settings`.
        store : Store
            The Store of the run.

        Returns
        -------
        EngineView or None
            None where nobody but the process of the run can see that.

        Raises
        ------
        EngineError
            If the service does not answer or lets nobody in.
        """
        del settings, store
        return None

    def __init__(self, settings: Any, work: Work) -> None: ...

    def lane(self, step: Step) -> tuple[str, ...]:
        """What Tasks have in common that may wait for one another inside the engine.

        Of use where it `resolves_dependencies`; their Sequence is the same in any case.
        """
        return (step.scope.sequence,)

    def start(self, store: Store, listener: Listener) -> None:
        """Get ready; return at once.

        Parameters
        ----------
        store : Store
            The Store of the run.
        listener : Listener
            Is told how each Task ends.

        Raises
        ------
        EngineError
            If its service refuses to be used at all.
        """
        ...

    def submit(self, tasks: Sequence[Task]) -> None:
        """Take Tasks, in bulk; return without waiting for them."""
        ...

    def withdraw(self, task_ids: Collection[str]) -> None:
        """Take back Tasks that have not begun, as far as the engine can; nobody waits for them."""
        del task_ids

    def cancel(self) -> None:
        """Give up what has not begun and stop what runs, as soon as the engine can."""
        ...

    def detach(self) -> None:
        """Let go of what goes on without this process; the same as `cancel` where nothing does."""
        self.cancel()

    def close(self) -> None:
        """Free everything. No report comes after it."""
        ...

    def nodes_used(self) -> Sequence[NodeUse] | None:
        """How long nodes have stood for the run until now; asked from any thread, also afterwards.

        None where it uses no machine but this one, or cannot tell.
        """
        return None
