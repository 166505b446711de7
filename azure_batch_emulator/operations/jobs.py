"""Operations on jobs."""

from __future__ import annotations

from typing import Any

from azure_batch_emulator.account.account import Account
from azure_batch_emulator.account.jobs import Job
from azure_batch_emulator.errors import BatchError, not_supported
from azure_batch_emulator.operations.operation import LISTED, SHOWN, Operation, listing, shown
from azure_batch_emulator.protocol import bodies, conditions, filters
from azure_batch_emulator.protocol.messages import Answer, Request, about, made

Document = dict[str, Any]
JOB = "/jobs/{job}"
FORCE = frozenset({"force"})


def _job(account: Account, request: Request) -> Job:
    job = account.job(request.ids["job"])
    conditions.check(request, job)
    return job


def _create(account: Account, request: Request) -> Answer:
    return made(account.add_job(request.body(bodies.JOB_ADD)))


def _list(account: Account, request: Request) -> Answer:
    documents = (account.jobs[key].document for key in sorted(account.jobs))
    return listing(account, request, documents, filters.JOB_FIELDS)


def _get(account: Account, request: Request) -> Answer:
    job = _job(account, request)
    return Answer(shown(request, job.document), headers=about(job))


def _update(account: Account, request: Request) -> Answer:
    return _changed(account, _job(account, request), request.body(bodies.JOB_PATCH))


def _replace(account: Account, request: Request) -> Answer:
    job = _job(account, request)
    body = request.body(bodies.JOB_PUT)
    if body.pop("poolInfo")["poolId"].lower() != job.pool_key:
        raise not_supported("moving a job to another pool")
    missing = {"priority": 0, "constraints": {}, "onAllTasksComplete": "noaction", "metadata": []}
    return _changed(account, job, {**missing, "maxParallelTasks": -1, **body})


def _changed(account: Account, job: Job, body: dict[str, object]) -> Answer:
    job.change(body)
    if "constraints" in body:
        account.deadlines.watch(job)
    account.schedule(job.pool_key)
    return Answer(headers=about(job))


def _delete(account: Account, request: Request) -> Answer:
    request.flag("force")
    _job(account, request).delete()
    account.settle()
    return Answer()


def _terminate(account: Account, request: Request) -> Answer:
    request.flag("force")
    job = _job(account, request)
    job.terminate(request.body(bodies.JOB_TERMINATE).get("terminateReason") or "UserTerminate")
    return Answer(headers=about(job))


def _disable(account: Account, request: Request) -> Answer:
    job = _job(account, request)
    job.disable(request.body(bodies.JOB_DISABLE)["disableTasks"].lower())
    return Answer(headers=about(job))


def _enable(account: Account, request: Request) -> Answer:
    job = _job(account, request)
    job.enable()
    account.schedule(job.pool_key)
    return Answer(headers=about(job))


def _counts(account: Account, request: Request) -> Answer:
    return Answer(account.job(request.ids["job"]).counts())


def _preparation(account: Account, request: Request) -> Answer:
    job = account.job(request.ids["job"])
    if "jobPreparationTask" not in job.document:
        raise BatchError("JobPreparationTaskNotSpecified")
    nodes = (node for pool in account.pools.values() for node in pool.nodes.values())
    done = (node.preparation(job.key) for node in nodes)
    documents = sorted((one.document() for one in done if one), key=_node)
    return listing(account, request, documents, filters.PREPARATION_FIELDS, _node)


def _node(document: Document) -> str:
    return f"{document['poolId']}:{document['nodeId']}"


OPERATIONS = (
    Operation("create_job", "POST", "/jobs", 201, _create),
    Operation("list_jobs", "GET", "/jobs", 200, _list, LISTED),
    Operation("get_job", "GET", JOB, 200, _get, SHOWN),
    Operation("update_job", "PATCH", JOB, 200, _update),
    Operation("replace_job", "PUT", JOB, 200, _replace),
    Operation("delete_job", "DELETE", JOB, 202, _delete, FORCE),
    Operation("terminate_job", "POST", f"{JOB}/terminate", 202, _terminate, FORCE),
    Operation("disable_job", "POST", f"{JOB}/disable", 202, _disable),
    Operation("enable_job", "POST", f"{JOB}/enable", 202, _enable),
    Operation("get_job_task_counts", "GET", f"{JOB}/taskcounts", 200, _counts),
    Operation(
        "list_job_preparation_and_release_task_status",
        "GET",
        f"{JOB}/jobpreparationandreleasetaskstatus",
        200,
        _preparation,
        LISTED,
    ),
)
