"""OGC API - Processes: what there is, and what can be done."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import RedirectResponse, Response

from pyveg.core.values import not_finite, read_json
from pyveg.service.desk import MOST
from pyveg.service.processes import Process
from pyveg.service.refusals import Refusal
from pyveg.service.web import examples
from pyveg.service.web.answers import Json, link, prefers_html, root_of
from pyveg.service.web.identity import Asking, AtDesk, address_of
from pyveg.service.web.threads import at_table

router = APIRouter(tags=["processes"], responses=examples.PROBLEMS)

CONFORMS_TO = [
    f"http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/{name}"
    for name in ("core", "ogc-process-description", "json", "oas30", "job-list", "dismiss")
]
_PAGE = "/page"


@router.get("/", response_class=Json, responses=examples.LANDING)
async def landing(request: Request) -> Response:
    """Say what this is, and where to go on; a browser is led to the page."""
    if prefers_html(request.headers.get("accept", "")):
        return RedirectResponse(_PAGE, status_code=303)
    root = root_of(request)
    return Json(
        {
            "title": "pyveg",
            "description": "Jobs about the resilience of vegetation, each one run of pyveg.",
            "links": [
                link(f"{root}/", "self", "this document"),
                link(f"{root}/api", "service-desc", "the API", examples.OPENAPI),
                link(
                    f"{root}/conformance",
                    "http://www.opengis.net/def/rel/ogc/1.0/conformance",
                    "what it conforms to",
                ),
                link(
                    f"{root}/processes",
                    "http://www.opengis.net/def/rel/ogc/1.0/processes",
                    "the processes",
                ),
                link(
                    f"{root}/jobs", "http://www.opengis.net/def/rel/ogc/1.0/job-list", "your jobs"
                ),
                link(f"{root}{_PAGE}", "alternate", "for people", "text/html"),
            ],
        }
    )


@router.get("/conformance", response_class=Json)
async def conformance() -> Json:
    """Say which parts of the standard are kept to."""
    return Json({"conformsTo": CONFORMS_TO})


@router.get("/processes", response_class=Json, responses=examples.PROCESSES)
async def processes(
    request: Request,
    caller: Asking,
    desk: AtDesk,
    limit: Annotated[int, Query(ge=1, le=MOST, description="processes at most")] = MOST,
) -> Json:
    """List the processes that the caller may use."""
    root = root_of(request)
    found = desk.processes(caller)[:limit]
    return Json(
        {
            "processes": [_summary(one, root) for one in found],
            "links": [link(f"{root}/processes", "self", "this document")],
        }
    )


@router.get("/processes/{process}", response_class=Json, responses=examples.PROCESS)
async def process(process: str, request: Request, caller: Asking, desk: AtDesk) -> Json:
    """Describe a process, with the schema of each input."""
    found = desk.process(caller, process)
    described = {**_summary(found, root_of(request)), "inputs": found.schema()}
    return Json({**described, "outputs": examples.OUTPUTS})


@router.post(
    "/processes/{process}/execution",
    status_code=201,
    response_class=Json,
    responses=examples.EXECUTION,
    openapi_extra=examples.EXECUTE_BODY,
)
async def execution(
    process: str,
    request: Request,
    caller: Asking,
    desk: AtDesk,
    idempotency_key: Annotated[
        str | None,
        Header(description="your name of this request; the same one gives the same job"),
    ] = None,
) -> Json:
    """Submit a job. It is always done asynchronously.

    201 where the job is new; 200 with the job that is there where the `Idempotency-Key` was used
    for the same request before.
    """
    body = await _json_of(request)
    submitted = await at_table(
        desk.submit,
        caller,
        process,
        body.get("inputs", {}),
        key=idempotency_key,
        address=address_of(request),
    )
    job, root = submitted.job, root_of(request)
    headers = {"Location": f"{root}/jobs/{job.id}", "Preference-Applied": "respond-async"}
    content = {**job.to_json(), "links": job_links(job.id, root)}
    return Json(content, status_code=201 if submitted.new else 200, headers=headers)


def job_links(job: str, root: str) -> list[dict[str, str]]:
    """Where the parts of a job are."""
    here = f"{root}/jobs/{job}"
    results = "http://www.opengis.net/def/rel/ogc/1.0/results"
    return [
        link(here, "self", "this job"),
        link(f"{here}/results", results, "what it has made"),
        link(f"{here}/logs", "log", "what it tells"),
        link(f"{here}/events", "monitor", "what happens to it", "text/event-stream"),
        link(f"{here}/tasks", "tasks", "its tasks"),
        link(f"{root}{_PAGE}/jobs/{job}", "alternate", "for people", "text/html"),
    ]


async def _json_of(request: Request) -> dict[str, Any]:
    """The body of a request to execute something."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refusal(
            415, f"the body is {kind[:60] or 'of no kind'}", "send Content-Type: application/json"
        )
    try:
        body = read_json(await request.body())
    except ValueError as error:
        raise Refusal(400, f"the body is no JSON: {error}", "mend it") from None
    if not isinstance(body, dict):
        raise Refusal(422, "the body is no object", 'write {"inputs": {...}}', pointer="")
    if not_finite(body):
        raise Refusal(422, "the body holds NaN or an infinite number", "leave it out")
    if body.get("subscriber") is not None:
        raise Refusal(
            422,
            "this service calls nobody back",
            "leave out subscriber, and listen to the events of the job",
            pointer="/subscriber",
        )
    return body


def _summary(process: Process, root: str) -> dict[str, Any]:
    here = f"{root}/processes/{process.id}"
    return {
        "id": process.id,
        "title": process.title,
        "description": process.description,
        "version": process.version,
        "jobControlOptions": ["async-execute", "dismiss"],
        "outputTransmission": ["reference"],
        "links": [
            link(here, "self", "this process"),
            link(
                f"{here}/execution",
                "http://www.opengis.net/def/rel/ogc/1.0/execute",
                "submit a job of it",
            ),
        ],
    }
