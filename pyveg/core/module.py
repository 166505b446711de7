"""What a Module is: one step with typed settings.

A Module reads keys from the Store, calls a kernel and writes keys. Everything it needs comes with
the `Job`; it knows no Store, Source or Runner by name. Write one by subclassing `Module`, and make
it known by an entry point in the group ``pyveg.modules`` or as ``"package.module:Class"``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NoReturn, TypeVar

from pyveg.core import params
from pyveg.core.errors import SkipItem
from pyveg.core.params import setting
from pyveg.core.types import Item, Scope

if TYPE_CHECKING:
    from pyveg.core.ports import Store

Role = Literal["start", "process", "combine"]
"""Whether a Module makes its own Items, takes those of a Module before it, or gathers Sequences."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings that every Module has.

    Examples
    --------
    A Module with one setting more:

    >>> @dataclass(frozen=True, kw_only=True)
    ... class Threshold(Settings):
    ...     threshold: float = setting(0.5, doc="share above which it counts", low=0, high=1)
    >>> Threshold().threshold, Threshold().run_mode
    (0.5, 'local')
    """

    run_mode: str = setting(
        "local", doc='where its Tasks run: "local", or the name of an engine', results=False
    )
    replace_existing_files: bool = setting(
        False, doc="do again what has been done already", results=False
    )
    dates_to_process: tuple[str, ...] = setting(
        (), doc="only these dates; all where empty", results=False
    )
    n_batch_tasks: int = setting(
        -1,
        doc="how many tasks of the batch service its dates are dealt to; -1: one per date",
        low=-1,
        results=False,
    )
    timeout: float | None = setting(
        None, doc="wall-clock limit of one Task, minutes", low=0.001, high=5_256_000, results=False
    )

    resources: dict[str, float] = setting(
        {},
        doc="what one Task needs: memory_gb, cpus, gpu, retry_memory_gb; docs/resources.md",
        results=False,
    )


S = TypeVar("S", bound=Settings)

RETIRED = {
    "num_files_per_point": "outputs are checked one by one, not counted",
    "output_location_subdirs": "names inside a run are fixed",
    "input_location_subdirs": "names inside a run are fixed",
}
"""Settings of the older pyveg that mean nothing any more, and why."""

MOVED = {
    "input_location": 'use a collection with "source": "folder" and "path": the folder',
    "input_location_type": 'use a collection with "source": "folder" and "path": the folder',
    "output_location": "set output_location at the top of the config",
    "output_location_type": "set output_location_type at the top of the config",
}
"""Settings of the older pyveg whose work is done by something else now, and by what."""


@dataclass(frozen=True)
class SequencePlan:
    """A Sequence as the combiners behind it see it.

    Examples
    --------
    >>> plan = SequencePlan(Scope("Sentinel2"), (Item("2016-01-16"),), {"2016-01-16": ("a/B/c",)})
    >>> [item.name for item in plan.items]
    ['2016-01-16']
    """

    scope: Scope
    items: tuple[Item, ...]
    task_ids: Mapping[str, tuple[str, ...]]
    """Name of an Item -> ids of its Tasks, in the order of the Modules."""
    modules: tuple[str, ...] = ()
    """Names of its Modules in the registry, in order."""
    settings: tuple[Settings, ...] = ()
    """Of each of them."""


@dataclass(frozen=True)
class Planning:
    """What a Module may look at when it says its Items.

    Examples
    --------
    >>> Planning(Scope("Sentinel2"), before=(Item("2016-01-16"),)).before[0].name
    '2016-01-16'
    """

    scope: Scope
    before: tuple[Item, ...] = ()
    """Items of the Module that it takes its input from."""
    upstream: tuple[SequencePlan, ...] = ()
    """The Sequences that its own Sequence depends on."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Facts of the run: name, config file, coords_id, pattern_type ..."""
    tell: Callable[[str], None] = field(default=lambda _: None, compare=False)
    """Takes a sentence that the user should read before the run starts."""


@dataclass(frozen=True)
class Shipment(Generic[S]):
    """What a Module may look at when it sends what its Tasks will need.

    Examples
    --------
    >>> from pyveg.storage.memory import MemoryStore
    >>> told = []
    >>> store = MemoryStore("example-shipment")
    >>> sent = Shipment(Scope("files"), Settings(), (), store, far=True, tell=told.append)
    >>> sent.tell("the application is on its way")
    >>> told
    ['the application is on its way']
    """

    scope: Scope
    settings: S
    items: tuple[Item, ...]
    store: Store
    far: bool
    """Whether its Tasks run on machines that reach the Store and not this machine's files."""
    tell: Callable[[str], None]
    """Takes a line for the user about how it goes."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Facts of the run, as in `Planning`."""


@dataclass
class Job(Generic[S]):
    """What a Module is given to do one Task.

    Examples
    --------
    >>> from pyveg.storage.memory import MemoryStore
    >>> job = Job(Scope("files"), Item("a.csv"), Settings(), MemoryStore("example-job"))
    >>> job.store.write(f"{job.scope.root}/{job.item.name}/size.txt", b"3")
    >>> job.notes["lines"] = 3
    """

    scope: Scope
    item: Item
    settings: S
    store: Store
    missing: Mapping[str, str] = field(default_factory=dict)
    """For a combiner: id of a Task -> why it gave nothing."""
    notes: dict[str, Any] = field(default_factory=dict)
    """Facts worth keeping in the Task's manifest."""
    module: type[Module[Any]] | None = None
    """Class of the Module that it is for; what that declares is checked by it."""

    def skip(self, reason: str) -> NoReturn:
        """End the Task as skipped."""
        raise SkipItem(reason)


