"""Pages about one job or run: overview, tasks, log, files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pyveg.core.errors import PyvegError
from pyveg.core.records import Kind
from pyveg.core.secrets import redacted
from pyveg.core.tasks import State
from pyveg.runs.outputs import files_of
from pyveg.runs.run import Run
from pyveg.service import telling
from pyveg.service.pages import answers, live, reading, sent_files
from pyveg.service.pages.parts import address_of
from pyveg.service.pages.site import Site, Visitor, to_sign_in
from pyveg.service.refusals import Refusal

Page = Callable[[Request, Visitor], Awaitable[Response]]
TASKS, FILES = 100, 200
"""Tasks and files on one page."""
STATES = ("running", *(str(state) for state in State))
"""States of Tasks that people look for."""


def routes(site: Site, kind: str) -> list[Route]:
    """Routes below ``/page/<kind>/<id>``.

    Parameters
    ----------
    site : Site
    kind : {"jobs", "runs"}
    """
    one = f"/page/{kind}/{{one}}"
    pages: Mapping[str, Page] = {
        one: _overview(site),
        f"{one}/tasks": _tasks(telling.Tellers()),
        f"{one}/task": _task,
        f"{one}/log": _log,
        f"{one}/files": _files,
        f"{one}/files/{{key:path}}": _file,
    }
    return [
        *(Route(path, entered(site, page)) for path, page in pages.items()),
        Route(f"{one}/live", listening(site, _live(site))),
    ]


def entered(site: Site, page: Page) -> answers.Endpoint:
    """A route for those who may enter; others are asked to sign in, and errors are pages."""

    async def answer(request: Request) -> Response:
        known: Mapping[str, Any] = {}
        try:
            visitor = await site.enter(request)
            if visitor is None:
                return to_sign_in(request)
            known = visitor.values()
            return await page(request, visitor)
        except PyvegError as error:
            return answers.refused(request, error, **known)

    return answer


def listening(site: Site, page: Page) -> answers.Endpoint:
    """A route of events. Whoever may not listen loads the page again, which says why."""

    async def answer(request: Request) -> Response:
        try:
            visitor = await site.enter(request)
            return live.gone() if visitor is None else await page(request, visitor)
        except Refusal:
            return live.gone()
        except PyvegError as error:
            return answers.refused(request, error)

    return answer


def _overview(site: Site) -> Page:
    async def overview(request: Request, visitor: Visitor) -> Response:
        key = site.one_key(request, visitor)
        seen = await site.ones.get(key)
        still = seen.look.over or bool(request.query_params.get("still"))
        address = address_of(key.base, visitor.board, key.one)
        values = {
            "look": seen.look,
            "parts": seen.parts,
            "address": address,
            "live": f"{address}/live",
            "refresh": 0 if still else answers.REFRESH,
            "asked": {"still": request.query_params.get("still", "")},
        }
        return answers.page(request, "one", {**visitor.values(), **values})

    return overview


def _live(site: Site) -> Page:
    async def listen(request: Request, visitor: Visitor) -> Response:
        key = site.one_key(request, visitor)
        await site.ones.get(key)  # whether there is one that they may see

        async def look() -> live.Parts:
            return (await site.ones.get(key)).parts

        return live.stream(look, lambda: site.may_read(request), site.ends)

    return listen


def _tasks(tellers: telling.Tellers) -> Page:
    async def tasks(request: Request, visitor: Visitor) -> Response:
        asked = {name: request.query_params.get(name, "") for name in ("state", "cursor")}
        run, page = await _run(request, visitor), telling.TaskPage([], "")
        if run is not None:
            page = await run_in_threadpool(
                tellers.tasks, run.url, asked["state"], TASKS, asked["cursor"]
            )
        values = {"tasks": page.tasks, "next": page.next, "states": STATES, "asked": asked}
        return await _about(request, visitor, "tasks", values)

    return tasks


async def _task(request: Request, visitor: Visitor) -> Response:
    task_id = request.query_params.get("id", "")
    run = await _run(request, visitor)
    if run is None:
        raise Refusal(404, "there are no tasks yet", "wait until its run has begun")
    task = await run_in_threadpool(telling.task, run.url, task_id)
    lines = [f"{one['at'][:19].replace('T', ' ')} {_told(one)}" for one in task["events"]]
    return await _about(
        request, visitor, "task", {"task": task, "lines": lines, "texts": task["texts"]}
    )


def _told(event: Mapping[str, Any]) -> str:
    """An event of a Task as a line, with its traceback below."""
    if event["kind"] == Kind.STARTED:
        return f"begun, attempt {event['attempt']}"
    took = f" in {event['seconds']:.2f} s" if event["seconds"] else ""
    reason = f": {event['text']}" if event["text"] else ""
    details = f"\n{event['details']}" if event["details"] else ""
    return redacted(f"{event['state']}{took}{reason}{details}")


async def _log(request: Request, visitor: Visitor) -> Response:
    after = request.query_params.get("after", "")
    run = await _run(request, visitor)
    lines, following = await run_in_threadpool(reading.log_lines, run, after) if run else ([], "")
    values = {"lines": lines, "next": following, "asked": {"after": after}}
    return await _about(request, visitor, "log", values)


async def _files(request: Request, visitor: Visitor) -> Response:
    after = request.query_params.get("after", "")
    run = await _run(request, visitor)
    keys = await run_in_threadpool(files_of, run, after, FILES + 1) if run else []
    more = len(keys) > FILES
    values = {"keys": keys[:FILES], "next": keys[FILES - 1] if more else ""}
    return await _about(request, visitor, "files", {**values, "asked": {"after": after}})


async def _file(request: Request, visitor: Visitor) -> Response:
    run = await _run(request, visitor)
    if run is None:
        raise Refusal(404, "there are no files yet", "wait until its run has begun")
    return await run_in_threadpool(sent_files.send, run.store, request.path_params["key"])


async def _run(request: Request, visitor: Visitor) -> Run | None:
    return await run_in_threadpool(visitor.board.run, request.path_params["one"])


async def _about(
    request: Request, visitor: Visitor, name: str, values: Mapping[str, Any]
) -> Response:
    """One of the pages beside the overview."""
    one = request.path_params["one"]
    usual = {
        **visitor.values(),
        "look": await run_in_threadpool(visitor.board.look, one),
        "address": address_of(answers.base_of(request), visitor.board, one),
    }
    return answers.page(request, name, {**usual, **values})
