"""Jobs: their list, their status, what they tell and what they have made."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from pyveg.service.desk import MOST
from pyveg.service.records import JobRecord
from pyveg.service.states import JobState
from pyveg.service.web import examples
from pyveg.service.web.answers import Json, link, root_of
from pyveg.service.web.identity import Asking, AtDesk, address_of
from pyveg.service.web.routes import job_links
from pyveg.service.web.threads import at_table

router = APIRouter(tags=["jobs"], responses=examples.PROBLEMS)

Cursor = Annotated[str, Query(max_length=200, description="where the last page ended")]


@router.get("/jobs", response_class=Json, responses=examples.JOBS)
async def jobs(  # noqa: PLR0917 - FastAPI passes parameters by name
    request: Request,
    caller: Asking,
    desk: AtDesk,
    status: Annotated[
        list[JobState], Query(description="only jobs in these states; may be given again")
    ] = [],  # noqa: B006 - FastAPI copies it
    process: Annotated[
        list[str],
        Query(alias="processID", description="only jobs of these processes"),
    ] = [],  # noqa: B006
    limit: Annotated[int, Query(ge=1, le=MOST, description="jobs at most")] = 50,
    cursor: Cursor = "",
) -> Json:
    """List jobs, newest first; those of the caller, or of everybody for an admin."""
    page = desk.jobs(
        caller, states=[str(one) for one in status], processes=process, limit=limit, cursor=cursor
    )
    root = root_of(request)
    links = [link(str(request.url), "self", "this page")]
    if page.next:
        given = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
        query = urlencode([*given, ("cursor", page.next)])
        links.append(link(f"{root}/jobs?{query}", "next", "the next page"))
    return Json({"jobs": [_brief(job, root) for job in page.jobs], "links": links})


@router.get("/jobs/{job}", response_class=Json, responses=examples.JOB)
async def job(job: str, request: Request, caller: Asking, desk: AtDesk) -> Json:
    """Say how a job is: from the table, which is at most a second behind its run."""
    found = desk.job(caller, job)
    return Json({**found.to_json(), "links": job_links(job, root_of(request))})


@router.delete("/jobs/{job}", response_class=Json, responses=examples.DISMISSED)
async def dismiss(
    job: str,
    request: Request,
    caller: Asking,
    desk: AtDesk,
    purge: Annotated[bool, Query(description="remove what a job that is over has made")] = False,
) -> Json:
    """Have a job stopped, or with `purge=true` all removed that it has made.

    The answer tells how the job is now; a run stops within seconds, and is `dismissed` then.
    """
    act = desk.purge if purge else desk.cancel
    found = await at_table(act, caller, job, address=address_of(request))
    return Json({**found.to_json(), "links": job_links(job, root_of(request))})


@router.get("/jobs/{job}/results", response_class=Json, responses=examples.RESULTS)
async def results(job: str, request: Request, caller: Asking, desk: AtDesk) -> Json:
    """List what a job has made: links that need no token, and expire."""
    found = await run_in_threadpool(desk.results, caller, job)
    root = root_of(request)
    return Json({n: {**one.to_json(), "href": f"{root}{one.href}"} for n, one in found.items()})


@router.get("/jobs/{job}/logs", response_class=Json, responses=examples.LOGS)
async def logs(  # noqa: PLR0917
    job: str,
    caller: Asking,
    desk: AtDesk,
    offset: Annotated[
        str, Query(max_length=500, description="id of the last entry that is known")
    ] = "",
    level: Annotated[
        Literal["", "info", "warning", "error"], Query(description="the least level")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=MOST, description="entries at most")] = 200,
) -> Json:
    """Give the log of a job, from its run, also of one that has ended."""
    page = await run_in_threadpool(desk.log, caller, job, after=offset, level=level, limit=limit)
    entries = [asdict(one) for one in page.entries]
    return Json({"logs": entries, "next": page.next, "more": page.more})


@router.get("/jobs/{job}/tasks", response_class=Json, responses=examples.TASKS)
async def tasks(  # noqa: PLR0917
    job: str,
    caller: Asking,
    desk: AtDesk,
    state: Annotated[str, Query(max_length=20, description="only tasks in this state")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST, description="tasks at most")] = 200,
    cursor: Cursor = "",
) -> Json:
    """List the tasks of a job that have begun, with how they ended and why."""
    page = await run_in_threadpool(desk.tasks, caller, job, state=state, limit=limit, cursor=cursor)
    return Json({"tasks": [asdict(one) for one in page.tasks], "next": page.next})


@router.get("/jobs/{job}/tasks/{task:path}", response_class=Json, responses=examples.TASK)
async def task(job: str, task: str, caller: Asking, desk: AtDesk) -> Json:
    """Give everything that the run of a job holds of one task, with what its program said."""
    return Json(await run_in_threadpool(desk.task, caller, job, task))


@router.get("/jobs/{job}/nodes", response_class=Json, responses=examples.NODES)
async def nodes(job: str, caller: Asking, desk: AtDesk) -> Json:
    """List the machines that work for a job, where its engine has such, and what they do."""
    found, reasons = await run_in_threadpool(desk.nodes, caller, job)
    return Json({"nodes": found, "unseen": reasons})


def _brief(job: JobRecord, root: str) -> dict[str, object]:
    """A job in a list: without its modules, which are most of it."""
    return {**job.to_json(brief=True), "links": [link(f"{root}/jobs/{job.id}", "self", "the job")]}
