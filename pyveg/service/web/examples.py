"""Examples and descriptions for the document of the API."""

from __future__ import annotations

from typing import Any

from pyveg.core.layout import EVENTS
from pyveg.service.web.answers import PROBLEM

OPENAPI = "application/vnd.oai.openapi+json;version=3.0"

Responses = dict[int | str, dict[str, Any]]

_JOB = "0c4be5a2b7b94d52a6ad6f0f5b1d2f9e"
_EVENT = f"{EVENTS}/00001-5f0c2a7e/000001.jsonl#4"
_INPUTS = {
    "longitude": 27.95,
    "latitude": 11.57,
    "start_date": "2016-01-01",
    "end_date": "2019-01-01",
}
_STATUS = {
    "jobID": _JOB,
    "processID": "resilience",
    "type": "process",
    "status": "running",
    "message": "",
    "progress": 41,
    "created": "2026-11-27T09:00:00.000+00:00",
    "started": "2026-11-27T09:00:01.120+00:00",
    "finished": None,
    "updated": "2026-11-27T09:00:09.840+00:00",
    "stopping": False,
    "tasks": 253,
    "done": 104,
    "counts": {"succeeded": 104},
    "failures": [],
}


def _answer(description: str, example: object, schema: dict[str, Any] | None = None) -> Any:
    content = {"schema": schema or {"type": "object"}, "example": example}
    return {"description": description, "content": {"application/json": content}}


def _problem(title: str, status: int, detail: str, cure: str) -> Any:
    example = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {PROBLEM: {"schema": schema, "example": {**example, "cure": cure}}}
    return {"description": title, "content": content}


PROBLEM_SCHEMA = {
    "type": "object",
    "description": "Why a request was not carried out (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what is wrong"},
        "cure": {"type": "string", "description": "what to do about it"},
        "pointer": {"type": "string", "description": "JSON pointer to what is wrong in the body"},
        "instance": {"type": "string"},
    },
}

PROBLEMS: Responses = {
    400: _problem("The request is wrong", 400, "'x' is no cursor", "give the one of the last page"),
    401: _problem("No token", 401, "this request says not who asks", "send Authorization"),
    404: _problem("Not found", 404, f"there is no job {_JOB}", "list yours at /jobs"),
    503: _problem("Not possible at the moment", 503, "the disk is full", "make room"),
}
_WRONG = _problem(
    "The inputs are wrong",
    422,
    'inputs: unknown input "longitud"',
    'did you mean "longitude"?',
)

LANDING: Responses = {
    200: _answer("Where to go on", {"title": "pyveg", "links": []}),
    303: {"description": "To the page, for browsers"},
}
PROCESSES: Responses = {
    200: _answer("The processes", {"processes": [{"id": "resilience", "version": "1"}]})
}
PROCESS: Responses = {
    200: _answer("The process", {"id": "resilience", "inputs": {"longitude": {}}}),
    403: _problem("Not allowed", 403, "kim may not use the process", "ask the operator"),
}
OUTPUTS = {
    "summary": {
        "title": "Results of all dates and collections",
        "schema": {"type": "object", "contentMediaType": "application/json"},
    },
    "report": {
        "title": "The analysis, with its verdict, where it was asked for",
        "schema": {"type": "string", "contentMediaType": "text/html"},
    },
}
EXECUTE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["inputs"],
                    "properties": {
                        "inputs": {
                            "type": "object",
                            "description": "values by the names that the process describes",
                        },
                        "outputs": {"type": "object", "description": "all are made anyway"},
                        "response": {"type": "string", "enum": ["document", "raw"]},
                    },
                },
                "example": {"inputs": _INPUTS},
            }
        },
    }
}
EXECUTION: Responses = {
    200: _answer("The job that the same request made before", _STATUS),
    201: _answer("The new job; its address is in the header Location", _STATUS),
    403: PROCESS[403],
    409: _problem("Conflict", 409, "the Idempotency-Key was used", "give each its own"),
    413: _problem("The body is too large", 413, "more than 1000000 bytes", "send less"),
    415: _problem("The request cannot be answered", 415, "the body is text/plain", "send JSON"),
    422: _WRONG,
    429: _problem("Too many at once", 429, "50 jobs are active", "wait"),
}
JOBS: Responses = {200: _answer("Jobs", {"jobs": [_STATUS], "links": []}), 422: _WRONG}
JOB: Responses = {200: _answer("The job", _STATUS)}
DISMISSED: Responses = {
    200: _answer("The job, which is being stopped or removed", {**_STATUS, "stopping": True}),
    409: _problem("Conflict", 409, "the job is successful and cannot be dismissed", "purge it"),
    422: _WRONG,
}
RESULTS: Responses = {
    200: _answer(
        "Links by name",
        {
            "summary": {
                "href": f"http://127.0.0.1:8470/files/{_JOB}/1795000000.0a…/results_summary.json",
                "type": "application/json",
                "length": 81234,
                "expires": "2026-11-27T10:00:00.000+00:00",
            }
        },
    )
}
LOGS: Responses = {
    200: _answer(
        "Part of the log",
        {
            "logs": [
                {
                    "id": _EVENT,
                    "level": "info",
                    "time": "2026-11-27T09:00:01.540+00:00",
                    "message": "all tasks have ended",
                    "task": "",
                }
            ],
            "next": _EVENT,
            "more": False,
        },
    ),
    422: _WRONG,
}
TASKS: Responses = {
    200: _answer(
        "Part of the tasks",
        {
            "tasks": [
                {
                    "id": "SimulatedSentinel2/NDVICalculator/2016-01-01",
                    "module": "SimulatedSentinel2/NDVICalculator",
                    "state": "succeeded",
                    "seconds": 0.21,
                    "reason": "",
                }
            ],
            "next": "",
        },
    ),
    422: _WRONG,
}
TASK: Responses = {200: _answer("All about it", {"task": "a/B/c", "state": "failed", "texts": {}})}
NODES: Responses = {
    200: _answer("The machines", {"nodes": [{"id": "tvm-1", "state": "idle"}], "unseen": []})
}
FILE: Responses = {
    200: {"description": "The file", "content": {"application/octet-stream": {}}},
    403: _problem("Not allowed", 403, "this link has expired", "ask for another"),
}
