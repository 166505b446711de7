"""Operations on the files of tasks and nodes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from azure_batch_emulator.account.account import Account
from azure_batch_emulator.errors import BatchError
from azure_batch_emulator.operations import nodes as node_operations
from azure_batch_emulator.operations import tasks as task_operations
from azure_batch_emulator.operations.operation import LISTED, Handler, Operation, listing
from azure_batch_emulator.protocol import conditions, files, filters
from azure_batch_emulator.protocol.messages import Answer, Request

Find = Callable[[Account, Request], tuple[Path, str]]
"""The folder that a request names, and its address."""

RECURSIVE = frozenset({"recursive"})


def _of_task(account: Account, request: Request) -> tuple[Path, str]:
    job, task = task_operations.find(account, request)
    if "nodeInfo" not in task.document:
        raise BatchError("TaskFilesUnavailable", "The task has not run yet.")
    if task.cleaned:
        raise BatchError("TaskFilesCleanedup")
    folder = account.folder_of(job, task)
    if folder is None:
        raise BatchError("TaskFilesUnavailable")
    if not folder.is_dir():
        lost = "The node has lost the files of the task, or has not made them yet."
        raise BatchError("TaskFilesUnavailable", lost)
    return folder, f"{task.url}/files"


def _of_node(account: Account, request: Request) -> tuple[Path, str]:
    node = node_operations.find(account, request)
    if not node.root.is_dir():
        raise BatchError("NodeStateUnusable", "The node has no files now.")
    return node.root, f"{node.url}/files"


def _operations(kind: str, path: str, find: Find) -> tuple[Operation, ...]:
    """The four operations on the files of a task or a node."""

    def list_files(account: Account, request: Request) -> Answer:
        folder, url = find(account, request)
        documents = files.documents(folder, url, request.flag("recursive"))
        return listing(
            account, request, documents, filters.FILE_FIELDS, lambda file: str(file["name"])
        )

    def look(account: Account, request: Request) -> tuple[Path, dict[str, str]]:
        folder, url = find(account, request)
        name = request.ids["file"]
        found = files.find(folder, name)
        modified = datetime.fromtimestamp(found.stat().st_mtime, UTC)
        conditions.check_version(request, "", modified)
        return found, files.headers(found, f"{url}/{name}")

    def download(account: Account, request: Request) -> Answer:
        found, headers = look(account, request)
        if found.is_dir():
            raise BatchError("FileNotFound", "A folder has no content.", FilePath=found.name)
        return Answer(file=files.part(found, request.headers.get("ocp-range")), headers=headers)

    def properties(account: Account, request: Request) -> Answer:
        found, headers = look(account, request)
        whole = files.Slice(found, 0, 0 if found.is_dir() else found.stat().st_size)
        return Answer(file=whole, headers=headers)

    def delete(account: Account, request: Request) -> Answer:
        found, _ = look(account, request)
        files.delete(found, request.flag("recursive"))
        return Answer()

    def operation(
        name: str, method: str, tail: str, handle: Handler, query: frozenset[str] = frozenset()
    ) -> Operation:
        return Operation(name, method, path + tail, 200, handle, query)

    return (
        operation(f"list_{kind}_files", "GET", "", list_files, LISTED | RECURSIVE),
        operation(f"download_{kind}_file", "GET", "/{file}", download),
        operation(f"get_{kind}_file_properties", "HEAD", "/{file}", properties),
        operation(f"delete_{kind}_file", "DELETE", "/{file}", delete, RECURSIVE),
    )


OPERATIONS = (
    *_operations("task", f"{task_operations.TASK}/files", _of_task),
    *_operations("node", f"{node_operations.NODE}/files", _of_node),
)
