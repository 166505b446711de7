"""The application: all routes, and what goes around them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from pyveg.core.errors import PyvegError
from pyveg.core.secrets import redacted
from pyveg.service.bajor import settings as bajor_settings
from pyveg.service.camera_trap import settings as camera_trap_settings
from pyveg.service.camera_trap import sync
from pyveg.service.desk import Desk
from pyveg.service.pages import mounting
from pyveg.service.refusals import Refusal
from pyveg.service.stations.desk import MOST_BYTES, StationDesk
from pyveg.service.web import (
    bajor_routes,
    camera_trap_routes,
    events,
    examples,
    files,
    health,
    identity,
    job_routes,
    routes,
    station_routes,
    summary_routes,
)
from pyveg.service.web.answers import Json, prefers_html, problem, refusal_of
from pyveg.service.web.guard import Guard, Tally
from pyveg.service.web.hub import Hub

_FORM_LIMIT = 200_000
LIMITS = {
    "/login": 10_000,
    "/page": _FORM_LIMIT,
    "/v1/stations": MOST_BYTES + _FORM_LIMIT,
    # More than it takes, so that it is the route that refuses, in the clients' shape.
    camera_trap_routes.SYNC: 2 * sync.MOST_BYTES,
}
"""Beginning of a path -> bytes of a body at most, where that differs from the config's."""


def create_app(desk: Desk) -> FastAPI:
    """The application of a desk.

    Parameters
    ----------
    desk : Desk

    Returns
    -------
    FastAPI
        Its state has the `desk`, the `stations` and the `hub`.
    """
    tally = Tally()
    app = FastAPI(
        title="pyveg",
        version=version("pyveg"),
        summary="Jobs about the resilience of vegetation, each one run of pyveg",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.desk = desk
    app.state.hub = Hub(desk, tally)
    app.state.stations = StationDesk(desk.config)
    desk.checks.append(app.state.stations.troubles)
    config = desk.config
    app.add_middleware(
        Guard,
        hosts=[*config.hosts, config.host, urlsplit(config.public_url).hostname or config.host],
        body_limit=config.body_limit,
        limits=LIMITS,
        tally=tally,
    )
    for handled, handler in (
        (PyvegError, _refused),
        (RequestValidationError, _not_valid),
        (HTTPException, _of_http),
        (Exception, _unforeseen),
    ):
        app.add_exception_handler(handled, handler)
    # The events of a job before the parts of one, so that the more special path is found first.
    for part in (routes, events, job_routes, files, health, station_routes, summary_routes):
        app.include_router(part.router)
    access = bajor_settings.access_of(config)
    if access is not None:
        app.include_router(bajor_routes.make_router(desk, access))
    camera_trap = camera_trap_settings.settings_of(config)
    if camera_trap is not None:
        app.include_router(camera_trap_routes.make_router(desk, camera_trap))
    _add_description(app)
    mounting.mount(app, desk, identity)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    task = asyncio.create_task(app.state.hub.run())
    try:
        yield
    finally:
        app.state.hub.close()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _add_description(app: FastAPI) -> None:
    """The document of the API, by both of its usual paths."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, summary=app.summary, routes=app.routes
            )
            parts = made.setdefault("components", {})
            parts.setdefault("schemas", {})["Problem"] = examples.PROBLEM_SCHEMA
            parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            made["security"] = [{"token": []}]
            app.openapi_schema = made
        return app.openapi_schema

    async def api() -> Json:
        return Json(described(), media_type=examples.OPENAPI)

    async def plain_api() -> Json:
        return Json(described())

    app.openapi = described  # type: ignore[method-assign]
    app.add_api_route("/api", api, include_in_schema=False)
    app.add_api_route("/openapi.json", plain_api, include_in_schema=False)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, PyvegError)
    return _answered(request, refusal_of(error))


async def _not_valid(request: Request, error: Exception) -> Response:
    """A parameter that is wrong, in FastAPI's words, made ours."""
    found = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    place = [str(part) for part in found.get("loc", ())]
    name = place[-1] if place else "a parameter"
    wrong = f"{name} is not right: {found.get('msg', 'it cannot be read')}"
    return _answered(request, Refusal(422, wrong, "give it as /api describes it"))


async def _of_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    said = {404: "there is nothing at this path", 405: "this cannot be done here"}
    cure = "look at / and /api"
    answer = _answered(request, Refusal(status, said.get(status, "it cannot be answered"), cure))
    for name, value in (getattr(error, "headers", None) or {}).items():
        answer.headers[name] = value
    return answer


async def _unforeseen(request: Request, error: Exception) -> Response:
    """A fault of the service itself; its traceback is in the log of the server."""
    wrong = f"the service has met a fault of its own: {redacted(type(error).__name__)}"
    return _answered(request, Refusal(500, wrong, "tell whoever runs it; the log has more"))


def _answered(request: Request, refusal: Refusal) -> Response:
    """As a problem, or as a page for people."""
    as_page = getattr(mounting, "problem_page", None)
    if as_page is not None and prefers_html(request.headers.get("accept", "")):
        made: Response = as_page(request, refusal)
        return made
    return problem(request, refusal)
