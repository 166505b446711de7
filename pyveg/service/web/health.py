"""Whether the service is there, whether it works, and its numbers."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from pyveg.service.web import metrics
from pyveg.service.web.answers import Json, Problem
from pyveg.service.web.identity import Asking, AtDesk
from pyveg.service.web.threads import at_table

router = APIRouter(tags=["health"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", response_class=Json)
async def healthz() -> Json:
    """Say that this process answers; open to all."""
    return Json({"status": "ok"})


@router.head("/readyz", include_in_schema=False)
@router.get(
    "/readyz",
    response_class=Json,
    responses={
        503: {"description": "Something does not work", "content": {Problem.media_type: {}}}
    },
)
async def readyz(desk: AtDesk) -> Json:
    """Say whether table, supervisor, Stores and process files work, and which do not; open to all.

    503 names what does not work, and why.
    """
    report = await at_table(desk.report)
    if report.well:
        return Json({"status": "ready"})
    detail = "; ".join(f"{what}: {why}" for what, why in report.troubles.items())
    return Problem(
        {
            "type": "about:blank",
            "title": "Something does not work",
            "status": 503,
            "detail": detail or "the supervisor gives no sign of life",
            "troubles": report.troubles,
        },
        status_code=503,
        headers={"Retry-After": "10"},
    )


@router.get("/metrics", response_class=Response)
async def numbers(caller: Asking, desk: AtDesk) -> Response:
    """Numbers for Prometheus."""
    del caller
    body = await at_table(metrics.text, desk)
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")
