"""What a pool says of its nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from azure_batch_emulator import times

Document = dict[str, Any]


@dataclass(frozen=True)
class NodeSpec:
    """What all nodes of a pool have in common.

    Parameters
    ----------
    pool_id, pool_url : str
        The pool.
    size : str
        Of the virtual machine.
    slots : int
        Of tasks that run at once.
    image : dict
        The ``imageReference``.
    start_task : dict or None
        What each node executes when it comes up.
    """

    pool_id: str
    pool_url: str
    size: str
    slots: int
    image: Document
    start_task: Document | None

    def document(self, id_: str, dedicated: bool) -> Document:
        """What a node is at first, beside its id, address and state."""
        moment = times.now()
        return {
            "schedulingState": "enabled",
            "lastBootTime": moment,
            "allocationTime": moment,
            "ipAddress": "127.0.0.1",
            "affinityId": f"TVM:{id_}",
            "vmSize": self.size,
            "totalTasksRun": 0,
            "totalTasksSucceeded": 0,
            "runningTasksCount": 0,
            "runningTaskSlotsCount": 0,
            "isDedicated": dedicated,
            "virtualMachineInfo": {"imageReference": self.image},
        }
