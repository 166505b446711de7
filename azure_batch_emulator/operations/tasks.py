"""Operations on tasks."""

from __future__ import annotations

from typing import Any

from azure_batch_emulator.account.account import Account
from azure_batch_emulator.account.jobs import Job
from azure_batch_emulator.account.tasks import Task
from azure_batch_emulator.dice import hits
from azure_batch_emulator.errors import BatchError
from azure_batch_emulator.operations.operation import LISTED, SHOWN, Operation, listing, shown
from azure_batch_emulator.protocol import bodies, conditions, filters
from azure_batch_emulator.protocol.messages import Answer, Request, about, made
from azure_batch_emulator.protocol.shapes import Shape

Document = dict[str, Any]
TASKS = "/jobs/{job}/tasks"
TASK = f"{TASKS}/{{task}}"


def find(account: Account, request: Request) -> tuple[Job, Task]:
    """The task that a request names, and its job."""
    job = account.job(request.ids["job"])
    return job, job.find(request.ids["task"])


def _checked(account: Account, request: Request) -> tuple[Job, Task]:
    job, task = find(account, request)
    conditions.check(request, task)
    return job, task


def _shape(account: Account) -> Shape:
    containers = account.host.settings.containers_as_processes
    return bodies.TASK_ADD_CONTAINERS if containers else bodies.TASK_ADD


def _create(account: Account, request: Request) -> Answer:
    job = account.job(request.ids["job"])
    task = job.add(request.body(_shape(account)))
    account.schedule(job.pool_key)
    return made(task)


def _create_many(account: Account, request: Request) -> Answer:
    job = account.job(request.ids["job"])
    job.refuse_if_over()
    tasks = request.body(bodies.TASK_COLLECTION)["value"]
    results = [_result(account, job, body) for body in tasks]
    account.schedule(job.pool_key)
    return Answer({"value": results})


def _result(account: Account, job: Job, body: Any) -> Document:
    """What became of one of many."""
    try:
        _shape(account)(body)
        if _is_unlucky(account, job, body["id"].lower()):
            error = BatchError("InternalError").detail()
            return {"status": "servererror", "taskId": body["id"], "error": error}
        task = job.add(body)
    except BatchError as error:
        id_ = body.get("id") if isinstance(body, dict) else None
        return {"status": "clienterror", "taskId": id_, "error": error.detail()}
    return {
        "status": "success",
        "taskId": task.id,
        "eTag": task.document["eTag"],
        "lastModified": task.document["lastModified"],
        "location": task.url,
    }


def _is_unlucky(account: Account, job: Job, key: str) -> bool:
    job.sent[key] += 1
    faults = account.host.faults
    return hits(faults.server_error_rate, faults.seed, "add", job.key, key, job.sent[key])


def _list(account: Account, request: Request) -> Answer:
    job = account.job(request.ids["job"])
    documents = job.documents(request.query.get("$skiptoken"))
    return listing(account, request, documents, filters.TASK_FIELDS)


def _get(account: Account, request: Request) -> Answer:
    _, task = _checked(account, request)
    return Answer(shown(request, task.document), headers=about(task))


def _replace(account: Account, request: Request) -> Answer:
    job, task = _checked(account, request)
    body = request.body(bodies.TASK_PUT)
    task.change(body.get("constraints") or {}, job.document["constraints"]["maxTaskRetryCount"])
    return Answer(headers=about(task))


def _delete(account: Account, request: Request) -> Answer:
    job, task = _checked(account, request)
    job.remove(task)
    if folder := account.folder_of(job, task):
        account.host.folders.discard(folder)
    return Answer()


def _terminate(account: Account, request: Request) -> Answer:
    job, task = _checked(account, request)
    job.terminate_task(task)
    account.schedule(job.pool_key)
    return Answer()


def _reactivate(account: Account, request: Request) -> Answer:
    job, task = _checked(account, request)
    job.reactivate(task)
    account.schedule(job.pool_key)
    return Answer()


def _subtasks(account: Account, request: Request) -> Answer:
    find(account, request)
    return Answer({"value": []})  # only tasks of many instances have some


OPERATIONS = (
    Operation("create_task", "POST", TASKS, 201, _create),
    Operation("create_task_collection", "POST", "/jobs/{job}/addtaskcollection", 200, _create_many),
    Operation("list_tasks", "GET", TASKS, 200, _list, LISTED),
    Operation("get_task", "GET", TASK, 200, _get, SHOWN),
    Operation("replace_task", "PUT", TASK, 200, _replace),
    Operation("delete_task", "DELETE", TASK, 200, _delete),
    Operation("terminate_task", "POST", f"{TASK}/terminate", 204, _terminate),
    Operation("reactivate_task", "POST", f"{TASK}/reactivate", 204, _reactivate),
    Operation("list_subtasks", "GET", f"{TASK}/subtasksinfo", 200, _subtasks, SHOWN),
)
