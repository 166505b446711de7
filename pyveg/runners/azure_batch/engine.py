"""The engine ``batch``: for each pool that Modules of a run have chosen, a runner of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

from pyveg import azure_config
from pyveg.core.nodes import Capacity, NodeUse
from pyveg.core.ports import EngineView, Listener, Runner, Store, Work
from pyveg.core.tasks import Step, Task
from pyveg.runners.azure_batch import checks
from pyveg.runners.azure_batch.cleanup import answer_of
from pyveg.runners.azure_batch.lanes import lane_of, lanes, unused
from pyveg.runners.azure_batch.look import open_view
from pyveg.runners.azure_batch.options import BatchOptions, config_of
from pyveg.runners.azure_batch.plan import pool_settings
from pyveg.runners.azure_batch.quotas import asked_too_much
from pyveg.runners.azure_batch.runner import PoolRunner


class AzureBatchEngine(Runner):
    """Tasks as tasks of Azure Batch, each on the nodes of the pool of its Module.

    Parameters
    ----------
    settings : BatchOptions
    work : Work
    """

    Settings: ClassVar[type[Any]] = BatchOptions
    elsewhere: ClassVar[bool] = True
    location_type: ClassVar[str] = "azure"
    resolves_dependencies: ClassVar[bool] = True
    needs_shared_store: ClassVar[bool] = True
    enforces_timeout: ClassVar[bool] = True

    @classmethod
    def check(cls, settings: Any, work: Work) -> Sequence[str]:
        """Refuse what cannot work, before anything is made at the service."""
        config = config_of(settings)
        pools = [lane.config for lane in lanes(config, work)]
        notes = [note for pool in pools for note in checks.check(pool, work)]
        # They stand at once, and share the quotas of the account.
        return [*asked_too_much(pools), *dict.fromkeys(notes), *unused(config, work)]

    @classmethod
    def look(cls, settings: Any, store: Store) -> EngineView | None:
        """Nodes, running tasks and their logs, asked of the account."""
        return open_view(config_of(settings), store)

    @classmethod
    def capacity(cls, settings: Any, work: Work) -> Capacity:
        """The slots of the nodes that its pools ask for."""
        at_once, nodes = 0, list[tuple[NodeUse, int]]()
        for lane in lanes(config_of(settings), work):
            pool = pool_settings(lane.config)
            at_once += pool.slots * (pool.dedicated + pool.spot)
            nodes.append((NodeUse(pool.vm_size, price=pool.price), pool.dedicated))
            nodes.append((NodeUse(pool.vm_size, spot=True), pool.spot))
        return Capacity(at_once, tuple(nodes))

    @classmethod
    def answer(cls) -> str:
        """How many jobs and nodes runs have at the account of azure_config.py."""
        return answer_of(azure_config.load())

    def __init__(self, settings: Any, work: Work) -> None:
        self._config = config_of(settings)
        found = lanes(self._config, work)
        names = tuple(lane.name for lane in found)
        self._runners: Mapping[str, PoolRunner] = {
            lane.name: PoolRunner(lane, work, names) for lane in found
        }

    def lane(self, step: Step) -> tuple[str, ...]:
        """Tasks of a Sequence wait for one another inside of a job, and a job is of one pool."""
        return step.scope.sequence, lane_of(self._config, step)

    def start(self, store: Store, listener: Listener) -> None:
        """See whether the account can be used, and begin."""
        for runner in self._runners.values():
            runner.start(store, listener)

    def submit(self, tasks: Sequence[Task]) -> None:
        """Take Tasks; return at once."""
        dealt: dict[str, list[Task]] = {}
        for task in tasks:
            dealt.setdefault(lane_of(self._config, task.step), []).append(task)
        for name, own in dealt.items():
            self._runners[name].submit(own)

    def withdraw(self, task_ids: Collection[str]) -> None:
        """Take back Tasks that have not begun; return at once."""
        for runner in self._runners.values():
            runner.withdraw(task_ids)

    def cancel(self) -> None:
        """Give everything up; `close` removes it from the service."""
        for runner in self._runners.values():
            runner.cancel()

    def detach(self) -> None:
        """Leave what runs to itself; ``--from_cache`` comes back to it."""
        for runner in self._runners.values():
            runner.detach()

    def close(self) -> None:
        """End, and remove what the run has made, unless it was left to go on."""
        with ExitStack() as stack:  # each is closed, whatever becomes of the others
            closing: list[Callable[[], None]] = [one.close for one in self._runners.values()]
            for close in reversed(closing):
                stack.callback(close)

    def nodes_used(self) -> list[NodeUse]:
        """How long nodes of all pools have stood."""
        return [use for runner in self._runners.values() for use in runner.nodes_used()]
