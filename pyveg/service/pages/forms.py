"""Submitting, cancelling and removing jobs from a browser."""

from __future__ import annotations

import secrets

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pyveg.service.pages import answers
from pyveg.service.pages.boards import JobBoard
from pyveg.service.pages.form_fields import (
    Fields,
    fields_of,
    inputs_of,
    last,
    place_of,
    texts_of,
)
from pyveg.service.pages.parts import address_of
from pyveg.service.pages.site import Identity, Site, Visitor
from pyveg.service.pages.watched import Page, entered
from pyveg.service.processes import Process
from pyveg.service.refusals import Refusal

_POINTER = "/inputs/"


def routes(site: Site, identity: Identity) -> list[Route]:
    """Routes that change something, or lead to such.

    Parameters
    ----------
    site : Site
        Of the jobs of a desk.
    identity : Identity
    """
    one, form = "/page/jobs/{one}", "/page/processes/{process}"
    changing: dict[str, Page] = {
        form: _submit(identity),
        f"{one}/cancel": _cancel(identity),
        f"{one}/purge": _purge(identity),
    }
    return [
        Route("/page/processes", entered(site, _processes)),
        Route(form, entered(site, _form), methods=["GET"]),
        *(Route(path, entered(site, page), methods=["POST"]) for path, page in changing.items()),
    ]


async def _processes(request: Request, visitor: Visitor) -> Response:
    board = _jobs(visitor)
    found = await run_in_threadpool(board.desk.processes, board.caller)
    values = {**visitor.values(), "here": "new", "processes": found}
    return answers.page(request, "processes", values)


async def _form(request: Request, visitor: Visitor) -> Response:
    process = await _process(request, visitor)
    given = {one.name: texts_of(one.default) for one in process.input_list()}
    given |= {name: [text] for name, text in request.query_params.items() if name in given}
    return _shown(request, visitor, process, given)


def _submit(identity: Identity) -> Page:
    async def submit(request: Request, visitor: Visitor) -> Response:
        given = await _checked(identity, request, visitor)
        process, board = await _process(request, visitor), _jobs(visitor)
        try:
            done = await run_in_threadpool(
                board.desk.submit,
                board.caller,
                process.id,
                inputs_of(process, given),
                key=last(given, "key") or None,  # so that a form that is sent twice makes one job
                address=identity.address_of(request),
            )
        except Refusal as refusal:
            return _shown(request, visitor, process, given, refusal)
        return answers.gone_to(address_of(answers.base_of(request), board, done.job.id))

    return submit


def _shown(
    request: Request,
    visitor: Visitor,
    process: Process,
    given: Fields,
    refusal: Refusal | None = None,
) -> Response:
    """The form with what was given, and with what is wrong about that."""
    fields = process.input_list()
    names = {one.name for one in fields}
    pointer = refusal.pointer if refusal else ""
    values = {
        **visitor.values(),
        "here": "new",
        "process": process,
        "fields": fields,
        "values": {name: list(given.get(name, ())) for name in names},
        "wrong": refusal.wrong if refusal else "",
        "cure": refusal.cure if refusal else "",
        "wrong_field": pointer.removeprefix(_POINTER) if pointer.startswith(_POINTER) else "",
        "key": secrets.token_urlsafe(16),
        "with_map": {"longitude", "latitude"} <= names,
        "cross": place_of(given),
    }
    return answers.page(request, "form", values, refusal.status if refusal else 200)


def _cancel(identity: Identity) -> Page:
    async def cancel(request: Request, visitor: Visitor) -> Response:
        await _checked(identity, request, visitor)
        board, one = _jobs(visitor), request.path_params["one"]
        where = identity.address_of(request)
        await run_in_threadpool(board.desk.cancel, board.caller, one, address=where)
        return answers.gone_to(address_of(answers.base_of(request), board, one))

    return cancel


def _purge(identity: Identity) -> Page:
    async def purge(request: Request, visitor: Visitor) -> Response:
        await _checked(identity, request, visitor)
        board, one = _jobs(visitor), request.path_params["one"]
        where = identity.address_of(request)
        await run_in_threadpool(board.desk.purge, board.caller, one, address=where)
        return answers.gone_to(f"{answers.base_of(request)}/page")

    return purge


async def _checked(identity: Identity, request: Request, visitor: Visitor) -> Fields:
    """The fields of a form that this service gave to this browser."""
    given = await fields_of(request)
    if visitor.session is None:
        raise Refusal(403, "this request is of no session", "sign in")
    identity.check_csrf(visitor.session, last(given, "csrf"))
    return given


async def _process(request: Request, visitor: Visitor) -> Process:
    board, wanted = _jobs(visitor), request.path_params["process"]
    return await run_in_threadpool(board.desk.process, board.caller, wanted)


def _jobs(visitor: Visitor) -> JobBoard:
    """The board of jobs; these routes are there only beside a desk."""
    if not isinstance(visitor.board, JobBoard):
        raise TypeError("no jobs can be submitted here")
    return visitor.board