class Module(ABC, Generic[S]):
    """One step of a Sequence. Subclasses say what they are by class attributes.

    Examples
    --------
    >>> class Greeting(Module[Settings]):
    ...     def run(self, job):
    ...         job.store.write(f"{job.scope.root}/{job.item.name}/hello.txt", b"hello")
    >>> Greeting.role, Greeting.version
    ('process', 1)
    """

    Settings: ClassVar[type[Settings]] = Settings
    """Frozen dataclass of its settings."""
    job_class: ClassVar[type[Job[Any]]] = Job
    """What `run` is given: a Job that knows the subject of its Module."""
    version: ClassVar[int] = 1
    """Raise it when the same input gives another result, so that old results are not reused."""
    role: ClassVar[Role] = "process"
    provides: ClassVar[tuple[str, ...]] = ()
    """Kinds of output that Modules behind it can ask for, such as ``"images"``."""
    consumes: ClassVar[tuple[str, ...]] = ()
    """Kinds of input; it runs after the nearest Module that provides each. Where empty, it runs
    after the Module that stands before it."""
    preload: ClassVar[tuple[str, ...]] = ()
    """Heavy Python modules that `run` imports; worker processes share one copy of them."""
    retired: ClassVar[Mapping[str, str]] = {}
    """More settings that are accepted with a warning, and why they mean nothing."""
    keeps_time: ClassVar[bool] = False
    """True: it ends its work at the setting ``timeout`` itself; engines need not."""
    listed: ClassVar[bool] = False
    """True: how each of its Items ended is told by name, in the ledger ``items.csv``."""

    def items(self, planning: Planning, settings: S) -> Sequence[Item]:
        """The Items it will be split by.

        Parameters
        ----------
        planning : Planning
            What is known of the job.
        settings : Settings
            Its own.

        Returns
        -------
        sequence of Item
            Those of the Module before it, unless a subclass says otherwise.
        """
        del settings
        return planning.before

    def may_have_no_items(self, settings: S) -> bool:
        """Whether it is fine that it has nothing to do, where something was looked for in vain."""
        del settings
        return False

    def fingerprint(self, scope: Scope, item: Item, settings: S) -> str:
        """What its result depends on besides settings and Tasks before it; files outside.

        Parameters
        ----------
        scope : Scope
        item : Item
        settings : Settings
            Its own.

        Returns
        -------
        str
            Another one where the result would be another; empty where nothing else counts.
        """
        del scope, item, settings
        return ""

    @classmethod
    def settled(cls, settings: S, where: str, warn: Callable[[str], None]) -> S:
        """Settings that hold wherever and whenever the run is gone on with, checked together.

        Parameters
        ----------
        settings : Settings
            As the config has them; paths may be relative to the working directory.
        where : str
            Begins the messages of errors.
        warn : callable
            Takes what the user should know.

        Returns
        -------
        Settings
            As they are, unless a subclass says otherwise.
        """
        del where, warn
        return settings

    @classmethod
    def parts(cls, settings: S) -> Iterator[tuple[str, str]]:
        """Kind and name of each part that its Tasks load: machines elsewhere need it too."""
        del settings
        return iter(())

    def at_hand(self, scope: Scope, items: Sequence[Item], settings: S) -> Iterator[bool]:
        """For each Item whether its Task can be done without asking a service.

        It is looked at before a run begins, so it should be quick and ask nothing itself.

        Parameters
        ----------
        scope : Scope
        items : sequence of Item
        settings : Settings
            Its own.

        Yields
        ------
        bool
        """
        del scope, settings
        return (True for _ in items)

    def reach(self, scope: Scope, settings: S) -> None:
        """Look whether the services that its Tasks ask are there and let this user in.

        It is called once, when a run begins and something is not at hand, and should take no more
        than some seconds.

        Parameters
        ----------
        scope : Scope
        settings : Settings
            Its own.

        Raises
        ------
        ServiceAwayError, ConfigError
            If its Tasks would all fail.
        """
        del scope, settings

    def prepare(self, shipment: Shipment[S]) -> Mapping[str, str]:
        """Send what Tasks will need besides what Tasks before them write.

        It is called in the process that started the run, each time before Tasks go to an engine.

        Returns
        -------
        mapping of str to str
            Name of an Item that cannot be done -> why.
        """
        del shipment
        return {}

    def recheck(self, shipment: Shipment[S]) -> Mapping[str, str]:
        """Look once more at what Tasks that succeeded elsewhere were made of.

        It is called in the process that started the run, for each such Task when it ends, and
        should take no longer than a look at a file.

        Returns
        -------
        mapping of str to str
            Name of an Item whose result does not count -> why.
        """
        del shipment
        return {}

    def tidy(self, shipment: Shipment[S]) -> None:
        """Remove what was sent, at the end of a run, but for the Items that are yet to be done."""
        del shipment

    @abstractmethod
    def run(self, job: Any) -> None:
        """Do the work for one Item.

        Parameters
        ----------
        job : Job
            Of the class `job_class`; subclasses narrow the type.

        Raises
        ------
        SkipItem
            If there is nothing to do for this Item.
        """


def settings_of(module: type[Module[Any]], given: Mapping[str, Any]) -> Settings:
    """Settings of a Module from plain data that has been checked before."""
    return params.build(module.Settings, given, module.__name__)
