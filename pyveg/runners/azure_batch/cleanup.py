"""What runs have left at a Batch account: pools and jobs that carry the tag of a run."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pyveg.azure_config import AzureConfig
from pyveg.runners.azure_batch import advice, models
from pyveg.runners.azure_batch.account import check_account, credential
from pyveg.runners.azure_batch.lasting import name_of
from pyveg.runners.azure_batch.quotas import used
from pyveg.runners.azure_batch.service import BatchService, state_of


@dataclass(frozen=True)
class Leftover:
    """A pool or a job that a run has made."""

    kind: Literal["pool", "job"]
    id: str
    run: str
    """The container of the run."""
    state: str
    made: datetime | None
    nodes: int = 0
    """Nodes of a pool, which cost money."""


class Account:
    """A Batch account, to look at and to tidy.

    Parameters
    ----------
    account_url : str
    credential
        What the SDK takes.
    """

    def __init__(self, account_url: str, credential: Any) -> None:
        self._account_url = account_url
        self._service = BatchService(account_url, credential, threading.Event())

    def leftovers(self) -> list[Leftover]:
        """All pools and jobs that runs of pyveg have made and not removed.

        Raises
        ------
        EngineError
            If the account cannot be used, with what to do.
        """
        from azure.core.exceptions import AzureError

        try:
            return [*self._jobs(), *self._pools()]
        except AzureError as error:
            raise advice.engine_error(self._account_url, error) from error

    def lasting(self) -> list[str]:
        """Names of the pools that were made by name, which are no run's to remove."""
        from azure.core.exceptions import AzureError

        try:
            return [name for pool in self._service.pools() if (name := name_of(pool.metadata))]
        except AzureError as error:
            raise advice.engine_error(self._account_url, error) from error

    def quotas_used(self, config: AzureConfig) -> str:
        """How much of the quotas in azure_config.py is used, in words.

        Raises
        ------
        EngineError
            If the account cannot be used, with what to do.
        """
        from azure.core.exceptions import AzureError

        try:
            active = sum(state_of(job) != "completed" for job in self._service.jobs())
            return used(config, self._service.pools(), active)
        except AzureError as error:
            raise advice.engine_error(self._account_url, error) from error

    def remove(self, leftover: Leftover) -> bool:
        """Remove it; False where it was gone already."""
        from azure.core.exceptions import AzureError

        delete = self._service.delete_job if leftover.kind == "job" else self._service.delete_pool
        try:
            return delete(leftover.id)
        except AzureError as error:
            raise advice.engine_error(f"{leftover.kind} {leftover.id}", error) from error

    def _jobs(self) -> list[Leftover]:
        return [
            Leftover("job", job.id, run, state_of(job), job.creation_time)
            for job in self._service.jobs()
            if (run := models.tag_of(job.metadata)) is not None
        ]

    def _pools(self) -> list[Leftover]:
        return [
            Leftover(
                "pool",
                pool.id,
                run,
                state_of(pool),
                pool.creation_time,
                (pool.current_dedicated_nodes or 0) + (pool.current_low_priority_nodes or 0),
            )
            for pool in self._service.pools()
            if (run := models.tag_of(pool.metadata)) is not None
        ]


def account_of(config: AzureConfig) -> Account:
    """The Batch account that azure_config.py names.

    Raises
    ------
    ConfigError
        If it names none, or not enough to log in.
    """
    check_account(config)
    return Account(config.batch_account_url, credential(config)())


def answer_of(config: AzureConfig) -> str:
    """What the account says now, in one line; empty where none is named.

    Raises
    ------
    PyvegError
        If it does not answer, with what to do.
    """
    if not config.batch_account_name:
        return ""
    account = account_of(config)
    leftovers = account.leftovers()
    nodes = sum(item.nodes for item in leftovers)
    jobs = sum(item.kind == "job" for item in leftovers)
    text = f"the Batch account answers; runs have {jobs} jobs and {nodes} nodes there now"
    cure = "; if no run goes on, they cost money: pyveg_azure_cleanup" if leftovers else ""
    if config.quotas:
        return f"{text}{cure}; used: {account.quotas_used(config)}"
    return f"{text}{cure}; its quotas are not told to programs: copy them to quotas"
