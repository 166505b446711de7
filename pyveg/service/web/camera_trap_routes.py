"""The routes of the API of camera traps; every answer has the shape that its clients know."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from pyveg.core.errors import PyvegError
from pyveg.core.secrets import redacted
from pyveg.core.values import not_finite, read_json
from pyveg.service.builtin.score_images import ID
from pyveg.service.camera_trap import lists, requests, shapes, sync
from pyveg.service.camera_trap.requests import WrongError
from pyveg.service.camera_trap.settings import OPEN, CameraTrapSettings, versions
from pyveg.service.desk import MOST, Desk
from pyveg.service.records import Caller, JobRecord
from pyveg.service.refusals import Refusal
from pyveg.service.web.answers import root_of
from pyveg.service.web.identity import address_of
from pyveg.service.web.threads import at_table

SYNC = "/v1/camera-trap/sync/detect"
NAME = "camera-trap"
"""Whose the jobs are in the table; all clients are one, as their limit is one."""
_FIELDS = 100
_PATIENCE = 120
"""Seconds that images may take to come; each request takes the place of another."""


def make_router(desk: Desk, settings: CameraTrapSettings) -> APIRouter:
    """The routes of the API and of its sibling.

    Parameters
    ----------
    desk : Desk
    settings : CameraTrapSettings
    """
    face = Face(desk, settings)
    router = APIRouter(tags=["camera traps"])
    for path, handler, method in (
        ("", face.root, "GET"),
        ("/", face.root, "GET"),
        ("/request_detections", face.submit, "POST"),
        ("/cancel_request", face.cancel, "POST"),
        ("/task/{job}", face.task, "GET"),
        ("/default_model_version", face.default_version, "GET"),
        ("/supported_model_versions", face.supported_versions, "GET"),
        ("/all_jobs", face.all_jobs, "GET"),
    ):
        router.add_api_route(
            f"{shapes.PREFIX}{path}",
            handler,
            methods=[method],
            name=f"camera_trap_{handler.__name__}",
            include_in_schema=path != "",
            response_model=None,
        )
    few = FewImages(desk, settings)
    router.add_api_route(SYNC, few.detect, methods=["POST"], response_model=None)
    return router


class Face:
    """Requests in, calls to the desk, and replies in the clients' shape.

    Parameters
    ----------
    desk : Desk
    settings : CameraTrapSettings
    """

    def __init__(self, desk: Desk, settings: CameraTrapSettings) -> None:
        self._desk, self._settings = desk, settings
        self._caller = Caller(NAME, (ID,), settings.max_active)
        empty: Mapping[str, str] = {}
        self._allowed = lists.Listed(settings.allow_list, lists.callers, empty)
        desk.checks.append(lambda: self._allowed.troubles("camera_trap allow_list"))

    async def root(self) -> Response:
        """Say that the API is there."""
        name = self._settings.instance
        return PlainTextResponse(f"Camera traps batch processing API. Instance: {name}")

    async def submit(self, request: Request) -> Response:
        """Take a request in; 200 with its id."""
        try:
            body = await _body(request)
            sender = await at_table(self._sender, body)
            asked = requests.asked(body, sender, self._settings, self._desk.config)
            submitted = await at_table(
                self._desk.submit,
                self._caller,
                ID,
                asked.inputs,
                address=address_of(request),
                signatures=asked.signatures,
            )
        except WrongError as error:
            return _error(error.status, str(error))
        except Refusal as refusal:
            return _refused(refusal)
        except (PyvegError, OSError):
            return _error(500, "the request could not be written down, please try again later")
        return JSONResponse({"request_id": submitted.job.id})

    async def cancel(self, request: Request) -> Response:
        """Have a job stopped."""
        try:
            body = await _body(request)
            given = _id_of(body)  # before the caller, as clients know it
            await at_table(self._sender, body)
            job = await self._job(given)
            state = shapes.state_of(job)
            if state not in (shapes.CREATED, shapes.RUNNING):
                raise _cannot(state)
            await self._stop(job, address_of(request))
        except WrongError as error:
            return _error(error.status, str(error))
        return PlainTextResponse(shapes.CANCELING)

    async def _stop(self, job: JobRecord, address: str) -> None:
        try:
            await at_table(self._desk.cancel, self._caller, job.id, address=address)
        except Refusal:  # it has just ended
            raise _cannot(shapes.state_of(await self._job(job.id))) from None

    async def task(self, job: str, request: Request) -> Response:
        """Tell how a job is; whoever knows its id may ask."""
        try:
            found = await self._job(job)
        except WrongError as error:
            return _error(error.status, str(error))
        root = root_of(request)
        # Not among the threads of the table, as the run may be far away.
        said = await run_in_threadpool(shapes.shown, found, self._desk.config, self._settings, root)
        return JSONResponse(said)

    async def default_version(self) -> Response:
        """Name the model that is meant where a request names none."""
        return PlainTextResponse(self._settings.default_model_version)

    async def supported_versions(self) -> Response:
        """List the models that requests may name."""
        return JSONResponse(versions(self._settings, self._desk.config))

    async def all_jobs(self) -> Response:
        """List ids of active jobs, where the operator wants that: they are a credential."""
        found = await at_table(self._active) if self._settings.list_jobs else []
        return JSONResponse(found)

    def _active(self) -> list[str]:
        states = ("accepted", "running")
        page = self._desk.jobs(self._caller, states=states, limit=MOST)
        return [job.id for job in page.jobs]

    def _sender(self, body: Mapping[str, Any]) -> str:
        return requests.sender_of(body, self._allowed.now(), self._settings.instance)

    async def _job(self, given: str) -> JobRecord:
        try:
            found: JobRecord = await at_table(self._desk.job, self._caller, shapes.own_id(given))
        except Refusal:
            raise WrongError(404, "there is no request of that id") from None
        return found


class FewImages:
    """The sibling: images in a form, and what is on them in the answer.

    Parameters
    ----------
    desk : Desk
    settings : CameraTrapSettings
    """

    def __init__(self, desk: Desk, settings: CameraTrapSettings) -> None:
        self._settings = settings
        self._attempts = desk.attempts
        self._has_keys = settings.sync_keys not in ("", OPEN)
        self._keys = lists.Listed(settings.sync_keys, lists.keys, frozenset[str]())
        if self._has_keys:
            desk.checks.append(lambda: self._keys.troubles("camera_trap sync_keys"))
        model = desk.config.scoring_models[settings.default_model_version]
        self._look = sync.Looking(model, desk.config.images_in_flight)

    async def detect(self, request: Request) -> Response:
        """Look at up to eight images at once."""
        try:
            await at_table(self._check_key, request.headers.get("key", ""), address_of(request))
            _check_length(request.headers.get("content-length"))
            limits = sync.limits_of(request.query_params)
            with self._look.admitted():
                files = await _files(request)
                body = await run_in_threadpool(self._look, files, limits)
        except WrongError as error:
            return _error(error.status, str(error))
        except Refusal as refusal:  # too many wrong keys
            answer = _error(refusal.status, refusal.wrong)
            answer.headers["Retry-After"] = str(refusal.retry_after)
            return answer
        except PyvegError as error:
            return _error(500, f"the images could not be looked at: {redacted(error.wrong)}")
        kind = f"multipart/form-data; boundary={sync.boundary_of(body)}"
        return Response(body, headers={"Content-Type": kind})

    def _check_key(self, given: str, address: str) -> None:
        if self._settings.sync_keys == OPEN:
            return
        self._attempts.check(address, given)
        known = self._keys.now() if self._has_keys else frozenset()
        # All are compared, so that the time tells nothing.
        fine = [hmac.compare_digest(given.encode(), key.encode()) for key in known]
        if any(fine):
            self._attempts.passed(address, given)
            return
        if given:
            self._attempts.failed(address)
        raise WrongError(403, "the header key is missing, or nobody's")


def _check_length(given: str | None) -> None:
    if given is None or not given.isdecimal():
        raise WrongError(411, "the request does not say how long it is")
    if int(given) > sync.MOST_BYTES:
        raise WrongError(413, f"the images have more than {sync.MOST_BYTES // 2**20} MB")


class _InMemory(MultiPartParser):
    """Reads a form without a file on the disk: images may have people on them."""

    spool_max_size = sync.MOST_BYTES + 1_000_000


async def _files(request: Request) -> list[tuple[str, bytes]]:
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise WrongError(400, "there is no image: send multipart/form-data")
    parser = _InMemory(request.headers, request.stream(), max_files=_FIELDS, max_fields=_FIELDS)
    try:
        async with asyncio.timeout(_PATIENCE):
            form = await parser.parse()
    except TimeoutError:
        raise WrongError(503, f"the images have not come within {_PATIENCE} s") from None
    except (MultiPartException, KeyError, ValueError):
        raise WrongError(400, "the form cannot be read") from None
    try:
        parts = [one for _, one in form.multi_items() if isinstance(one, UploadFile)]
        if len(parts) > sync.MOST_IMAGES:
            raise WrongError(413, f"there are more than {sync.MOST_IMAGES} images")
        return [(one.filename or f"image {n}", await one.read()) for n, one in enumerate(parts)]
    finally:
        await form.close()


async def _body(request: Request) -> Mapping[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind[:12] == "application/" and kind[-5:] == "+json"):
        raise WrongError(415, "the body is no application/json")
    try:
        body = read_json(await request.body())
    except (ValueError, RecursionError):
        raise WrongError(415, "the body cannot be read as JSON") from None
    if not isinstance(body, dict) or not_finite(body):
        raise WrongError(415, "the body is no JSON object")
    return body


def _id_of(body: Mapping[str, Any]) -> str:
    given = body.get("request_id")
    if not isinstance(given, str) or not given:
        raise WrongError(400, "request_id must be given")
    return given


def _cannot(state: str) -> WrongError:
    return WrongError(400, f"Task has {state} and cannot be canceled")


def _refused(refusal: Refusal) -> JSONResponse:
    if refusal.status in (429, 503):
        return _error(503, shapes.FULL, refusal.retry_after)
    status = 400 if refusal.status in (413, 422) else refusal.status
    return _error(status, redacted(refusal.wrong))


def _error(status: int, what: str, retry_after: int | None = None) -> JSONResponse:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse({"error": what}, status, headers)
