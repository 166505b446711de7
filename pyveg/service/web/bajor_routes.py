"""The routes of BaJoR, below /bajor; every answer has the shape that its client knows."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from pyveg.core import registry
from pyveg.core.errors import KeyMissingError, PyvegError
from pyveg.core.ports import Store
from pyveg.core.values import not_finite, read_json
from pyveg.service.bajor import requests, shapes
from pyveg.service.bajor.requests import WrongInputError
from pyveg.service.bajor.settings import Access
from pyveg.service.desk import MOST, Desk
from pyveg.service.records import Caller, JobRecord
from pyveg.service.refusals import Refusal
from pyveg.service.states import JobState
from pyveg.service.web.answers import root_of
from pyveg.service.web.identity import address_of
from pyveg.service.web.threads import at_table

PREFIX = "/bajor"
_CHUNK = 2**16


class _Answered(Exception):  # noqa: N818 - an answer, which is no error of ours
    """Carries an answer out of a helper."""

    def __init__(self, status: int, content: Any, **headers: str) -> None:
        super().__init__(status)
        self.answer = JSONResponse(content, status, headers)


def make_router(desk: Desk, access: Access) -> APIRouter:
    """The routes of an API.

    Parameters
    ----------
    desk : Desk
    access : Access
    """
    face = Face(desk, access)
    router = APIRouter(prefix=PREFIX, tags=["BaJoR"])
    router.add_api_route("/", face.root, methods=["GET"])
    for kind in shapes.KINDS:
        for path, handler, method in (
            (f"/{kind}/jobs/", face.submit, "POST"),
            (f"/{kind}/jobs/", face.listed, "GET"),
            (f"/{kind}/jobs", face.with_slash, "POST"),
            (f"/{kind}/jobs", face.with_slash, "GET"),
            (f"/{kind}/job/{{job}}", face.one, "GET"),
        ):
            name = f"bajor_{kind}_{handler.__name__}_{method.lower()}"
            router.add_api_route(path, handler, methods=[method], name=name, response_model=None)
    router.add_api_route(
        "/jobs/{folder}/results/{path:path}", face.result, methods=["GET"], response_model=None
    )
    return router


class Face:
    """Requests in, calls to the desk, and replies in the client's shape.

    Parameters
    ----------
    desk : Desk
    access : Access
    """

    def __init__(self, desk: Desk, access: Access) -> None:
        self._desk = desk
        self._access = access
        settings = access.settings
        most = {"training": settings.max_training, "prediction": settings.max_prediction}
        # A caller for each kind, so that the table counts both by themselves, in one transaction.
        self._callers = {
            kind: Caller(f"bajor-{kind}", (process,), most[kind])
            for kind, process in shapes.KINDS.items()
        }

    async def root(self, request: Request) -> JSONResponse:
        """What probes ask for; the only route without a password."""
        root = root_of(request)
        docs = {"swagger": f"{root}/api", "redoc": f"{root}/api"}
        return JSONResponse({"autodocs": docs, "revision": os.environ.get("REVISION")})

    async def with_slash(self, request: Request) -> Response:
        """The client's path without its last slash: 307 to the one that it means."""
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{root_of(request)}{request.url.path}/{query}", 307)

    async def submit(self, request: Request) -> Response:
        """201 with an echo; 409 where the pool is full."""
        kind = _kind(request)
        try:
            await self._check(request)
            body = await _body(request)
            options = requests.options_of(body)
            settings = self._access.settings
            inputs = await at_table(
                requests.inputs_of, kind, body, options, self._desk.config, settings
            )
            submitted = await at_table(
                self._desk.submit,
                self._callers[kind],
                shapes.KINDS[kind],
                inputs,
                address=address_of(request),
            )
        except _Answered as answered:
            return answered.answer
        except WrongInputError as error:
            return _not_valid(error.place, str(error))
        except Refusal as refusal:
            return _refused(refusal)
        path = "manifest_path" if kind == "training" else "manifest_url"
        said = body[path].lstrip("/") if kind == "training" else body[path]
        status = {"status": "submitted", "message": "Job submitted successfully"}
        echo = {path: said, "opts": options, "status": status}
        return JSONResponse({**echo, "id": shapes.public_id(submitted.job.id)}, 201)

    async def listed(self, request: Request) -> Response:
        """Jobs that are active, or those that are not."""
        kind = _kind(request)
        try:
            await self._check(request)
            active = _flag(request, "active")
            found = await at_table(self._all, kind, active)
        except _Answered as answered:
            return answered.answer
        return JSONResponse([shapes.shown(one) for one in found])

    def _all(self, kind: str, active: bool) -> list[JobRecord]:
        """Every job of a kind that is active, or that is not: the client knows no pages."""
        caller, cursor = self._callers[kind], ""
        found: list[JobRecord] = []
        states = [str(state) for state in JobState if state.over != active]
        while True:
            page = self._desk.jobs(caller, states=states, limit=MOST, cursor=cursor)
            found += page.jobs
            cursor = page.next
            if not cursor:
                return found

    async def one(self, job: str, request: Request) -> Response:
        """One job, with its task where that is asked for."""
        kind = _kind(request)
        try:
            await self._check(request)
            tasks = _flag(request, "include_tasks")
            found = await self._job(kind, job)
        except _Answered as answered:
            return answered.answer
        return JSONResponse(shapes.shown(found, tasks=tasks))

    async def result(self, folder: str, path: str, request: Request) -> Response:
        """A file of the results, at the address that a job tells."""
        try:
            await self._check(request)
            store, key = await self._file(folder, path)
        except _Answered as answered:
            return answered.answer
        except (PyvegError, ValueError, KeyError):  # KeyError: it was purged, inputs too
            return JSONResponse({"detail": "Not Found"}, 404)
        kind = "application/json" if path.endswith(".json") else "application/octet-stream"
        return StreamingResponse(_pieces(store, key), media_type=kind)

    async def _file(self, folder: str, path: str) -> tuple[Store, str]:
        """Where a file of the results of a job is."""
        found = await self._of_any_kind(folder.partition("_")[2])
        known = shapes.results_folder(found).split("/")[1] == folder
        store, key = registry.store_at(found.url), f"{shapes.results_key(found)}/{path}"
        if not known or ".." in path.split("/") or await at_table(store.size, key) is None:
            raise _Answered(404, {"detail": "Not Found"})
        return store, key

    async def _of_any_kind(self, job: str) -> JobRecord:
        for kind in shapes.KINDS:
            try:
                return await self._job(kind, job)
            except _Answered:
                continue
        raise _Answered(404, {"detail": "Not Found"})

    async def _job(self, kind: str, job: str) -> JobRecord:
        try:
            return await at_table(self._desk.job, self._callers[kind], shapes.own_id(job))
        except Refusal:
            raise _Answered(404, {"detail": "Not Found"}) from None

    async def _check(self, request: Request) -> None:
        """Name and password by HTTP Basic, compared in constant time."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise _Answered(401, {"detail": "Not authenticated"}, **_BASIC)
        try:
            said = base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError):
            said = b""
        wanted = f"{self._access.settings.username}:{self._access.password}".encode()
        attempts, address = self._desk.attempts, address_of(request)
        try:
            attempts.check(address, given)
            if hmac.compare_digest(said, wanted):
                attempts.passed(address, given)
                return
            await at_table(attempts.failed, address)
        except Refusal as refusal:
            raise _Answered(429, _said(refusal), **_after(refusal)) from None
        raise _Answered(401, {"detail": "Incorrect username or password"}, **_BASIC)


def _said(refusal: Refusal) -> dict[str, str]:
    return {"state": "error", "message": refusal.wrong, "detail": refusal.wrong}


def _after(refusal: Refusal) -> dict[str, str]:
    return {"Retry-After": str(refusal.retry_after)}


_BASIC = {"WWW-Authenticate": "Basic"}


def _kind(request: Request) -> str:
    return request.url.path.removeprefix(request.scope.get("root_path", "")).split("/")[2]


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = read_json(await request.body())
    except (ValueError, RecursionError):
        raise _Answered(422, _details((), "the body is no JSON")) from None
    if not isinstance(body, dict) or not_finite(body):
        raise _Answered(422, _details((), "value is not a valid dict"))
    return body


def _flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false").lower()
    if text not in ("true", "false", "1", "0"):
        detail = [{"loc": ["query", name], "msg": "value could not be parsed to a boolean"}]
        raise _Answered(422, {"detail": detail})
    return text in ("true", "1")


def _not_valid(place: tuple[str, ...], what: str) -> JSONResponse:
    return JSONResponse(_details(place, what), 422)


def _details(place: tuple[str, ...], what: str) -> dict[str, Any]:
    """As FastAPI tells what is wrong; and in words of ours, for clients that read ``message``."""
    where = ": ".join((".".join(place) or "body", what))
    detail = [{"loc": ["body", *place], "msg": what, "type": "value_error"}]
    return {"state": "error", "message": where, "detail": detail}


def _refused(refusal: Refusal) -> JSONResponse:
    if refusal.status in (429, 503):
        return JSONResponse({"state": "error", "message": shapes.FULL}, 409)
    if refusal.status == 422:
        return _not_valid((), refusal.wrong)
    return JSONResponse({"state": "error", "message": refusal.wrong}, refusal.status)


def _pieces(store: Store, key: str) -> Any:
    try:
        with store.open_read(key) as stream:
            while data := stream.read(_CHUNK):
                yield data
    except KeyMissingError:
        return
