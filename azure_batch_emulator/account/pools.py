"""Pools: how many nodes there should be, and how many there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from azure_batch_emulator import times
from azure_batch_emulator.account.node_specs import NodeSpec
from azure_batch_emulator.account.nodes import Node
from azure_batch_emulator.account.records import Record
from azure_batch_emulator.errors import BatchError, invalid_property
from azure_batch_emulator.host.host import Host

Document = dict[str, Any]

COUNTED = {
    state.lower(): state
    for state in (
        "creating", "idle", "offline", "preempted", "rebooting", "reimaging", "running",
        "starting", "startTaskFailed", "leavingPool", "unknown", "unusable",
        "waitingForStartTask", "deallocated", "deallocating", "upgradingOS",
    )
}  # fmt: skip
"""State of a node -> its name in node counts."""

_KINDS = {True: "Dedicated", False: "LowPriority"}


def cores_of(size: str) -> int:
    """Cores of a size of virtual machine: ``standard_d2s_v5`` has 2."""
    match = re.fullmatch(r"(?:standard|basic)_[a-z]+(\d+).*", size.lower())
    if match is None:
        raise invalid_property("vmSize", size, "The size is not one that this account can have.")
    return int(match[1])


class Pool(Record):
    """A pool and its nodes. Its methods are called under the lock of the account.

    Parameters
    ----------
    host : Host
        Where its nodes are.
    url : str
        Its address.
    body : dict
        What the client sent, already checked.
    cores_left : callable
        Cores that the account may still have, of the dedicated ones (true) or of the others; None
        is without limit.
    on_change : callable
        Called with its key when a node may be able to take tasks.
    """

    def __init__(
        self,
        host: Host,
        url: str,
        body: Document,
        *,
        cores_left: Callable[[bool], int | None],
        on_change: Callable[[str], None],
    ) -> None:
        self.cores = cores_of(body["vmSize"])
        document = {
            "resizeTimeout": "PT15M",
            "targetDedicatedNodes": 0,
            "targetLowPriorityNodes": 0,
            "enableAutoScale": False,
            "enableInterNodeCommunication": False,
            "taskSlotsPerNode": 1,
            "taskSchedulingPolicy": {"nodeFillType": "spread"},
            **{name: value for name, value in body.items() if value is not None},
            "virtualMachineConfiguration": _without_passwords(body["virtualMachineConfiguration"]),
            "allocationState": "steady",
            "allocationStateTransitionTime": times.now(),
            "currentDedicatedNodes": 0,
            "currentLowPriorityNodes": 0,
        }
        most = min(4 * self.cores, 256)
        if document["taskSlotsPerNode"] > most:
            raise invalid_property(
                "taskSlotsPerNode", document["taskSlotsPerNode"], f"At most {most}."
            )
        if start_task := document.get("startTask"):
            document["startTask"] = {"waitForSuccess": True, "maxTaskRetryCount": 0, **start_task}
        super().__init__(body["id"], url, "active", document)
        self._host = host
        self._cores_left = cores_left
        self._on_change = on_change
        self._made = 0
        self._spec = NodeSpec(
            self.id,
            url,
            document["vmSize"],
            document["taskSlotsPerNode"],
            document["virtualMachineConfiguration"]["imageReference"],
            document.get("startTask"),
        )
        self.nodes: dict[str, Node] = {}

    @property
    def packs(self) -> bool:
        """Whether tasks fill one node before the next."""
        policy = self.document["taskSchedulingPolicy"]
        return str(policy.get("nodeFillType", "spread")).lower() == "pack"

    def find(self, id_: str) -> Node:
        """A node by its id."""
        try:
            return self.nodes[id_.lower()]
        except KeyError:
            raise BatchError("NodeNotFound") from None

    def refuse_if_busy(self) -> None:
        """Raise the error for a pool that cannot be resized now."""
        if self.state == "deleting":
            raise BatchError("PoolBeingDeleted")
        if self.document["allocationState"] != "steady":
            raise BatchError("PoolBeingResized")

    def resize(self, body: Document) -> None:
        """Go to other numbers of nodes."""
        self.refuse_if_busy()
        if self.document["enableAutoScale"]:
            raise BatchError("OperationNotValidOnPool", "The pool follows a formula.")
        option = str(body.get("nodeDeallocationOption") or "requeue").lower()
        self._allocation("resizing")
        self.document.pop("resizeErrors", None)
        for dedicated, kind in _KINDS.items():
            target = body.get(f"target{kind}Nodes")
            if target is not None:
                self.document[f"target{kind}Nodes"] = target
                self._approach(target, dedicated, option)
        self._settle()

    def follow(self, formula: str, interval: str) -> None:
        """Have the nodes that a formula asks for, from now on."""
        changes = {
            "enableAutoScale": True,
            "autoScaleFormula": formula,
            "autoScaleEvaluationInterval": interval,
        }
        self.modify(changes)

    def follow_nothing(self) -> None:
        """Keep the numbers of nodes that are wanted now."""
        self.modify({"enableAutoScale": False})
        for name in ("autoScaleFormula", "autoScaleEvaluationInterval", "autoScaleRun"):
            self.document.pop(name, None)

    def scale(self, dedicated: int, low_priority: int, option: str) -> None:
        """Go to the numbers of nodes that a formula asks for, also while others come or go."""
        targets = {"Dedicated": dedicated, "LowPriority": low_priority}
        if all(self.document[f"target{kind}Nodes"] == number for kind, number in targets.items()):
            return
        self._allocation("resizing")
        self.document.pop("resizeErrors", None)
        for is_dedicated, kind in _KINDS.items():
            self.document[f"target{kind}Nodes"] = targets[kind]
            self._approach(targets[kind], is_dedicated, option)
        self._settle()

    def stop_resize(self) -> None:
        """Want the nodes that are there; those that are only promised never come."""
        if self.document["allocationState"] != "resizing":
            return
        self._allocation("stopping")
        for node in [node for node in self.nodes.values() if node.state == "creating"]:
            node.leave("requeue")
        for dedicated, kind in _KINDS.items():
            staying = [n for n in self.nodes.values() if n.dedicated == dedicated and not n.leaving]
            self.document[f"target{kind}Nodes"] = len(staying)
        self._error("ResizeStopped", "Desired number of nodes was not reached: resize stopped")
        self._settle()

    def change(self, body: Document) -> None:
        """Take a client's changes."""
        if self.state == "deleting":
            raise BatchError("PoolBeingDeleted")
        self.modify({name: value for name, value in body.items() if value is not None})

    def _approach(self, target: int, dedicated: bool, option: str) -> None:
        here = [n for n in self.nodes.values() if n.dedicated == dedicated and not n.leaving]
        # those that do nothing go first, then the newest
        here.sort(key=lambda node: (len(node.runs), -node.number))
        for node in here[: max(0, len(here) - target)]:
            node.leave(option)
        wanted = max(0, target - len(here))
        left = self._cores_left(dedicated)
        allowed = wanted if left is None else max(0, min(wanted, left // self.cores))
        supply = self._host.faults.node_supply
        given = allowed if supply is None else min(allowed, max(0, supply - len(here)))
        for _ in range(given):
            self._add_node(dedicated)
        if allowed < wanted:
            kind = "" if dedicated else "LowPriority"
            text = "The specified account has reached core quota"
            quota = self._host.faults.core_quota
            self._error(f"Account{kind}CoreQuotaReached", text, CoreQuota=quota)
        if given < allowed:
            self._error("AllocationFailed", "Desired number of nodes could not be allocated")

    def _add_node(self, dedicated: bool) -> None:
        self._made += 1
        node = Node(
            self._host,
            self._spec,
            self._made,
            dedicated,
            on_change=self._node_changed,
            on_leave=self._drop,
        )
        self.nodes[node.key] = node
        node.boot()

    def _node_changed(self) -> None:
        self._settle()
        self._on_change(self.key)

    def _error(self, code: str, message: str, **values: object) -> None:
        details = [{"name": name, "value": str(value)} for name, value in values.items()]
        error = {"code": code, "message": message, "values": details}
        self.document.setdefault("resizeErrors", []).append(error)

    def remove(self, ids: Iterable[str], option: str) -> None:
        """Remove nodes, and want so many fewer."""
        self.refuse_if_busy()
        if self.document["enableAutoScale"]:
            raise BatchError("PoolNotEligibleForRemoveNodes", "The pool follows a formula.")
        nodes = [self.find(id_) for id_ in ids]
        self._allocation("resizing")
        for node in nodes:
            self.document[f"target{_KINDS[node.dedicated]}Nodes"] -= 1
            node.leave(option.lower())
        self._settle()

    def _drop(self, node: Node) -> None:
        """Be without a node, which has left."""
        if self.nodes.pop(node.key, None):
            node.lives += 1
            self._host.folders.discard(node.root)
        self._settle()

    def _settle(self) -> None:
        """Renew the counts; the allocation is steady when no node comes or goes."""
        for dedicated, kind in _KINDS.items():
            number = sum(node.dedicated == dedicated for node in self.nodes.values())
            self.document[f"current{kind}Nodes"] = number
        busy = any(node.leaving or node.state == "creating" for node in self.nodes.values())
        if not busy and self.document["allocationState"] != "steady":
            self._allocation("steady")

    def _allocation(self, state: str) -> None:
        self.document["allocationState"] = state
        self.document["allocationStateTransitionTime"] = times.now()

    def delete(self) -> None:
        """Take all nodes away; tasks on them wait for another pool of this name."""
        if self.state == "deleting":
            raise BatchError("PoolBeingDeleted")
        self.move("deleting")
        for node in list(self.nodes.values()):
            node.leaving = False  # whatever it waits for
            node.leave("requeue")

    def node_counts(self) -> Document:
        """Nodes by kind and state."""
        counts: Document = {"id": self.id, "poolId": self.id}
        for dedicated, kind in ((True, "dedicated"), (False, "lowPriority")):
            states = dict.fromkeys(COUNTED.values(), 0)
            nodes = [node for node in self.nodes.values() if node.dedicated == dedicated]
            for node in nodes:
                states[COUNTED[node.state]] += 1
            counts[kind] = {**states, "total": len(nodes)}
        return counts


def _without_passwords(machine: Document) -> Document:
    """What is shown of nodes: passwords of registries are never given back."""
    containers = machine.get("containerConfiguration") or {}
    if not containers.get("containerRegistries"):
        return machine
    shown = [
        {name: value for name, value in registry.items() if name != "password"}
        for registry in containers["containerRegistries"]
    ]
    return {**machine, "containerConfiguration": {**containers, "containerRegistries": shown}}
