"""What goes wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What goes wrong, and how often. Rates are shares from 0 to 1.

    Parameters
    ----------
    seed : int
        The same seed gives the same faults to the same tasks, whatever the order they run in.
    node_start_seconds : float
        How long a node takes from being asked for until its start task.
    preempt_rate : float
        Share of the task runs on low-priority (Spot) nodes in which the node is taken away. The
        task runs again; so do all others on that node.
    preempt_within_seconds : float
        The node goes that many seconds after the task began at the latest, or just before its end.
    throttle_rate : float
        Share of the requests that are answered with 429 or 503.
    retry_after : float or None
        Seconds in the ``Retry-After`` header of those answers; None leaves it out.
    server_error_rate : float
        Share of the tasks in bulk requests that are answered with ``servererror`` and not added;
        the dice are thrown anew each time that a task is sent.
    fail_rate : float
        Share of the task runs that end with exit code 137 before the command has run.
    unusable_rate : float
        Share of the nodes that become ``unusable`` instead of ``idle``.
    core_quota : int or None
        Cores that all pools may have together, for dedicated and low-priority nodes each.
    node_supply : int or None
        Nodes of each kind that a pool can have; a resize beyond ends with ``AllocationFailed``.
    job_quota : int or None
        Jobs that may be there and not completed.
    pool_quota : int or None
        Pools that may be there.
    deleting_seconds : float
        How long pools and jobs stay in the state ``deleting``.
    disabled : bool
        Whether the account is disabled, so that every request is refused.
    """

    seed: int = 0
    node_start_seconds: float = 0.0
    preempt_rate: float = 0.0
    preempt_within_seconds: float = 0.2
    throttle_rate: float = 0.0
    retry_after: float | None = 1.0
    server_error_rate: float = 0.0
    fail_rate: float = 0.0
    unusable_rate: float = 0.0
    core_quota: int | None = None
    node_supply: int | None = None
    job_quota: int | None = None
    pool_quota: int | None = None
    deleting_seconds: float = 0.0
    disabled: bool = False
