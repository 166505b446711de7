"""The pool that the tasks of a run go to: one that is there, or one that the run makes.

Its nodes are looked at beside the tasks: broken or missing ones explain why nothing moves, and
some troubles never end by themselves.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pyveg.core.errors import EngineError
from pyveg.core.events import EngineStatus
from pyveg.core.nodes import NodeClock, NodeUse
from pyveg.runners.azure_batch import advice, capacity, models, names
from pyveg.runners.azure_batch.packages import Delivery
from pyveg.runners.azure_batch.service import BatchService, state_of
from pyveg.runners.azure_batch.settings import BatchSettings
from pyveg.runners.azure_batch.spot import SpotFirst, Target

if TYPE_CHECKING:
    from azure.batch import models as m

_DEDICATED, _SPOT = "dedicated", "spot"
_WORKING = frozenset({"idle", "running"})
_COMING = frozenset({"creating", "starting", "waitingForStartTask", "rebooting", "reimaging"})
NODE_WORKS = frozenset({"idle", "running"})
NODE_COMES_UP = frozenset(state.lower() for state in _COMING)
NODE_SETUP_FAILED = frozenset({"starttaskfailed"})
"""States of a node as it is listed; in counts of nodes the same have capital letters."""
_BROKEN = frozenset({"unusable", "startTaskFailed"})


class PoolGoneError(EngineError):
    """The pool was deleted while tasks were in hand."""

    def __init__(self, pool: str) -> None:
        super().__init__(
            f"the pool {pool} was deleted by somebody", "finish the run with --from_cache"
        )
        self._pool = pool

    def __reduce__(self) -> tuple[type[PoolGoneError], tuple[str]]:
        return type(self), (self._pool,)


@dataclass(frozen=True)
class Nodes:
    """How many nodes are in which state."""

    counts: Mapping[str, int]

    @property
    def working(self) -> int:
        """Nodes that can run tasks."""
        return self._sum(_WORKING)

    @property
    def coming(self) -> int:
        """Nodes that are about to."""
        return self._sum(_COMING)

    @property
    def broken(self) -> int:
        """Nodes that cannot without help."""
        return self._sum(_BROKEN)

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    def _sum(self, states: frozenset[str]) -> int:
        return sum(count for state, count in self.counts.items() if state in states)

    def __str__(self) -> str:
        groups = {
            "starting": self.coming,
            "idle": self.counts.get("idle", 0),
            "running": self.counts.get("running", 0),
            "pre-empted": self.counts.get("preempted", 0),
            "unusable": self.broken,
        }
        others = self.total - sum(groups.values())
        shown = {**groups, "leaving or unknown": others}
        text = ", ".join(f"{count} {name}" for name, count in shown.items() if count)
        return text or "none yet"


class RunPool:
    """The pool of one run.

    Parameters
    ----------
    service : BatchService
    settings : BatchSettings
    taken_over : callable, optional
        Whether the run is another client's now, so that this one leaves the pool alone.
    """

    def __init__(
        self,
        service: BatchService,
        settings: BatchSettings,
        taken_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._service, self._settings = service, settings
        self.id = ""
        """Empty until it is there."""
        self.made = ""
        """Id of the pool that the run has made, or has tried to, and removes."""
        self.nodes = Nodes({})
        self.standing = NodeClock()
        """How long its nodes have stood while this client used it."""
        self._vm_size = settings.pool.vm_size
        self.there: m.BatchPool | None = None
        """The pool, where it was there before this client came."""
        self.trouble = ""
        """Why nodes are broken or missing."""
        self._start_command = ""
        self.hint = ""
        """Why there are none now, though there may be some later."""
        self.emptied = False
        """Whether somebody has resized it to nothing, so that somebody must act."""
        self._taken_over = taken_over
        self._next_sizes = list(settings.pool.next_sizes)
        self._moving = self._had_nodes = False
        """Whether it is being removed to come back with the next size."""
        self._packages: Callable[[], Delivery] | None = None
        self._new = ""
        self._image: tuple[Any, str] | None = None
        self._looked = self._resizing = False
        self._waiting_since = time.monotonic()
        self._refused_since = 0.0
        """Since when no node is given; 0 while some are."""
        self._asked = time.monotonic()
        wanted = settings.pool
        self._spot_first = SpotFirst(
            Target(wanted.dedicated, wanted.spot), settings.dedicated_after_seconds
        )
        self._spot = 0
        """Spot nodes that stand. One that is broken does: another kind would not mend it."""
        self.news: list[str] = []
        """What it has done that is to be told."""

    def __str__(self) -> str:
        why = self.trouble or self.hint
        return f"{self.nodes} ({why})" if why else str(self.nodes)

    # Before the first task

    def find(self, tell: Callable[[EngineStatus], None]) -> None:
        """See whether there is one for all, or one that an earlier try has made for this run.

        Raises
        ------
        EngineError
            If there is none, and none can be made.
        """
        wanted, run = self._settings.pool, self._settings.run
        if self._is_there(wanted.id):
            self.id = wanted.id
            self.standing.see({})
            return
        attempt = 1
        while (pool := self._service.pool(names.pool_id(wanted.id, run, attempt))) is not None:
            if state_of(pool) != "deleting":
                self.id = self.made = pool.id
                self.there = pool
                self._vm_size = pool.vm_size or self._vm_size
                self._next_sizes.clear()  # its tasks have slots of nodes of its size
                self.standing.see({})
                self._spot_first.asked_for(_asked_of(pool))
                start = pool.start_task
                self._start_command = start.command_line if start is not None else ""
                return
            attempt += 1  # its name is not free yet
        self._new = wanted.id if wanted.keep else names.pool_id(wanted.id, run, attempt)
        self._image = self._choose_image(tell)

    def ensure(self, packages: Callable[[], Delivery]) -> None:
        """Make it, if it is not there; `packages` is what its nodes install."""
        self._packages = packages
        if self.id:
            return
        if self._image is None:
            raise EngineError("no image for the pool was chosen")
        image, agent = self._image
        self.made = "" if self._settings.pool.keep else self._new
        delivery = packages()
        self._service.add_pool(models.pool(self._new, self._settings, image, agent, delivery))
        self._start_command = models.setup_command(delivery)
        self.id = self._new
        self.standing.see({})
        self._waiting_since = time.monotonic()

    def sets_up(self, delivery: Delivery) -> bool:
        """Whether its nodes install that when they start, so that no job need prepare them.

        One that an earlier attempt has made may have another version of pyveg.
        """
        return bool(self.made) and self._start_command == models.setup_command(delivery)

    def nodes_used(self) -> list[NodeUse]:
        """How long nodes have stood, until now or until it was removed."""
        price = self._settings.pool.price
        return [
            NodeUse(self._vm_size, kind == _SPOT, seconds, None if kind == _SPOT else price)
            for kind, seconds in self.standing.seconds().items()
        ]

    def _is_there(self, pool: str) -> bool:
        there = self._service.pool(pool)
        if there is not None and there.vm_size:
            self._vm_size = there.vm_size
            self.there = there
        return there is not None and state_of(there) != "deleting"

    def _choose_image(self, tell: Callable[[EngineStatus], None]) -> tuple[Any, str]:
        """The image of its nodes and the agent for it; asks the service for its images, once."""
        from azure.batch import models as m

        wanted = self._settings.pool
        if wanted.identity:
            raise EngineError(
                f"there is no pool {wanted.id}",
                "a pool with an identity is made by hand, see docs/azure.md",
            )
        image, agent = dict(wanted.image), wanted.node_agent
        if "id" in image:
            if not agent:
                raise EngineError(
                    "pool_image has an id and no node agent", "set pool_node_agent too"
                )
            return m.BatchVmImageReference(virtual_machine_image_id=image["id"]), agent
        known = self._service.image(image)
        if known is None:
            raise EngineError(
                f"Azure Batch knows no image {image}",
                "choose one with the help of docs/azure.md and set pool_image",
            )
        end = known.batch_support_end_of_life
        if end is not None:
            text = f"the image {image.get('sku')} is supported until {end:%Y-%m-%d}; see pool_image"
            tell(EngineStatus(text, urgent=True))
        reference = m.BatchVmImageReference(**{"version": "latest", **image})
        return reference, agent or known.node_agent_sku_id

    # While tasks are in hand

    def look(self) -> bool:
        """Count its nodes; whether that has changed.

        Raises
        ------
        PoolGoneError
            If it is gone, or about to be.
        """
        if self._moving:
            return self._came_back()
        dedicated, spot = self._service.node_counts(self.id)
        nodes = Nodes(Counter(dedicated) + Counter(spot))
        self.standing.see(_standing(dedicated, spot))
        if nodes.working:
            self._waiting_since = time.monotonic()
        if nodes.total:
            self._refused_since = 0.0
            self._had_nodes = True
        changed = not self._looked or nodes.counts != self.nodes.counts
        # What keeps nodes away comes without any change of their number, so it is asked for.
        if changed or not (nodes.working or nodes.coming):
            self.trouble = self._find_trouble(nodes)
        self.nodes, self._looked = nodes, True
        self._spot = _standing(dedicated, spot)[_SPOT] - spot.get("leavingPool", 0)
        self._replace_spot()
        return changed

    def hopeless(self) -> str:
        """Why no node will ever do the work; empty where one may."""
        if self._moving:
            return ""
        nodes = self.nodes
        if not (nodes.working or nodes.coming):
            if nodes.broken:
                return f"no node can work: {self.trouble}"
            if self.trouble and not nodes.total and not self._resizing:
                waits = self._replaces_spot or self._goes_to_next_size() or self._asks_again()
                return "" if waits else f"no node was given: {self.trouble}"
        minutes = (time.monotonic() - self._waiting_since) / 60
        if not nodes.working and minutes > self._settings.node_start_minutes:
            return (
                f"no node came up in {minutes:.0f} minutes (nodes: {self}); see the pool "
                f"{self.id} in the portal, or raise node_start_minutes"
            )
        return ""

    @property
    def _replaces_spot(self) -> bool:
        """Whether dedicated nodes come in place of Spot nodes; not in a pool of somebody else."""
        own = self.there is None or bool(self.made)
        return own and self._spot_first.waits(self._spot)

    def _replace_spot(self) -> None:
        """Ask for dedicated nodes in place of Spot nodes that have been missing for too long."""
        now = time.monotonic()
        target = self._spot_first.see(self._spot, now)
        if target is None or not self._replaces_spot:
            return
        before = self._spot_first.target
        # Refused while the pool is changing: the next look asks again.
        if not self._service.resize_pool(self.id, target.dedicated, target.spot):
            return
        self._spot_first.asked_for(target)
        self._resizing, self._asked, self._waiting_since = True, now, now
        why = f" ({self.trouble})" if self.trouble else ""
        self.news.append(
            f"{self._spot} of {before.spot} Spot nodes are there{why}; asked for "
            f"{target.dedicated - before.dedicated} dedicated nodes in place of the others "
            "(dedicated_after)"
        )

    def _goes_to_next_size(self) -> bool:
        """Whether it is removed now, to be made again with nodes of the next size.

        Only a pool that this client has made and that never had a node. It comes back under its
        own name, by which jobs know it: their tasks need not be given to the service again.
        """
        if not (self.made and self._next_sizes) or self._had_nodes or self._taken_over():
            return False
        size = self._next_sizes[0]
        self._service.delete_pool(self.id)
        self._moving = True
        self.news.append(
            f"no node of {self._vm_size} was given: {self.trouble}; trying {size} (pool_vm_sizes)"
        )
        return True

    def _came_back(self) -> bool:
        """Make it with the next size, once the one before is gone."""
        if self._service.pool(self.id) is not None:
            return False
        if self._image is None or self._packages is None:
            raise EngineError("no image for the pool was chosen")
        image, agent = self._image
        size = self._next_sizes[0]
        pool = replace(self._settings.pool, vm_size=size)
        settings, delivery = replace(self._settings, pool=pool), self._packages()
        self._service.add_pool(models.pool(self.id, settings, image, agent, delivery))
        self._vm_size = self._next_sizes.pop(0)
        self._start_command = models.setup_command(delivery)
        self._spot_first = SpotFirst(
            Target(pool.dedicated, pool.spot), self._settings.dedicated_after_seconds
        )
        self._moving = self._looked = False
        self.trouble, self._waiting_since = "", time.monotonic()
        return True

    def _asks_again(self) -> bool:
        """Whether it is waited for nodes that were refused; asks for them from time to time."""
        if not self._settings.wait_seconds:
            return False
        now = time.monotonic()
        self._refused_since = self._refused_since or now
        if now - self._refused_since > self._settings.wait_seconds:
            return False
        self._waiting_since = now
        if now - self._asked > capacity.ASK_AGAIN:
            self._asked = now
            wanted = self._spot_first.target
            self._service.resize_pool(self.id, wanted.dedicated, wanted.spot)
            self._resizing = True
        return True

    def _find_trouble(self, nodes: Nodes) -> str:
        """Why nodes are broken or missing; one or two requests, when something has changed."""
        self.hint, self.emptied = "", False
        if nodes.broken:
            broken = self._service.broken_nodes(self.id)
            return "; ".join(dict.fromkeys(self._why_broken(node) for node in broken))
        pool = self._service.pool(self.id)
        if pool is None or state_of(pool) == "deleting":
            raise PoolGoneError(self.id)
        self._resizing = str(getattr(pool.allocation_state, "value", "")) == "resizing"
        wanted = (pool.target_dedicated_nodes or 0) + (pool.target_low_priority_nodes or 0)
        self.hint = _why_none(pool) if not (nodes.total or wanted) else ""
        self.emptied = bool(self.hint) and not pool.enable_auto_scale
        errors = pool.resize_errors or []
        return "; ".join(dict.fromkeys(advice.of_code(e.code, e.message or "") for e in errors))

    def _why_broken(self, node: m.BatchNode) -> str:
        info = node.start_task_info
        if info is not None and info.failure_info is not None:
            log = self._service.node_log(self.id, node.id, "startup")
            said = " | ".join(log.splitlines()[-3:])
            return f"setting up a node failed: {said or advice.of_failure(info.failure_info, None)}"
        errors = node.errors or []
        return "; ".join(f"{e.code}: {e.message}" for e in errors) or "no reason was given"


def _asked_of(pool: m.BatchPool) -> Target:
    """What a pool that is there was asked for the last time."""
    return Target(pool.target_dedicated_nodes or 0, pool.target_low_priority_nodes or 0)


def _standing(dedicated: Mapping[str, int], spot: Mapping[str, int]) -> dict[str, int]:
    """Kind -> nodes that are paid for; one that was pre-empted is not."""
    taken = spot.get("preempted", 0)
    return {_DEDICATED: sum(dedicated.values()), _SPOT: sum(spot.values()) - taken}


def _why_none(pool: m.BatchPool) -> str:
    """Why a pool without nodes has none, where that can change by itself or by its owner."""
    evaluated = pool.auto_scale_run
    if evaluated is not None and evaluated.error is not None:
        error = evaluated.error
        details = [item.value for item in error.error_values or () if item.value]
        said = ": ".join([error.message or "", *details])
        return f"its autoscale formula failed: {advice.of_code(error.code, said)}"
    if pool.enable_auto_scale:
        return "its autoscale formula asks for no nodes now"
    return f"the pool {pool.id} was resized to no nodes; give it some in the portal"
