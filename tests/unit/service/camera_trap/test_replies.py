"""Every reply, state and limit of the batch API, as its clients know them."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.service import access
from pyveg.service.desk import Desk
from pyveg.service.records import Caller
from pyveg.service.refusals import Refusal
from pyveg.service.states import JobState
from pyveg.service.web.app import create_app
from pyveg.testing.asgi import AppClient

from .conftest import PREFIX, SAS, SECRET, Trap

CONTAINER = f"https://account.blob.core.windows.net/photos?{SAS}"
LIST = "https://account.blob.core.windows.net/lists/1.json?sp=r&sig=bGlzdGxpc3RsaXN0bGlzdA%3D%3D"
GOOD = {"caller": "zoo", "input_container_sas": CONTAINER}
BY_URL = {"caller": "zoo", "use_url": True, "images_requested_json_sas": LIST}


def _sas(query: str) -> dict[str, str]:
    return {**GOOD, "input_container_sas": f"https://account.blob.core.windows.net/p?{query}"}


SUBMITTED: dict[str, tuple[Any, int, str]] = {
    "a container": (GOOD, 200, "request_id"),
    "a directory": (_sas("sr=d&sp=rl&sig=x"), 200, "request_id"),
    "a policy": (_sas("sr=c&si=readers&sig=x"), 200, "request_id"),
    "its names": ({**GOOD, "images_requested_json_sas": LIST}, 200, "request_id"),
    "addresses": (BY_URL, 200, "request_id"),
    "a text that is true": ({**BY_URL, "use_url": "true"}, 200, "request_id"),
    "any other text": ({**BY_URL, "use_url": "perhaps"}, 200, "request_id"),
    "all of it": (
        {**GOOD, "image_path_prefix": "a/", "first_n": 5, "sample_n": "2", "model_version": 3,
         "request_name": "x" * 92, "country": "UG", "organization_name": "UWA",
         "format_version": 1.6},
        200, "request_id",
    ),
    "zeros": ({**GOOD, "first_n": 0, "sample_n": None, "model_version": ""}, 200, "request_id"),
    "no caller": ({"input_container_sas": CONTAINER}, 401, "caller"),
    "a stranger": ({**GOOD, "caller": "nobody"}, 401, "caller"),
    "of another instance": ({**GOOD, "caller": "other"}, 401, "caller"),
    "a caller before all else": ({"caller": 7, "model_version": "9"}, 401, "caller"),
    "nothing": ({"caller": "zoo"}, 400, "input_container_sas must be given"),
    "a text that is false": ({**BY_URL, "use_url": "No"}, 400, "input_container_sas"),
    "an empty text": ({**BY_URL, "use_url": ""}, 400, "input_container_sas"),
    "a SAS of a blob": (_sas("sr=b&sp=rl&sig=x"), 400, "no SAS of a container"),
    "no SAS": (_sas(""), 400, "no SAS of a container"),
    "no list": (_sas("sr=c&sp=r&sig=x"), 400, "listing (l)"),
    "no read": (_sas("sr=c&sp=l&sig=x"), 400, "reading (r)"),
    "no address": ({**GOOD, "input_container_sas": "photos?sr=c&sp=rl"}, 400, "no address"),
    "a file": ({**GOOD, "input_container_sas": "file:///p?sr=c&sp=rl"}, 400, "no address"),
    "a list that is none": (
        {**GOOD, "images_requested_json_sas": "/etc/passwd"}, 400, "images_requested_json_sas",
    ),
    "an empty list": ({**GOOD, "images_requested_json_sas": ""}, 400, "is no address"),
    "an empty container": ({**BY_URL, "input_container_sas": ""}, 400, "is no address"),
    "no list by URL": ({"caller": "zoo", "use_url": 1}, 400, "images_requested_json_sas must"),
    "SAS before model": (
        {**_sas("sr=b&sig=x"), "model_version": "9"}, 400, "no SAS of a container",
    ),
    "a model": ({**GOOD, "model_version": "9", "request_name": "?"}, 400, "none of 3, 4.1"),
    "a long name": ({**GOOD, "request_name": "x" * 93}, 400, "92 characters"),
    "a name with signs": ({**GOOD, "request_name": "a b"}, 400, "request_name has other signs"),
    "a negative number": ({**GOOD, "first_n": -1}, 400, "first_n"),
    "a prefix": ({**GOOD, "image_path_prefix": ["a"]}, 400, "image_path_prefix is no text"),
    "half a character": (b'{"caller": "zoo", "input_container_sas": "%b", "image_path_prefix":'
                         b' "\\ud800"}' % CONTAINER.encode(), 400, "is no text"),
    "a format": ({**GOOD, "format_version": "2"}, 400, "none of 1.1, 1.6"),
    "a secret elsewhere": ({**GOOD, "image_path_prefix": "a?sig=abcdefghijkl"}, 400, "password"),
    "no object": ([], 415, "no JSON object"),
    "not finite": (b'{"caller": NaN}', 415, "no JSON object"),
    "no JSON": (b"{", 415, "cannot be read as JSON"),
    "no kind": (b"caller=zoo", 415, "no application/json"),
}  # fmt: skip
ID = "0" * 32
OTHERS: dict[str, tuple[str, str, Any, int, Any]] = {
    "alive": ("GET", "/", None, 200, "Camera traps batch processing API. Instance: default"),
    "default": ("GET", "/default_model_version", None, 200, "4.1"),
    "supported": ("GET", "/supported_model_versions", None, 200, ["3", "4.1"]),
    "jobs": ("GET", "/all_jobs", None, 200, []),
    "no task": ("GET", f"/task/{ID}", None, 404, {"error": "there is no request of that id"}),
    "odd task": ("GET", "/task/..%2f..", None, 404, None),
    "cancel nothing": ("POST", "/cancel_request", {"caller": "zoo"}, 400, "request_id must"),
    "cancel none": ("POST", "/cancel_request", {"caller": "zoo", "request_id": ID}, 404, "no requ"),
    "cancel what cannot be": (
        "POST",
        "/cancel_request",
        b'{"caller": "zoo", "request_id": "\\ud800"}',
        404,
        "no request",
    ),
    "cancel as nobody": ("POST", "/cancel_request", {"request_id": ID}, 401, "caller"),
    "cancel: id first": ("POST", "/cancel_request", {}, 400, "request_id must"),
    "cancel no JSON": ("POST", "/cancel_request", b"{", 415, "no application/json"),
}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Trap:
    """One for all replies."""
    return Trap(tmp_path_factory.mktemp("busy"))


def test_every_reply_to_a_request(busy: Trap) -> None:
    for name, (body, status, words) in SUBMITTED.items():
        kind = "text/plain" if name == "no kind" else "application/json"
        headers = {"content-type": kind} if isinstance(body, bytes) else {}
        found = busy.ask("POST", "/request_detections", body, **headers)
        assert found.status == status, (name, found.json)
        if status == 200:
            assert re.fullmatch("[0-9a-f]{32}", found.json["request_id"]), name
        else:
            assert list(found.json) == ["error"], name
            assert words in found.json["error"], (name, found.json)
            assert "sig=x" not in found.json["error"]


def test_every_other_reply(busy: Trap) -> None:
    for name, (method, path, body, status, words) in OTHERS.items():
        is_json = isinstance(body, bytes) and name != "cancel no JSON"
        headers = {"content-type": "application/json"} if is_json else {}
        found = busy.ask(method, path, body, **headers)
        assert found.status == status, (name, found.body)
        if isinstance(words, str) and status == 200:
            assert found.body.decode() == words, name
            assert found.headers["Content-Type"].startswith("text/plain")
        elif isinstance(words, str):
            assert words in found.json["error"], name
        elif words is not None:
            assert found.json == words, name


def test_what_a_request_becomes(busy: Trap) -> None:
    job = busy.desk.jobs_table.get(busy.submit(**SUBMITTED["all of it"][0]))
    assert job is not None
    assert job.inputs == {
        "model": "3",
        "container": "https://account.blob.core.windows.net/photos",
        "image_path_prefix": "a/",
        "first_n": 5,
        "sample_n": 2,
        "request_name": "x" * 92,
        "country": "UG",
        "organization_name": "UWA",
        "format": "1.6",
        "instance": "default",
        "sender": "zoo",
    }
    folder = busy.desk.config.job_folder(job.id)
    assert access.kept(folder) == CONTAINER
    (kept,) = folder.iterdir()
    assert (kept.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)


STATES: dict[str, tuple[tuple[JobState, ...], str, str]] = {
    "created": ((), "created", "was received"),
    "running": ((JobState.RUNNING,), "running", ""),
    "failed": ((JobState.FAILED,), "failed", "why"),
    "problem": ((JobState.RUNNING, JobState.FAILED), "problem", "why Tell whoever"),
    "no results": ((JobState.RUNNING, JobState.SUCCESSFUL), "problem", "could not be joined"),
    "canceled": ((JobState.DISMISSED,), "canceled", "has been canceled"),
}


@pytest.mark.parametrize("name", STATES)
def test_every_state_and_whether_it_can_be_canceled(name: str, busy: Trap) -> None:
    moves, state, words = STATES[name]
    job = busy.submit(**GOOD)
    for move in moves:
        assert busy.desk.jobs_table.move(job, move, "why" if move is JobState.FAILED else "")
    dashed = str(uuid.UUID(job)).upper()
    found = busy.ask("GET", f"/task/{dashed}").json
    assert list(found) == ["Status", "Endpoint", "TaskId", "Timestamp"]
    assert (found["TaskId"], found["Endpoint"]) == (job, f"{PREFIX}/request_detections")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["Timestamp"])
    assert found["Status"]["request_status"] == state
    assert words in found["Status"]["message"]
    if state == "running":
        numbers = re.findall(r"\d+", found["Status"]["message"])
        assert numbers == ["1", "0", "0", "0"]
    said = busy.ask("POST", "/cancel_request", {"caller": "zoo", "request_id": dashed})
    if state in ("created", "running"):
        assert (said.status, said.body.decode()) == (
            200,
            "Canceling signal has been sent. You can verify the status at the /task endpoint",
        )
        assert busy.status(job)["request_status"] == "canceled"
        again = busy.ask("POST", "/cancel_request", {"caller": "zoo", "request_id": job})
        state = "canceled"
    else:
        again = said
    assert again.status == 400
    if name != "no results":
        assert again.json == {"error": f"Task has {state} and cannot be canceled"}


def test_a_canceled_job_stays_so_however_it_ends(busy: Trap) -> None:
    job = busy.submit(**GOOD)
    assert busy.desk.jobs_table.move(job, JobState.RUNNING)
    assert busy.ask("POST", "/cancel_request", {"caller": "zoo", "request_id": job}).status == 200
    assert busy.desk.jobs_table.move(job, JobState.SUCCESSFUL)
    assert busy.status(job)["request_status"] == "canceled"


def test_the_limit_of_active_jobs(make_trap: Callable[..., Trap]) -> None:
    trap = make_trap(camera_trap={"max_active": 2, "list_jobs": True})
    jobs = [trap.submit(**GOOD) for _ in range(2)]
    full = trap.ask("POST", "/request_detections", GOOD)
    assert full.json == {"error": "Too many active jobs, please try again later"}
    assert full.status == 503
    # What was refused leaves no signature behind.
    assert {one.name for one in (trap.desk.config.folder / "jobs").iterdir()} == set(jobs)
    assert set(trap.ask("GET", "/all_jobs").json) == set(jobs)
    trap.ask("POST", "/cancel_request", {"caller": "zoo", "request_id": jobs[0]})
    trap.work(1)
    assert not access.kept(trap.desk.config.job_folder(jobs[0]))
    assert trap.submit(**GOOD)


def test_signatures_that_a_killed_server_has_left_are_removed(tmp_path: Path) -> None:
    for job in ("active", "over", "new"):
        access.keep(tmp_path / job, "secret")
        if job != "new":
            os.utime(tmp_path / job / "access", (0, 0))
    access.sweep(tmp_path, {"active"})
    assert [access.kept(tmp_path / job) for job in ("active", "over", "new")] == [
        "secret",
        "",
        "secret",
    ]


def test_a_job_that_cannot_be_written_down_is_500(
    busy: Trap, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(access, "keep", refuse)
    found = busy.ask("POST", "/request_detections", GOOD)
    assert (found.status, list(found.json)) == (500, ["error"])


def test_the_list_of_callers_is_read_again_and_a_broken_one_changes_nothing(
    make_trap: Callable[..., Trap],
) -> None:
    trap = make_trap()

    def status(caller: str) -> int:
        return trap.ask("POST", "/request_detections", {**GOOD, "caller": caller}).status

    assert (status("zoo"), status("new")) == (200, 401)
    trap.list_path.write_text('{"zoo": "default", "new": "default"}')
    assert (status("zoo"), status("new")) == (200, 200)
    trap.list_path.write_text('{"zoo": ')
    assert (status("zoo"), status("new")) == (200, 200)
    assert "callers.json cannot be used" in str(trap.desk.report().troubles)
    trap.list_path.write_text('{"new": "default"}')
    assert (status("zoo"), status("new")) == (401, 200)
    assert "camera_trap allow_list" not in trap.desk.report().troubles
    trap.list_path.unlink()
    assert (status("zoo"), status("new")) == (401, 200)


def test_it_is_not_there_unless_it_is_configured(make_desk: Callable[..., Desk]) -> None:
    client = AppClient(create_app(make_desk()))
    assert client.get(f"{PREFIX}/").status == 404
    assert client.request("POST", "/v1/camera-trap/sync/detect", b"").status == 404


def test_its_jobs_are_nobody_elses(busy: Trap) -> None:
    job = busy.submit(**GOOD)
    assert busy.client.get(f"/jobs/{job}").status == 401
    busy.desk.callers.add(Caller("kim"))
    with pytest.raises(Refusal, match="no job"):
        busy.desk.job(Caller("kim"), job)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"default_model_version": "9"}, UnknownNameError, "9"),
        ({"model_versions": ["3"]}, ConfigError, "none of model_versions"),
        ({"formt": "1.6"}, ConfigError, "format"),
        ({"format": "2"}, ConfigError, "format"),
    ],
)
def test_wrong_settings(
    make_trap: Callable[..., Trap], given: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        make_trap(camera_trap=given)


def test_no_secret_is_anywhere(busy: Trap) -> None:
    """Nor in the table or audit; in the files of jobs alone, which go."""
    busy.submit(**{**GOOD, "images_requested_json_sas": LIST})
    for path in busy.folder.rglob("*"):
        if path.is_file() and path.name != "access":
            data = path.read_bytes()
            assert SECRET.encode() not in data, path
            assert b"bGlzdGxpc3Rs" not in data, path
    assert SECRET not in json.dumps([str(one) for one in busy.desk.jobs_table.active()])
