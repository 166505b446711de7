"""The table of all operations: which one a request is for."""

from __future__ import annotations

from collections import defaultdict

from azure_batch_emulator.errors import BatchError, invalid_parameter
from azure_batch_emulator.operations import files as file_operations
from azure_batch_emulator.operations import jobs as job_operations
from azure_batch_emulator.operations import nodes as node_operations
from azure_batch_emulator.operations import pools as pool_operations
from azure_batch_emulator.operations import tasks as task_operations
from azure_batch_emulator.operations.nodes import NODE
from azure_batch_emulator.operations.operation import ALWAYS, Operation, unsupported
from azure_batch_emulator.protocol.messages import Request

_SCHEDULE = "/jobschedules/{schedule}"
UNSUPPORTED = (
    unsupported("list_pool_usage_metrics", "GET", "/poolusagemetrics"),
    unsupported("start_node", "POST", f"{NODE}/start"),
    unsupported("deallocate_node", "POST", f"{NODE}/deallocate"),
    unsupported("create_node_user", "POST", f"{NODE}/users"),
    unsupported("replace_node_user", "PUT", f"{NODE}/users/{{user}}"),
    unsupported("delete_node_user", "DELETE", f"{NODE}/users/{{user}}"),
    unsupported("get_node_remote_login_settings", "GET", f"{NODE}/remoteloginsettings"),
    unsupported("upload_node_logs", "POST", f"{NODE}/uploadbatchservicelogs"),
    unsupported("list_node_extensions", "GET", f"{NODE}/extensions"),
    unsupported("get_node_extension", "GET", f"{NODE}/extensions/{{extension}}"),
    unsupported("list_applications", "GET", "/applications"),
    unsupported("get_application", "GET", "/applications/{application}"),
    unsupported("create_job_schedule", "POST", "/jobschedules"),
    unsupported("list_job_schedules", "GET", "/jobschedules"),
    unsupported("get_job_schedule", "GET", _SCHEDULE),
    unsupported("job_schedule_exists", "HEAD", _SCHEDULE),
    unsupported("update_job_schedule", "PATCH", _SCHEDULE),
    unsupported("replace_job_schedule", "PUT", _SCHEDULE),
    unsupported("delete_job_schedule", "DELETE", _SCHEDULE),
    unsupported("disable_job_schedule", "POST", f"{_SCHEDULE}/disable"),
    unsupported("enable_job_schedule", "POST", f"{_SCHEDULE}/enable"),
    unsupported("terminate_job_schedule", "POST", f"{_SCHEDULE}/terminate"),
    unsupported("list_jobs_from_schedule", "GET", f"{_SCHEDULE}/jobs"),
)
"""What the service does and the emulator refuses, so that nobody takes it for done."""

OPERATIONS = (
    *pool_operations.OPERATIONS,
    *node_operations.OPERATIONS,
    *job_operations.OPERATIONS,
    *task_operations.OPERATIONS,
    *file_operations.OPERATIONS,
)


def _segments(path: str) -> tuple[str, ...]:
    return tuple(path.strip("/").split("/"))


_BY_LENGTH: defaultdict[int, list[tuple[tuple[str, ...], Operation]]] = defaultdict(list)
for _operation in (*OPERATIONS, *UNSUPPORTED):
    _pattern = _segments(_operation.path)
    _BY_LENGTH[len(_pattern)].append((_pattern, _operation))


def find(request: Request) -> tuple[Operation, Request]:
    """The operation of a request, and the request with the ids of its path.

    Raises
    ------
    BatchError
        ``InvalidUri`` where the service has nothing of this address, ``UnsupportedHttpVerb``
        where it does other things with it.
    """
    parts = request.parts
    known = False
    for pattern, operation in _BY_LENGTH.get(len(parts), ()):
        ids = _match(pattern, parts)
        if ids is None:
            continue
        if operation.method == request.method:
            _check_query(operation, request)
            return operation, request.with_ids(ids)
        known = True
    raise BatchError("UnsupportedHttpVerb" if known else "InvalidUri")


def _match(pattern: tuple[str, ...], parts: tuple[str, ...]) -> dict[str, str] | None:
    ids = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected[0] == "{" and part:
            ids[expected[1:-1]] = part
        elif expected != part:
            return None
    return ids


def _check_query(operation: Operation, request: Request) -> None:
    for name, value in request.query.items():
        if operation.status != 501 and name not in operation.query | ALWAYS:
            raise invalid_parameter(name, value, "The operation has no such parameter.")
