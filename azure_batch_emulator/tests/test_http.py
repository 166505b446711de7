"""What goes over the wire: signatures, tokens, errors, pages, throttling, connections."""

from __future__ import annotations

import http.client
import json
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.batch import BatchClient
from azure.batch import models as m
from azure.core.credentials import AccessToken, AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy

from azure_batch_emulator import Emulator, Faults, Settings
from azure_batch_emulator.settings import random_key
from azure_batch_emulator.web.routing import OPERATIONS, UNSUPPORTED

VERSION = "api-version=2025-06-01"
QUICK = RetryPolicy(retry_backoff_factor=0.01)


class Token:
    """A credential that has one token."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(self.text, 4_000_000_000)


class PlainBearer(BearerTokenCredentialPolicy):
    """Sends a token without TLS."""

    def on_request(self, request: Any) -> None:
        request.context.options["enforce_https"] = False
        super().on_request(request)


def bearer(emulator: Emulator, text: str) -> BatchClient:
    token = Token(text)
    policy = PlainBearer(token, "https://batch.core.windows.net//.default")
    return BatchClient(emulator.url, token, authentication_policy=policy)


def test_signatures(cloud: Any) -> None:
    assert cloud.send("GET", "/pools").status == 200
    reply = cloud.send("GET", "/pools", key=random_key())
    assert (reply.status, reply.code) == (403, "AuthenticationFailed")
    assert {value["key"] for value in reply.document["values"]} == {"AuthenticationErrorDetail"}
    wrong = AzureNamedKeyCredential(cloud.emulator.account, random_key())
    with BatchClient(cloud.emulator.url, wrong) as client, pytest.raises(HttpResponseError) as got:
        list(client.list_pools())
    assert (got.value.status_code, got.value.error.code) == (403, "AuthenticationFailed")


def test_a_key_that_is_rotated_opens_nothing_any_more(cloud: Any) -> None:
    assert list(cloud.client.list_pools()) == []
    new = cloud.emulator.rotate_key()
    with pytest.raises(HttpResponseError) as got:
        list(cloud.client.list_pools())
    assert (got.value.status_code, got.value.error.code) == (403, "AuthenticationFailed")
    credential = AzureNamedKeyCredential(cloud.emulator.account, new)
    with BatchClient(cloud.emulator.url, credential) as client:
        assert list(client.list_pools()) == []


def test_a_login_that_ends(make: Any) -> None:
    cloud = make(Settings(bearer_tokens=frozenset({"abc"})))
    with bearer(cloud.emulator, "abc") as client:
        assert list(client.list_pools()) == []
        cloud.emulator.bearer_tokens = frozenset()
        with pytest.raises(HttpResponseError) as got:
            list(client.list_pools())
    assert got.value.error.code == "AuthenticationFailed"


def test_an_account_that_is_disabled_refuses_everything(cloud: Any) -> None:
    cloud.emulator.faults = Faults(disabled=True)
    for act in (cloud.client.list_pools, cloud.client.list_jobs):
        with pytest.raises(HttpResponseError) as got:
            list(act())
        assert (got.value.status_code, got.value.error.code) == (403, "AccountIsDisabled")
    cloud.emulator.faults = Faults()
    assert list(cloud.client.list_pools()) == []


@pytest.mark.parametrize(
    "authorization", ["Basic abc", "SharedKey other:abc", "SharedKey emulated:é", "Bearer abc"]
)
def test_other_ways_to_ask_are_refused(cloud: Any, authorization: str) -> None:
    reply = cloud.send("GET", "/pools", authorization=authorization)
    assert (reply.status, reply.code) == (403, "AuthenticationFailed")


def test_no_authorization_at_all(cloud: Any) -> None:
    assert cloud.send("GET", "/pools", authorization="").code == "AuthenticationFailed"


@pytest.mark.parametrize(
    "path", ["/jobs/a%20b/tasks/x%2Fy", "/jobs/%C3%A9", "/jobs/j/tasks/t/files/a%2Fb%20c%25"]
)
def test_encoded_paths_are_signed_as_they_are_sent(cloud: Any, path: str) -> None:
    assert cloud.send("GET", path).code == "JobNotFound"


def test_every_kind_of_request_is_signed(cloud: Any) -> None:
    modified = {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT", "ocp-range": "bytes=0-1"}
    for method in ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"):
        body = {"id": "é"} if method in {"POST", "PATCH", "PUT"} else None
        assert cloud.send(method, "/pools/p", body, headers=modified).status in {404, 405}


def test_body_and_query_are_part_of_what_is_signed(cloud: Any) -> None:
    cloud.job()
    filtered = "$filter=id%20eq%20'j'&api-version=2025-06-01&$select=id,state"
    reply = cloud.send("GET", "/jobs", query=filtered)
    assert reply.document["value"] == [{"id": "j", "state": "active"}]


@pytest.mark.parametrize("minutes", [-20, 20])
def test_old_requests_are_refused(cloud: Any, minutes: int) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    assert cloud.send("GET", "/pools", headers={"ocp-date": date}).code == "AuthenticationFailed"
    assert cloud.send("GET", "/pools", headers={"ocp-date": "now"}).code == "AuthenticationFailed"


def test_tokens(make: Any) -> None:
    cloud = make(Settings(bearer_tokens=frozenset({"good"}), shared_key=False))
    with bearer(cloud.emulator, "good") as client:
        assert list(client.list_pools()) == []
    with bearer(cloud.emulator, "bad") as client, pytest.raises(HttpResponseError) as caught:
        list(client.list_pools())
    assert caught.value.error.code == "AuthenticationFailed"
    with pytest.raises(HttpResponseError) as keys:
        list(cloud.client.list_pools())
    assert keys.value.error.code == "AuthenticationFailed"


def test_secrets_are_not_shown() -> None:
    settings = Settings(bearer_tokens=frozenset({"token"}))
    assert settings.key not in repr(settings)
    assert "token'" not in repr(settings)


def test_form_of_an_error(cloud: Any) -> None:
    reply = cloud.send("GET", "/jobs/none")
    document = reply.document
    assert reply.headers["Content-Type"] == "application/json; odata=minimalmetadata"
    assert document.keys() == {"odata.metadata", "code", "message"}
    assert document["message"]["lang"] == "en-US"
    lines = document["message"]["value"].split("\n")
    assert lines[0] == "The specified job does not exist."
    assert [line.split(":")[0] for line in lines[1:]] == ["RequestId", "Time"]


@pytest.mark.parametrize(
    ("request_", "query", "status", "code"),
    [
        ("GET /nothing", VERSION, 400, "InvalidUri"),
        ("GET /", VERSION, 400, "InvalidUri"),
        ("GET /jobs//tasks", VERSION, 400, "InvalidUri"),
        ("PUT /pools", VERSION, 405, "UnsupportedHttpVerb"),
        ("GET /pools", "api-version=2019-01-01.0", 400, "UnsupportedRequestVersion"),
        ("GET /pools", "timeOut=30", 400, "MissingRequiredQueryParameter"),
        ("GET /pools", f"{VERSION}&a=1", 400, "InvalidQueryParameterValue"),
        ("GET /pools", f"{VERSION}&$expand=stats", 501, "NotImplemented"),
        ("GET /pools", f"{VERSION}&$select=a/b", 400, "InvalidQueryParameterValue"),
        ("GET /pools", f"{VERSION}&maxresults=0", 400, "OutOfRangeQueryParameterValue"),
        ("GET /pools", f"{VERSION}&maxresults=1001", 400, "OutOfRangeQueryParameterValue"),
        ("DELETE /jobs/j", f"{VERSION}&force=maybe", 400, "InvalidQueryParameterValue"),
    ],
)
def test_requests_that_make_no_sense(
    cloud: Any, request_: str, query: str, status: int, code: str
) -> None:
    method, path = request_.split()
    reply = cloud.send(method, path, query=query)
    assert (reply.status, reply.code) == (status, code)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b"[" * 100_000])
def test_bodies_that_make_no_sense(cloud: Any, body: bytes) -> None:
    reply = cloud.send("POST", "/jobs", body)
    assert reply.status == 400
    assert reply.code in {"InvalidRequestBody", "InvalidPropertyValue"}


def test_large_bodies_are_refused_and_the_connection_goes_on(cloud: Any) -> None:
    body = b" " * 3_000_000
    reply = cloud.send("POST", "/jobs", body)
    assert (reply.status, reply.code) == (413, "RequestBodyTooLarge")
    assert cloud.send("GET", "/jobs").status == 200


def test_dates_as_conditions(cloud: Any) -> None:
    cloud.job()
    old, new = "Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    for method, name, date, status in (
        ("GET", "If-Modified-Since", old, 200),
        ("GET", "If-Modified-Since", new, 304),
        ("PATCH", "If-Modified-Since", new, 412),
        ("GET", "If-Unmodified-Since", new, 200),
        ("GET", "If-Unmodified-Since", old, 412),
        ("GET", "If-Unmodified-Since", "soon", 400),
        ("PATCH", "If-None-Match", "*", 412),
        ("GET", "If-Match", "*", 200),
    ):
        body = {"priority": 1} if method == "PATCH" else None
        reply = cloud.send(method, "/jobs/j", body, headers={name: date})
        assert reply.status == status, (method, name, date)
    assert cloud.client.get_job("j").priority == 0


def test_client_finds_its_request_again(cloud: Any) -> None:
    asked = {"client-request-id": "mine", "return-client-request-id": "true"}
    reply = cloud.send("GET", "/pools", headers=asked)
    assert reply.headers["client-request-id"] == "mine"
    assert reply.headers["request-id"]
    assert cloud.send("GET", "/pools").headers["client-request-id"] is None


def test_mistakes_of_the_emulator_are_answers_too(
    cloud: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(cloud.emulator._account, "jobs", None)
        reply = cloud.send("GET", "/jobs")
    assert (reply.status, reply.code) == (500, "InternalError")
    assert "a request failed inside the emulator: GET /jobs" in caplog.text
    assert cloud.send("GET", "/jobs").status == 200


def test_chunked_bodies_are_refused(cloud: Any) -> None:
    connection = http.client.HTTPConnection(urlsplit(cloud.emulator.url).netloc, timeout=10)
    connection.putrequest("POST", "/jobs")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    with connection.getresponse() as reply:
        assert (reply.status, reply.will_close) == (411, True)
    connection.close()


def test_every_unsupported_operation_says_so(cloud: Any) -> None:
    for operation in UNSUPPORTED:
        path = operation.path.replace("{", "").replace("}", "")
        reply = cloud.send(operation.method, path)
        assert reply.status == 501, operation
        if operation.method != "HEAD":
            assert reply.code == "NotImplemented"
            assert operation.name in reply.document["message"]["value"]


def test_every_operation_of_the_client_is_known() -> None:
    names = {operation.name for operation in (*OPERATIONS, *UNSUPPORTED)}
    calls = {name for name in dir(BatchClient) if not name.startswith("_")}
    calls = {name.removeprefix("begin_").removesuffix("_internal") for name in calls}
    assert calls - names == {"close", "create_tasks", "send_request"}
    assert len(names) == 72


def test_pages_are_linked(cloud: Any) -> None:
    cloud.job()
    for number in range(7):
        cloud.add(f"T{number}" if number % 2 else f"t{number}")
    query = "api-version=2025-06-01&maxresults=3&$filter=id%20ne%20't2'&$select=id,state"
    reply = cloud.send("GET", "/jobs/j/tasks", query=query).document
    assert [task["id"] for task in reply["value"]] == ["t0", "T1", "T3"]
    link = urlsplit(reply["odata.nextLink"])
    assert link.netloc == urlsplit(cloud.emulator.url).netloc
    cloud.client.delete_task("j", "T3")
    cloud.add("T1a")
    reply = cloud.send("GET", link.path, query=link.query).document
    assert reply["value"][0] == {"id": "t4", "state": "active"}
    assert [task["id"] for task in reply["value"]] == ["t4", "T5", "t6"]
    assert "odata.nextLink" not in reply
    tasks = cloud.client.list_tasks("j", max_results=2, filter="startswith(id,'t')", select=["id"])
    assert [task.id for task in tasks] == ["t0", "T1", "T1a", "t2", "t4", "T5", "t6"]
    assert cloud.emulator.requests.counts["list_tasks"] == 6


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("state eq 'completed'", ["bad", "good"]),
        ("executionInfo/result eq 'failure'", ["bad"]),
        ("executionInfo/exitCode gt 2 and executionInfo/exitCode le 3", ["bad"]),
        ("state eq 'active' or executionInfo/exitCode eq 0", ["good", "waits"]),
        ("(state eq 'active' or state eq 'completed') and id ne 'bad'", ["good", "waits"]),
        ("stateTransitionTime ge DateTime'2000-01-01T00:00:00Z'", ["bad", "good", "waits"]),
        ("stateTransitionTime ge datetime'2999-01-01T00:00:00.1234567Z'", []),
        ("executionInfo/endTime lt DateTime'2999-01-01'", ["bad", "good"]),
        ("creationTime lt DateTime'2999-01-01T00:00:00+02:00'", ["bad", "good", "waits"]),
        ("startswith(id,'B') or id gt 'h'", ["bad", "waits"]),
    ],
)
def test_filters(ready: Any, text: str, ids: list[str]) -> None:
    ready.run("true", "good")
    ready.run("sh -c 'exit 3'", "bad")
    ready.add("waits", depends_on=m.BatchTaskDependencies(task_ids=["bad"]))
    assert [task.id for task in ready.client.list_tasks("j", filter=text)] == ids


@pytest.mark.parametrize(
    "text",
    [
        "commandLine eq 'x'",
        "state startswith 'x'",
        "executionInfo/result gt 'x'",
        "state eq",
        "state eq 'a' and",
        "(state eq 'a'",
        "state eq 'a' state",
        "id eq 'a",
        "stateTransitionTime ge '2000-01-01T00:00:00Z'",
        "stateTransitionTime ge DateTime'soon'",
        "executionInfo/exitCode eq '1'",
        "id eq 1",
        "",
    ],
)
def test_filters_that_the_service_does_not_document(cloud: Any, text: str) -> None:
    cloud.job()
    with pytest.raises(HttpResponseError) as caught:
        list(cloud.client.list_tasks("j", filter=text))
    assert (caught.value.status_code, caught.value.error.code) == (
        400,
        "InvalidQueryParameterValue",
    )


def test_throttled_requests_are_tried_again(make: Any) -> None:
    cloud = make(faults=Faults(throttle_rate=0.3, retry_after=0.01), retry_policy=QUICK)
    for number in range(20):
        cloud.job(f"j{number}")
    assert len(list(cloud.client.list_jobs())) == 20
    statuses = cloud.emulator.requests.statuses
    assert statuses[201] == 20
    assert statuses[429] > 0
    assert statuses[503] > 0


@pytest.mark.parametrize(("retry_after", "header"), [(None, None), (2.0, "2"), (0.5, "0.5")])
def test_header_of_throttled_requests(make: Any, retry_after: float | None, header: str) -> None:
    cloud = make(faults=Faults(throttle_rate=1.0, retry_after=retry_after))
    replies = [cloud.send("GET", "/pools") for _ in range(12)]
    assert {(reply.status, reply.code) for reply in replies} == {
        (429, "TooManyRequests"),
        (503, "ServerBusy"),
    }
    assert {reply.headers.get("Retry-After") for reply in replies} == {header}
    cloud.emulator.faults = Faults()
    assert cloud.send("GET", "/pools").status == 200


def test_submission_fails_at_once_on_429_without_retry_after(make: Any) -> None:
    cloud = make()
    cloud.emulator.faults = Faults(throttle_rate=1.0, retry_after=None, seed=_seed_of_429())
    with pytest.raises(HttpResponseError) as caught:
        cloud.job()
    assert (caught.value.status_code, caught.value.error.code) == (429, "TooManyRequests")
    assert len(cloud.emulator.requests) == 1


def _seed_of_429() -> int:
    from azure_batch_emulator.dice import chance

    return next(seed for seed in range(100) if chance(seed, "which", 0) < 0.5)


def test_faults_are_the_same_for_the_same_seed(make: Any) -> None:
    def statuses(seed: int) -> list[int]:
        cloud = make(faults=Faults(throttle_rate=0.5, seed=seed))
        for _ in range(30):
            cloud.send("GET", "/pools")
        return [request.status for request in cloud.emulator.requests]

    assert statuses(1) == statuses(1)
    assert statuses(1) != statuses(2)


def test_connections_stay_open_and_heads_have_no_body(cloud: Any) -> None:
    cloud.pool()
    connection = http.client.HTTPConnection(urlsplit(cloud.emulator.url).netloc, timeout=10)
    for method in ("GET", "HEAD", "GET"):  # a body after HEAD would spoil the next answer
        connection.request(method, "/pools/p?api-version=2025-06-01")
        reply = connection.getresponse()
        text = reply.read()
        assert (reply.status, reply.version, reply.will_close) == (403, 11, False)
        length = int(reply.headers["Content-Length"])
        assert length > 0
        assert len(text) == (0 if method == "HEAD" else length)
    connection.close()
    reply = cloud.send("HEAD", "/pools/p")
    assert (reply.status, reply.content) == (200, b"")


def test_threads_do_not_grow(ready: Any) -> None:
    def batch_threads() -> int:
        return threading.active_count()

    ready.run("true")
    before = batch_threads()
    for _ in range(60):
        ready.send("GET", "/jobs/j")  # a connection each
    for number in range(30):
        ready.add(f"t{number}")
    ready.in_state("completed", *(f"t{number}" for number in range(30)))
    ready.until(lambda: batch_threads() <= before)


def test_log_of_requests(cloud: Any) -> None:
    cloud.job()
    cloud.send("GET", "/jobs/none")
    log = cloud.emulator.requests
    assert list(log) == [("POST", "/jobs", 201), ("GET", "/jobs/none", 404)]
    assert log.counts == {"create_job": 1, "get_job": 1}
    assert log.statuses == {201: 1, 404: 1}
    log.clear()
    assert (list(log), len(log), dict(log.counts)) == ([], 0, {})


def test_stopped_emulator_leaves_nothing(make: Any) -> None:
    before = threading.active_count()
    with Emulator(Settings(account="mine")) as emulator:
        assert emulator.account == "mine"
        assert emulator.url.startswith("http://127.0.0.1:")
        connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=10)
        connection.request("GET", "/pools")
        connection.getresponse().read()
    with pytest.raises(OSError):  # noqa: PT011 - refused or reset
        http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=1).connect()
    connection.close()
    emulator.stop()
    with pytest.raises(RuntimeError):
        emulator.start()
    cloud = make()
    cloud.until(lambda: threading.active_count() <= before + 4)


def test_recorded_pool(cloud: Any) -> None:
    body = json.loads("""
        {"id":"p1","vmSize":"standard_d2s_v5","virtualMachineConfiguration":{"imageReference":
        {"publisher":"microsoft-dsvm","offer":"ubuntu-hpc","sku":"2204","version":"latest"},
        "nodeAgentSKUId":"batch.node.ubuntu 22.04"},"targetDedicatedNodes":0,
        "targetLowPriorityNodes":4,"taskSlotsPerNode":2,"taskSchedulingPolicy":{"nodeFillType":
        "pack"},"startTask":{"commandLine":"true","waitForSuccess":true,"maxTaskRetryCount":1,
        "userIdentity":{"autoUser":{"scope":"pool","elevationLevel":"admin"}}},
        "resizeTimeout":"PT15M00S"}""")
    reply = cloud.send("POST", "/pools", body)
    assert (reply.status, reply.content) == (201, b"")
    assert reply.headers["Location"] == f"{cloud.emulator.url}/pools/p1"
    shown = cloud.send("GET", "/pools/p1").document
    assert {name: shown[name] for name in body} == body
    assert shown.keys() >= {
        "state", "allocationState", "currentDedicatedNodes", "currentLowPriorityNodes",
        "targetDedicatedNodes", "eTag", "lastModified", "creationTime", "stateTransitionTime",
    }  # fmt: skip
    cloud.nodes(pool="p1", number=4)
    (*_, node) = cloud.send("GET", "/pools/p1/nodes").document["value"]
    assert node.keys() >= {
        "id", "state", "schedulingState", "isDedicated", "affinityId", "vmSize", "totalTasksRun",
        "runningTasksCount", "runningTaskSlotsCount", "startTaskInfo",
    }  # fmt: skip
    assert cloud.send("POST", "/pools/p1/resize", {"targetLowPriorityNodes": 0}).status == 202
    scaled = {
        "enableAutoScale": True,
        "autoScaleFormula": "$TargetDedicatedNodes = 0",
        "autoScaleEvaluationInterval": "PT05M00S",
    }
    fixed = {"targetDedicatedNodes", "targetLowPriorityNodes"}
    free = {name: value for name, value in body.items() if name not in fixed}
    assert cloud.send("POST", "/pools", {**free, "id": "p2", **scaled}).status == 201
    shown = cloud.send("GET", "/pools/p2").document
    assert {name: shown[name] for name in scaled} == scaled
    assert shown["autoScaleRun"].keys() == {"timestamp", "results"}


def test_recorded_task(cloud: Any) -> None:
    cloud.job(uses_task_dependencies=True)
    body = json.loads("""
        {"id":"t1","commandLine":"..","dependsOn":{"taskIds":["a"],"taskIdRanges":[{"start":1,
        "end":10}]},"exitConditions":{"exitCodes":[{"code":3,"exitOptions":{"dependencyAction":
        "satisfy"}}],"exitCodeRanges":[{"start":10,"end":20,"exitOptions":{"jobAction":
        "terminate"}}],"default":{"jobAction":"none","dependencyAction":"block"}},"constraints":
        {"maxTaskRetryCount":2,"maxWallClockTime":"PT01H00M00S","retentionTime":"P1D"},
        "requiredSlots":1,"environmentSettings":[{"name":"B","value":"2"}],"resourceFiles":
        [{"httpUrl":"https://a/b?sas","filePath":"in/b"}],"outputFiles":[{"filePattern":
        "**/*.png","destination":{"container":{"containerUrl":"https://..?sas","path":
        "d/2020-01-01"}},"uploadOptions":{"uploadCondition":"tasksuccess"}}]}""")
    identity = {
        "storageContainerUrl": "https://acct.blob.core.windows.net/c",
        "identityReference": {"resourceId": "/subscriptions/.."},
        "filePath": "d",
    }
    container = {
        "imageName": "..",
        "containerRunOptions": "--rm",
        "workingDirectory": "taskWorkingDirectory",
    }
    for more, name in (
        ({"resourceFiles": [identity]}, "resourceFiles.identityReference"),
        ({"containerSettings": container}, "containerSettings"),
    ):
        refused = cloud.send("POST", "/jobs/j/tasks", {**body, **more})
        assert (refused.status, refused.code) == (501, "NotImplemented")
        assert name in refused.document["message"]["value"]
    assert cloud.send("POST", "/jobs/j/tasks", body).status == 201
    shown = cloud.send("GET", "/jobs/j/tasks/t1").document
    assert {name: shown[name] for name in body} == body
    assert shown["executionInfo"] == {"retryCount": 0, "requeueCount": 0}
    assert shown["userIdentity"] == {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}}
    bulk = cloud.send("POST", "/jobs/j/addtaskcollection", {"value": [body, {**body, "id": "t2"}]})
    first, second = bulk.document["value"]
    assert (first["status"], first["taskId"], first["error"]["code"]) == (
        "clienterror",
        "t1",
        "TaskExists",
    )
    assert second["status"] == "success"
    assert second.keys() == {"status", "taskId", "eTag", "lastModified", "location"}
    counts = cloud.send("GET", "/jobs/j/taskcounts").document
    zero = {"active": 2, "running": 0, "completed": 0, "succeeded": 0, "failed": 0}
    assert counts == {"taskCounts": zero, "taskSlotCounts": zero}
