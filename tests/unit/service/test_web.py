"""The API, asked in this process."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import ConfigError
from pyveg.core.secrets import redacted
from pyveg.service.config import ServiceConfig
from pyveg.service.desk import Desk
from pyveg.service.records import Caller, Told
from pyveg.service.serve import listen
from pyveg.service.states import JobState
from pyveg.service.web.app import create_app
from pyveg.service.web.identity import COOKIE
from pyveg.testing.asgi import AppClient

JSON = {"content-type": "application/json"}


@pytest.fixture
def client(desk: Desk) -> AppClient:
    desk.health.beat()
    return AppClient(create_app(desk), desk.callers.add(Caller("kim")))


@pytest.fixture
def post(client: AppClient) -> Callable[..., str]:
    """Submits a job; gives its id."""

    def act(**inputs: Any) -> str:
        return str(client.execute("steps", inputs).json["jobID"])

    return act


def test_the_root_leads_on(client: AppClient) -> None:
    found = client.get("/", token="")
    assert found.status == 200
    for link in found.json["links"]:
        if link["rel"] != "alternate":
            path = link["href"].removeprefix("http://127.0.0.1:8470")
            assert client.get(path).status == 200, path
    page = client.get("/", headers={"accept": "text/html,*/*;q=0.8"})
    assert (page.status, page.headers["Location"]) == (303, "/page")


def test_the_document_describes_every_route(client: AppClient) -> None:
    found = client.get("/api", token="").json
    assert found == client.get("/openapi.json").json
    for path in ("/jobs/{job}/events", "/processes/{process}/execution", "/readyz"):
        assert path in found["paths"]
    body = found["paths"]["/processes/{process}/execution"]["post"]["requestBody"]
    assert body["content"]["application/json"]["example"]["inputs"]["longitude"] == 27.95


def test_a_job_is_submitted_and_looked_at(client: AppClient) -> None:
    made = client.execute("steps", {"count": 2}, headers={"prefer": "respond-async"})
    assert made.status == 201
    job = made.json["jobID"]
    assert made.headers["Location"] == f"http://127.0.0.1:8470/jobs/{job}"
    assert made.headers["Preference-Applied"] == "respond-async"
    found = client.get(f"/jobs/{job}").json
    assert found["status"] == "accepted"
    assert found["inputs"] == {"count": 2}
    assert found["type"] == "process"
    assert [one["jobID"] for one in client.get("/jobs").json["jobs"]] == [job]
    assert client.get(f"/jobs/{job}/logs").json == {"logs": [], "next": "", "more": False}
    assert client.get(f"/jobs/{job}/tasks").json == {"tasks": [], "next": ""}
    assert client.get(f"/jobs/{job}/nodes").json == {"nodes": [], "unseen": []}
    early = client.get(f"/jobs/{job}/results")
    assert early.status == 404
    assert early.json["type"].endswith("/result-not-ready")


def test_a_key_gives_the_same_job(client: AppClient) -> None:
    key = {"idempotency-key": "mine"}
    first = client.execute("steps", {"count": 2}, headers=key)
    again = client.execute("steps", {"count": 2}, headers=key)
    assert (first.status, again.status) == (201, 200)
    assert first.json["jobID"] == again.json["jobID"]
    other = client.execute("steps", {"count": 3}, headers=key)
    assert other.status == 409
    assert other.json["cure"] == "give each request a key of its own"


def test_limits_are_told_with_a_time(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(max_active=1)
    client = AppClient(create_app(desk), desk.callers.add(Caller("kim")))
    client.execute("steps", {})
    refused = client.execute("steps", {})
    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) > 0
    other = desk.callers.add(Caller("lee", max_active=0))
    assert client.execute("steps", {}, token=other).status == 429


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"[]", JSON, 422),
        (b'{"inputs": {"count": NaN}}', JSON, 422),
        (b'{"inputs": {"count": 1e999}}', JSON, 422),
        (b'{"inputs": {"count": 1' + b"0" * 5000 + b"}}", JSON, 400),
        (b'{"inputs": {"gate": "\\ud800"}}', JSON, 422),
        (b'{"inputs": {"\\ud800": 1}}', JSON, 422),
        (b'{"inputs": {"count": 1}, "subscriber": {"successUri": "http://x"}}', JSON, 422),
        (b'{"inputs": {"count": 1}}', {"content-type": "text/plain"}, 415),
        (b'{"inputs": {"count": 1}}', {}, 415),
        (b"x" * 1_000_001, JSON, 413),
        (b'{"inputs": {}}', {**JSON, "idempotency-key": "k" * 300}, 400),
        (b'{"inputs": {}}', {**JSON, "idempotency-key": ""}, 400),
        (b'{"inputs": {}}', {**JSON, "idempotency-key": "ghp_" + "a1" * 20}, 400),
    ],
)
def test_a_wrong_body_is_a_problem(
    client: AppClient, body: bytes, headers: dict[str, str], status: int
) -> None:
    found = client.request("POST", "/processes/steps/execution", body, headers=headers)
    assert found.status == status
    assert found.headers["Content-Type"] == "application/problem+json"
    assert found.json["status"] == status
    assert found.json["detail"]
    assert "Traceback" not in found.body.decode()
    assert client.get("/jobs").json["jobs"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/processes/none", 404),
        ("/jobs/none", 404),
        ("/jobs/none/results", 404),
        ("/jobs/none/events", 404),
        ("/jobs?limit=0", 422),
        ("/jobs?limit=x", 422),
        ("/jobs?status=lost", 422),
        ("/jobs?cursor=x", 400),
        ("/jobs?cursor=" + "9" * 30, 400),
        ("/files/a/b/c", 403),
        ("/files/a/1.0/c", 403),
    ],
)
def test_what_is_not_there_is_a_problem(client: AppClient, path: str, status: int) -> None:
    found = client.get(path)
    assert (found.status, found.headers["Content-Type"]) == (status, "application/problem+json")
    assert found.json["cure"]


def test_nobody_is_let_in_without_a_token(client: AppClient) -> None:
    for path in ("/jobs", "/processes", "/processes/steps", "/events", "/metrics"):
        found = client.get(path, token="")
        assert found.status == 401, path
        assert found.headers["Www-Authenticate"].startswith("Bearer")
    assert client.request("HEAD", "/readyz", token="").status == 200
    assert client.get("/jobs", token="pyveg_wrong").status == 401
    assert client.get("/jobs", headers={"authorization": "Basic eDp5"}).status == 401
    for path in ("/healthz", "/readyz", "/", "/conformance", "/api"):
        assert client.get(path, token="").status == 200, path


def test_callers_see_their_own(client: AppClient, desk: Desk, post: Callable[..., str]) -> None:
    job = post()
    lee = desk.callers.add(Caller("lee", ("resilience",)))
    boss = desk.callers.add(Caller("boss", admin=True))
    for method, rest in (("GET", ""), ("GET", "/results"), ("GET", "/logs"), ("DELETE", "")):
        found = client.request(method, f"/jobs/{job}{rest}", token=lee)
        assert (found.status, found.json["type"].rpartition("/")[2]) == (404, "no-such-job")
    assert client.get("/jobs", token=lee).json["jobs"] == []
    assert [one["id"] for one in client.get("/processes", token=lee).json["processes"]] == [
        "resilience"
    ]
    assert client.execute("steps", {}, token=lee).status == 403
    assert client.get(f"/jobs/{job}", token=boss).status == 200
    desk.callers.remove("lee")
    assert client.get("/jobs", token=lee).status == 401


def test_a_browser_has_a_cookie_and_must_send_a_token_back(
    client: AppClient, desk: Desk, post: Callable[..., str]
) -> None:
    job = post()
    session = desk.callers.sign_in(client.token)
    cookie = {"cookie": f"{COOKIE}={session.value}"}
    assert client.get(f"/jobs/{job}", token="", headers=cookie).status == 200
    assert client.request("DELETE", f"/jobs/{job}", token="", headers=cookie).status == 403
    wrong = {**cookie, "x-csrf-token": "0" * 64}
    assert client.request("DELETE", f"/jobs/{job}", token="", headers=wrong).status == 403
    right = {**cookie, "x-csrf-token": session.csrf}
    assert client.request("DELETE", f"/jobs/{job}", token="", headers=right).status == 200
    desk.callers.sign_out(session.value)
    assert client.get("/jobs", token="", headers=cookie).status == 401


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ("127.0.0.1:8470", True),
        ("LOCALHOST", True),
        ("[::1]:8470", True),
        ("jobs.example.org", True),
        ("evil.example.org", False),
        ("", False),
    ],
)
def test_another_host_is_refused(make_desk: Callable[..., Desk], host: str, fine: bool) -> None:
    desk = make_desk(public_url="https://jobs.example.org")
    desk.health.beat()
    client = AppClient(create_app(desk))
    assert client.get("/healthz", headers={"host": host}).status == (200 if fine else 400)


def test_links_begin_with_the_public_address(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(public_url="https://jobs.example.org/veg/")
    client = AppClient(create_app(desk), desk.callers.add(Caller("kim")))
    made = client.execute("steps", {})
    assert made.headers["Location"].startswith("https://jobs.example.org/veg/jobs/")


def test_lists_go_on_page_by_page(client: AppClient, post: Callable[..., str]) -> None:
    made = [post(count=number) for number in range(5)]
    path, seen = "/jobs?limit=2&status=accepted&processID=steps", []
    while path:
        page = client.get(path).json
        seen += [one["jobID"] for one in page["jobs"]]
        after = [link["href"] for link in page["links"] if link["rel"] == "next"]
        path = after[0].removeprefix("http://127.0.0.1:8470") if after else ""
    assert seen == made[::-1]


def test_a_job_is_dismissed_and_purged(
    client: AppClient, desk: Desk, post: Callable[..., str]
) -> None:
    job = post()
    assert client.request("DELETE", f"/jobs/{job}?purge=true").status == 409
    for _ in range(2):
        asked = client.request("DELETE", f"/jobs/{job}")
        assert (asked.status, asked.json["stopping"]) == (200, True)
    desk.jobs_table.move(job, JobState.DISMISSED, "dismissed")
    late = client.request("DELETE", f"/jobs/{job}")
    assert (late.status, late.json["cure"]) == (
        409,
        "add ?purge=true to remove what it has made",
    )
    assert client.request("DELETE", f"/jobs/{job}?purge=true").json["purged"]
    actions = [row[0] for row in desk.table.read("SELECT action FROM audit WHERE job = ?", (job,))]
    assert actions == ["submitted", "asked to stop", "purged"]


def test_it_is_ready_when_all_works(client: AppClient, desk: Desk, tmp_path: Path) -> None:
    assert client.get("/readyz", token="").json == {"status": "ready"}
    desk.health.trouble("job a", "its Store is away")
    desk.health.beat()
    (tmp_path / "steps.py").write_text("1 / 0")
    found = client.get("/readyz", token="")
    assert found.status == 503
    assert set(found.json["troubles"]) == {"job a", f"process file {tmp_path / 'steps.py'}"}
    desk.health.mend("job a")
    desk.health.beat()
    data = json.loads((desk.config.folder / "health.json").read_text())
    (desk.config.folder / "health.json").write_text(json.dumps({**data, "at": time.time() - 60}))
    assert "no sign of life" in client.get("/readyz", token="").json["detail"]


def test_a_table_that_goes_away_is_told(client: AppClient, desk: Desk) -> None:
    desk.table.close()
    for path in desk.config.folder.glob("jobs.sqlite*"):
        path.rename(path.with_suffix(f"{path.suffix}.away"))
    for path in ("/jobs", "/metrics"):
        found = client.get(path)
        assert (found.status, found.headers["Retry-After"]) == (503, "10")
        assert "is not there" in found.json["detail"]
    assert client.execute("steps", {}).status == 503
    assert client.get("/healthz").status == 200
    assert "table of jobs" in client.get("/readyz").json["troubles"]
    for path in desk.config.folder.glob("jobs.sqlite*.away"):
        path.rename(path.with_suffix(""))
    assert client.get("/jobs").status == 200, "it comes back by itself"


def test_numbers_are_those_of_the_table(
    client: AppClient, desk: Desk, post: Callable[..., str]
) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    from pyveg.service.web.metrics import keep

    post()
    app: Any = client._app
    keep(desk.table, app.state.hub._tally)
    text = client.get("/metrics").body.decode()
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["pyveg_jobs", "steps", "accepted"] == 1
    assert found["pyveg_jobs", "steps", "failed"] == 0
    execution = ("pyveg_http_requests_total", "POST", "/processes/{process}/execution", "201")
    assert found[execution] == 1
    assert found[("pyveg_ready",)] == 1


def test_a_fault_of_its_own_shows_no_traceback(
    client: AppClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the secret place")

    monkeypatch.setattr(desk, "job", fail)
    with pytest.raises(ZeroDivisionError):  # the server logs it, and has answered before
        client.get("/jobs/x")


def test_answers_say_how_they_are_to_be_taken(client: AppClient) -> None:
    headers = client.get("/healthz").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"


def test_a_token_is_known_by_its_form(client: AppClient) -> None:
    assert redacted(f"it sent {client.token}, in vain") == "it sent ***, in vain"


def test_a_list_of_many_jobs_has_what_lists_show(
    client: AppClient, desk: Desk, post: Callable[..., str]
) -> None:
    job = post()
    told = Told(tasks=4, done=1, modules=({"module": "a/B", "done": 1, "tasks": 4, "failed": 0},))
    desk.jobs_table.tell([(job, "half", told)])
    (brief,) = client.get("/jobs").json["jobs"]
    full = client.get(f"/jobs/{job}").json
    assert "modules" not in brief
    assert full["modules"][0]["module"] == "a/B"
    assert brief["progress"] == full["progress"] == 25


def test_answers_are_sent_without_delay() -> None:
    with listen(ServiceConfig(port=0)) as listening:
        assert listening.proto == socket.IPPROTO_TCP, "asyncio looks at that"
        port = listening.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=f"the port {port} of 127.0.0.1 cannot be had"),
            listen(ServiceConfig(port=port)),
        ):
            pass


def test_a_port_that_web_processes_of_a_killed_server_still_have_is_waited_for() -> None:
    with socket.socket() as orphaned:
        orphaned.bind(("127.0.0.1", 0))
        orphaned.listen()
        port = orphaned.getsockname()[1]
        threading.Timer(0.05, orphaned.close).start()
        with listen(ServiceConfig(port=port, web_workers=2)) as listening:
            assert listening.getsockname()[1] == port
