"""The one class that talks to Azure Batch: requests, their repetition, their errors."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pyveg.core.errors import EngineError
from pyveg.core.loopback import asks_directly
from pyveg.runners.azure_batch import advice

if TYPE_CHECKING:
    from azure.batch import BatchClient
    from azure.batch import models as m

# The SDK logs a traceback of its own for each file that is not there yet. Whoever sets up logging
# has it; others would have it on their screen, or in the midst of JSON.
logging.getLogger("azure").addHandler(logging.NullHandler())

T = TypeVar("T")
Stream = Literal["stderr", "stdout"]

BULK = 100
"""Most tasks of one request."""
PARALLEL = 4
"""Requests that add tasks at once."""
CONNECT_TIMEOUT = 4.0
READ_TIMEOUT = 60.0
"""Seconds without a connection, and without an answer."""
_TRIES = 8
_LONGEST_PAUSE = 30.0
_SELECT = ["id", "state", "stateTransitionTime", "executionInfo", "nodeInfo"]
_RUNNING = ["id", "state", "stateTransitionTime", "displayName", "executionInfo", "nodeInfo"]
_NODE = ["id", "state", "stateTransitionTime", "schedulingState", "startTaskInfo", "errors"]
_TAIL = 2000
"""Characters of a log that are shown."""


@dataclass(frozen=True)
class Change:
    """A task that has changed its state."""

    id: str
    state: str
    moment: datetime
    succeeded: bool = False
    exit_code: int | None = None
    after: tuple[str, ...] = ()
    """Ids of tasks that it waits for, where they were asked for."""
    failure: m.BatchTaskFailureInfo | None = None
    began: datetime | None = None
    """When its command began, the last time, by the clock of the service."""
    ended: datetime | None = None
    """When it ended, the same way."""
    tries: int = 1
    """How often it was begun, retries and nodes that were taken away included."""
    node: str = ""
    """Id of the node that it ran on the last time."""


@dataclass(frozen=True)
class Preparation:
    """What became of the preparation of a node for a job."""

    node: str
    folder: str
    """Where it keeps its files on the node."""
    ended: bool
    failed: bool
    """Whether it has used up its tries; the node takes no task of the job then."""
    why: str = ""


class BatchService:
    """A Batch account.

    The SDK's own repetition is switched off: it has none for a request to add that is told to come
    again later, and none of its waits can be interrupted.

    Parameters
    ----------
    account_url : str
    credential
        What the SDK takes.
    stop : threading.Event
        Set to end all waiting.
    """

    def __init__(self, account_url: str, credential: Any, stop: threading.Event) -> None:
        self._account_url = account_url
        self._credential = credential
        self._stop = stop
        self._opened: BatchClient | None = None

    @property
    def _client(self) -> BatchClient:
        if self._opened is None:
            import requests
            from azure.batch import BatchClient
            from azure.core.pipeline.transport import RequestsTransport

            # The SDK would wait five minutes for a connection where packets are dropped.
            self._opened = BatchClient(
                self._account_url,
                self._credential,
                retry_total=0,
                transport=RequestsTransport(
                    session=asks_directly(requests.Session()),
                    connection_timeout=CONNECT_TIMEOUT,
                    read_timeout=READ_TIMEOUT,
                ),
            )
        return self._opened

    # Pools

    def pool(self, id_: str) -> m.BatchPool | None:
        """A pool, or None where there is none."""
        return self._or_none(lambda: self._client.get_pool(id_))

    def add_pool(self, pool: m.BatchPoolCreateOptions) -> None:
        """Make a pool; nothing happens where it is there, as after an answer that was lost."""
        self._made(lambda: self._client.create_pool(pool), f"pool {pool.id}", "PoolExists")

    def delete_pool(self, id_: str) -> bool:
        """Remove a pool; False where it was gone already."""
        return self._deleted(lambda: self._client.begin_delete_pool(id_, polling_interval=1))

    def resize_pool(self, id_: str, dedicated: int, spot: int) -> bool:
        """Ask for so many nodes; False where the pool is changing already and takes no request.

        Nodes that are too many go when their tasks have ended.
        """
        from azure.batch import models as m
        from azure.core.exceptions import ResourceExistsError

        wanted = m.BatchPoolResizeOptions(
            target_dedicated_nodes=dedicated,
            target_low_priority_nodes=spot,
            node_deallocation_option=m.BatchNodeDeallocationOption.TASK_COMPLETION,
        )
        try:
            self._call(
                lambda: self._client.begin_resize_pool(id_, wanted, polling_interval=1),
                f"pool {id_}",
            )
        except ResourceExistsError:
            return False
        return True

    def pools(self) -> list[m.BatchPool]:
        """All pools of the account."""
        return self._call(lambda: list(self._client.list_pools()), "the pools")

    def image(self, wanted: dict[str, str]) -> m.BatchSupportedImage | None:
        """What the service says of an image for nodes; None where it knows none such."""
        images = self._call(lambda: list(self._client.list_supported_images()), "the images")
        keys = ("publisher", "offer", "sku")
        for candidate in images:
            if all(getattr(candidate.image_reference, key) == wanted.get(key) for key in keys):
                return candidate
        return None

    def node_counts(self, pool: str) -> tuple[dict[str, int], dict[str, int]]:
        """State -> how many nodes of a pool are in it, dedicated ones and Spot nodes.

        States with none are left out.
        """
        text = f"poolId eq '{pool}'"
        found = self._call(
            lambda: list(self._client.list_pool_node_counts(filter=text)), f"pool {pool}"
        )
        kinds: tuple[dict[str, int], dict[str, int]] = ({}, {})
        for nodes in found:
            for counts, kind in zip(kinds, (nodes.dedicated, nodes.low_priority), strict=True):
                for name, count in (kind or {}).items():
                    if name != "total" and count:
                        counts[name] = counts.get(name, 0) + int(count)
        return kinds

    def broken_nodes(self, pool: str) -> list[m.BatchNode]:
        """Nodes that cannot work."""
        text = "state eq 'unusable' or state eq 'starttaskfailed'"
        return self._call(
            lambda: list(self._client.list_nodes(pool, filter=text)), f"nodes of {pool}"
        )

    def nodes(self, pool: str) -> list[m.BatchNode]:
        """All nodes of a pool; none where the pool is gone."""
        found = self._or_none(lambda: list(self._client.list_nodes(pool, select=_NODE)))
        return found or []

    def node_log(self, pool: str, node: str, folder: str, stream: Stream = "stderr") -> str:
        """The end of what a start or preparation task said, whose folder on the node is given."""
        path = f"{folder}/{stream}.txt"
        return self._tail(lambda: self._client.download_node_file(pool, node, path))

    # Jobs and tasks

    def jobs(self) -> list[m.BatchJob]:
        """All jobs of the account."""
        return self._call(lambda: list(self._client.list_jobs()), "the jobs")

    def jobs_on(self, pool: str) -> list[m.BatchJob]:
        """Those of a pool that are active."""
        text = f"executionInfo/poolId eq '{pool}' and state eq 'active'"
        return self._call(lambda: list(self._client.list_jobs(filter=text)), f"jobs of {pool}")

    def preparations(self, job: str) -> list[Preparation]:
        """How each node was prepared for a job; none where it prepares no nodes."""
        from azure.core.exceptions import ResourceExistsError

        try:
            listed = self._call(
                lambda: list(self._client.list_job_preparation_and_release_task_status(job)),
                f"job {job}",
            )
        except ResourceExistsError:  # 409, the service's word for a job without such a task
            return []
        return [_preparation(one) for one in listed if one.job_preparation_task_execution_info]

    def job(self, id_: str) -> m.BatchJob | None:
        """A job, or None where there is none."""
        return self._or_none(lambda: self._client.get_job(id_))

    def add_job(self, job: m.BatchJobCreateOptions) -> None:
        """Make a job; nothing happens where it is there, as after an answer that was lost."""
        self._made(lambda: self._client.create_job(job), f"job {job.id}", "JobExists")

    def delete_job(self, id_: str) -> bool:
        """Remove a job with all its tasks; False where it was gone already."""
        return self._deleted(lambda: self._client.begin_delete_job(id_, polling_interval=1))

    def terminate_tasks(self, job: str, tasks: Sequence[str]) -> None:
        """End tasks, some at once."""
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="batch-end") as pool:
            list(pool.map(lambda task: self.terminate_task(job, task), tasks))

    def terminate_task(self, job: str, task: str) -> None:
        """End a task; nothing happens where it has ended."""
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        try:
            self._call(lambda: self._client.terminate_task(job, task), f"task {task}")
        except (ResourceExistsError, ResourceNotFoundError):
            return

    def add_tasks(self, job: str, tasks: Sequence[m.BatchTaskCreateOptions]) -> dict[str, str]:
        """Add tasks, 100 with each request, some requests at once.

        Returns
        -------
        dict of str to str
            Id -> why the service did not take it.
        """
        chunks = [tasks[begin : begin + BULK] for begin in range(0, len(tasks), BULK)]
        refused: dict[str, str] = {}
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="batch-add") as pool:
            for reasons in pool.map(lambda chunk: self._add(job, chunk), chunks):
                refused.update(reasons)
        return refused

    def _add(self, job: str, chunk: Sequence[m.BatchTaskCreateOptions]) -> dict[str, str]:
        from azure.batch import models as m
        from azure.core.exceptions import HttpResponseError

        waiting = {task.id: task for task in chunk}
        refused: dict[str, str] = {}
        for attempt in range(_TRIES):
            group = m.BatchTaskGroup(task_values=list(waiting.values()))
            try:
                reply = self._call(
                    lambda: self._client.create_task_collection(job, group),  # noqa: B023
                    f"job {job}",
                )
            except HttpResponseError as error:
                if error.status_code == 413 and len(chunk) > 1:
                    half = len(chunk) // 2
                    return self._add(job, chunk[:half]) | self._add(job, chunk[half:])
                raise
            for result in reply.result_values or ():
                if result.status == "success" or code_is(result.error, "TaskExists"):
                    waiting.pop(result.task_id, None)
                elif result.status == "clienterror":
                    waiting.pop(result.task_id, None)
                    code = result.error.code if result.error else None
                    refused[result.task_id] = advice.of_code(code)
            if not waiting:
                return refused
            self._pause(attempt, 0.0)
        return refused | dict.fromkeys(waiting, "Azure Batch did not take it in many tries")

    def counts(self, job: str) -> m.BatchTaskCounts:
        """How many tasks are in each state."""
        return self._call(lambda: self._client.get_job_task_counts(job).task_counts, f"job {job}")

    def changes(self, job: str, since: datetime | None) -> list[Change]:
        """Tasks that have changed their state since then; all where None."""
        text = None
        if since is not None:
            text = f"stateTransitionTime ge DateTime'{since:%Y-%m-%dT%H:%M:%S.%f}Z'"
        return self._tasks(job, text, _SELECT)

    def all_tasks(self, job: str) -> list[Change]:
        """All tasks, and what they wait for."""
        return self._tasks(job, None, [*_SELECT, "dependsOn"])

    def _tasks(self, job: str, text: str | None, select: list[str]) -> list[Change]:
        listed = self._call(
            lambda: list(self._client.list_tasks(job, filter=text, select=select)), f"job {job}"
        )
        return [_change(task) for task in listed]

    def task(self, job: str, id_: str) -> m.BatchTask | None:
        """A task, or None where there is none."""
        return self._or_none(lambda: self._client.get_task(job, id_))

    def running_tasks(self, job: str) -> list[m.BatchTask]:
        """Those that are with a node now; none where the job is gone."""
        text = "state eq 'running' or state eq 'preparing'"
        found = self._or_none(
            lambda: list(self._client.list_tasks(job, filter=text, select=_RUNNING))
        )
        return found or []

    def task_log(self, job: str, task: str, stream: Stream = "stderr") -> str:
        """The end of what a task wrote; empty where its node is gone.

        Only the end travels. The length comes from the list of files: the client's own request for
        the properties of one file fails where a node leaves out the time of its making.
        """
        path = f"{stream}.txt"

        def fetch() -> Iterator[bytes]:
            files = {file.name: file for file in self._client.list_task_files(job, task)}
            about = files[path].properties if path in files else None
            size = about.content_length if about is not None else 0
            if not size:
                return iter(())
            begin = max(0, size - 4 * _TAIL)  # bytes; a character may have four
            return self._client.download_task_file(job, task, path, ocp_range=f"bytes={begin}-")

        return self._tail(fetch)

    # Requests

    def _tail(self, fetch: Callable[[], Iterator[bytes]]) -> str:
        from azure.core.exceptions import AzureError

        end = b""
        try:
            for part in fetch():
                end = (end + part)[-4 * _TAIL :]
        except AzureError:  # the node is gone, or was never there
            return ""
        return end.decode(errors="replace")[-_TAIL:].strip()

    def _made(self, act: Callable[[], Any], what: str, exists: str) -> None:
        from azure.core.exceptions import ResourceExistsError

        try:
            self._call(act, what)
        except ResourceExistsError as error:
            if advice.code_of(error) != exists:
                raise

    def _deleted(self, act: Callable[[], Any]) -> bool:
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        try:
            self._call(act, "removal")
        except ResourceNotFoundError:
            return False
        except ResourceExistsError:  # it is being removed
            return True
        return True

    def _or_none(self, act: Callable[[], T]) -> T | None:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return self._call(act, "")
        except ResourceNotFoundError:
            return None

    def _call(self, act: Callable[[], T], what: str) -> T:
        """Do it, again where the service is busy; other errors pass."""
        from azure.core.exceptions import (
            HttpResponseError,
            ServiceRequestError,
            ServiceResponseError,
        )

        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1 or self._stop.is_set()
            try:
                return act()
            except HttpResponseError as error:
                if last or advice.is_final(error):
                    raise
                self._pause(attempt, advice.reply_of(error).asked_to_wait())
            except (ServiceRequestError, ServiceResponseError):
                if last or attempt >= 2:  # whoever polls comes again anyway
                    raise
                self._pause(attempt, None)
        raise EngineError(
            f"{what}: Azure Batch did not answer", "check batch_account_url and the network"
        )

    def _pause(self, attempt: int, least: float | None) -> None:
        """Wait, longer from try to try, never in step with others; a stop ends it."""
        pause = min(_LONGEST_PAUSE, 0.25 * 2**attempt) * (0.5 + random.random())
        self._stop.wait(max(least or 0.0, pause))


def state_of(thing: Any) -> str:
    """The state of a pool, job or task in the service's own word."""
    return str(getattr(thing.state, "value", thing.state))


def code_is(error: Any, code: str) -> bool:
    """Whether the error of one result has that code."""
    return error is not None and error.code == code


def _preparation(status: m.BatchJobPreparationAndReleaseTaskStatus) -> Preparation:
    info = status.job_preparation_task_execution_info
    ended = state_of(info) == "completed"
    failed = ended and info is not None and info.result == "failure"
    return Preparation(
        status.node_id or "",
        (info.task_root_directory if info is not None else None) or "",
        ended,
        failed,
        advice.of_failure(info.failure_info, info.exit_code) if failed and info is not None else "",
    )


def _change(task: m.BatchTask) -> Change:
    info = task.execution_info
    return Change(
        task.id,
        state_of(task),
        task.state_transition_time,
        info is not None and info.result == "success",
        info.exit_code if info is not None else None,
        tuple(task.depends_on.task_ids or ()) if task.depends_on is not None else (),
        info.failure_info if info is not None else None,
        info.start_time if info is not None else None,
        info.end_time if info is not None else None,
        1 + (info.retry_count or 0) + (info.requeue_count or 0) if info is not None else 1,
        (task.node_info.node_id or "") if task.node_info is not None else "",
    )
