"""How Azure Batch works for a run at this moment, as any process may ask."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from pyveg.azure_config import AzureConfig
from pyveg.core.errors import ConfigError, StoreError
from pyveg.core.execute import tasks_in
from pyveg.core.ports import NodeSeen, Store, WorkSeen
from pyveg.core.values import read_json
from pyveg.runners.azure_batch import advice, models
from pyveg.runners.azure_batch.account import check_account, credential
from pyveg.runners.azure_batch.bundles import task_file_key
from pyveg.runners.azure_batch.pool import NODE_COMES_UP, NODE_SETUP_FAILED
from pyveg.runners.azure_batch.service import BatchService, Stream, state_of

if TYPE_CHECKING:
    from azure.batch import models as m

_SEVERAL = " in all"
"""Ends the display name of a task that does several Tasks."""
_STREAMS: tuple[Stream, ...] = ("stdout", "stderr")

F = TypeVar("F", bound=Callable[..., Any])


def _explained(ask: F) -> F:
    """Make errors of the SDK ours, with what to do."""

    @wraps(ask)
    def asked(self: BatchView, *args: Any) -> Any:
        from azure.core.exceptions import AzureError

        try:
            return ask(self, *args)
        except AzureError as error:
            raise advice.engine_error(self.account_url, error) from error

    return asked  # type: ignore[return-value]


@dataclass(frozen=True)
class _Seen:
    """A task that is with a node, and where it is."""

    job: str
    task: m.BatchTask
    task_ids: tuple[str, ...]


class BatchView:
    """What the service tells of one run; each answer is asked for anew.

    Parameters
    ----------
    account_url : str
    service : BatchService
    store : Store
        Of the run; has the descriptions of its tasks.
    """

    def __init__(self, account_url: str, service: BatchService, store: Store) -> None:
        self.account_url = account_url
        self._service, self._store = service, store
        self._run = store.address.rpartition("/")[2]

    @_explained
    def nodes(self) -> list[NodeSeen]:
        """The nodes of the pool of the run, also where it is one that others use too."""
        return [_node_seen(node) for pool in self._pools() for node in self._service.nodes(pool)]

    @_explained
    def running(self) -> list[WorkSeen]:
        """What its nodes do for it."""
        return [_work_seen(seen) for seen in self._running()]

    @_explained
    def log(self, task_id: str) -> str:
        """The end of what a task that runs has said: stdout, then stderr.

        Tasks that one task of the service does have one log.
        """
        for seen in self._running():
            if task_id in seen.task_ids:
                said = (self._service.task_log(seen.job, seen.task.id, one) for one in _STREAMS)
                return "\n".join(text for text in said if text)
        return ""

    @_explained
    def node_log(self, node: str) -> str:
        """The end of what its start task has said, or the preparation for a job of the run."""
        for pool in self._pools():
            folder = self._setup_folder(pool, node)
            if folder:
                said = (self._service.node_log(pool, node, folder, one) for one in _STREAMS)
                return "\n".join(text for text in said if text)
        return ""

    def _setup_folder(self, pool: str, node: str) -> str:
        """Where a node keeps what its setting up says; empty where it is set up."""
        found = next((one for one in self._service.nodes(pool) if one.id == node), None)
        if found is None:
            return ""
        if state_of(found).lower() in NODE_COMES_UP | NODE_SETUP_FAILED:
            return "startup"
        for job in self._jobs():
            for one in self._service.preparations(job.id):
                if one.node == node and (one.failed or not one.ended):
                    return one.folder
        return ""

    def _jobs(self) -> list[m.BatchJob]:
        return [job for job in self._service.jobs() if models.tag_of(job.metadata) == self._run]

    def _pools(self) -> list[str]:
        """Those that jobs of the run use."""
        used = (job.pool_info.pool_id for job in self._jobs() if job.pool_info is not None)
        return list(dict.fromkeys(pool for pool in used if pool))

    def _running(self) -> Iterator[_Seen]:
        for job in self._jobs():
            for task in self._service.running_tasks(job.id):
                yield _Seen(job.id, task, self._task_ids(job.id, task))

    def _task_ids(self, job: str, task: m.BatchTask) -> tuple[str, ...]:
        """The Tasks that a task of the service does."""
        name = task.display_name or task.id
        if not name.endswith(_SEVERAL):
            return (name,)
        try:
            described = tasks_in(read_json(self._store.read(task_file_key(job, task.id))))
        except (StoreError, ConfigError, ValueError, LookupError, TypeError):
            return (name,)  # gone or damaged; its name tells the first and the last
        return tuple(one.id for one in described)


def open_view(config: AzureConfig, store: Store) -> BatchView:
    """Look at the account that azure_config.py, or a config, names.

    Raises
    ------
    ConfigError
        If none is named, or it is not enough to log in.
    """
    check_account(config)
    url = config.batch_account_url
    service = BatchService(url, credential(config)(), threading.Event())
    return BatchView(url, service, store)


def _work_seen(seen: _Seen) -> WorkSeen:
    node, info = seen.task.node_info, seen.task.execution_info
    begun = info.start_time if info is not None else None
    where = (node.node_id if node is not None else None) or ""
    return WorkSeen(seen.task_ids, where, begun or seen.task.state_transition_time)


def _node_seen(node: m.BatchNode) -> NodeSeen:
    failure = node.start_task_info.failure_info if node.start_task_info is not None else None
    reasons = [f"{error.code}: {error.message}" for error in node.errors or []]
    if failure is not None:
        reasons.append(f"its start task failed: {advice.of_failure(failure, None)}")
    return NodeSeen(node.id, state_of(node), node.state_transition_time, "; ".join(reasons))
