"""How much an account may have."""

from __future__ import annotations

from collections.abc import Iterable

from azure_batch_emulator.account.jobs import Job
from azure_batch_emulator.account.pools import Pool
from azure_batch_emulator.errors import BatchError


def check_pools(quota: int | None, pools: Iterable[Pool]) -> None:
    """Raise the error for one more pool than the quota allows."""
    if quota is not None and sum(1 for _ in pools) >= quota:
        raise BatchError("PoolQuotaReached", PoolQuota=quota)


def check_jobs(quota: int | None, jobs: Iterable[Job]) -> None:
    """Raise the error for one more active job than the quota allows."""
    if quota is not None and sum(job.state != "completed" for job in jobs) >= quota:
        raise BatchError("ActiveJobAndScheduleQuotaReached", ActiveJobQuota=quota)


def cores_left(quota: int | None, pools: Iterable[Pool], dedicated: bool) -> int | None:
    """Cores that the quota leaves for dedicated nodes or for the others; None is without limit."""
    if quota is None:
        return None
    return quota - sum(
        pool.cores for pool in pools for node in pool.nodes.values() if node.dedicated == dedicated
    )
