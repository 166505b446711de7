"""How much came in on a day, for the daily summary."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool

from pyveg.service import summary
from pyveg.service.refusals import Refusal
from pyveg.service.web import examples
from pyveg.service.web.answers import Json
from pyveg.service.web.identity import Asking, AtDesk

router = APIRouter(tags=["jobs"], responses=examples.PROBLEMS)


@router.get("/summary", response_class=Json)
async def of_a_day(
    caller: Asking,
    desk: AtDesk,
    day: Annotated[date, Query(alias="date", description="a day of UTC, YYYY-MM-DD")],
    process: Annotated[
        str, Query(max_length=64, alias="processID", description="whose jobs")
    ] = summary.PROCESS,
) -> Json:
    """Count jobs and images that came in on a day, instance by instance; for admins."""
    if not caller.admin:
        raise Refusal(
            403, "only an admin sees the jobs of all", "use the token of a caller with --admin"
        )
    found = await run_in_threadpool(summary.activity, desk.jobs_table, day, process)
    return Json(
        {"date": str(day), "process": process, "instances": [one.to_json() for one in found]}
    )
