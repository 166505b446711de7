"""The API of BaJoR: every reply, and what its client makes of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import ConfigError
from pyveg.service import keys, table
from pyveg.service.bajor import requests, shapes
from pyveg.service.config import ServiceConfig, settled
from pyveg.service.desk import Desk
from pyveg.service.states import JobState
from pyveg.service.web.app import create_app
from pyveg.storage.local import LocalStore
from pyveg.testing.asgi import AppClient

PASSWORD = "a long password"
REAL_FETCHED = requests._fetched
MANIFEST = '[["https://images.org/a.png", "{\\"subject_id\\": 14}"]]'


def _basic(name: str = "kade", password: str = PASSWORD) -> dict[str, str]:
    text = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"authorization": f"Basic {text}"}


def _desk(folder: Path, **more: Any) -> Desk:
    """A service that offers a training to that client."""
    (folder / "train.py").write_text("")
    (folder / "catalogs/sub").mkdir(parents=True)
    (folder / "catalogs/sub/c.csv").write_text("id_str,file_loc,a\nx,x.png,1\n")
    (folder / "secret.csv").write_text("")
    bajor = {
        "training": "galaxy",
        "workflows": {"euclid": "galaxy"},
        "catalogs": "catalogs",
        "username": "kade",
        "container_images": ["zoo:1"],
        **more,
    }
    given = {"trainings": {"galaxy": {"train": {"script": "train.py"}}}, "bajor": bajor}
    config = settled(ServiceConfig(**given), folder)
    table.make(config.table_path)
    keys.make(config.folder)
    return Desk(config)


def _fetched(url: str, config: ServiceConfig, settings: Any) -> Path:
    """Manifests come from no network."""
    del settings
    if "://" not in url:
        raise requests.WrongInputError(("manifest_url",), "invalid or missing URL scheme")
    path = config.folder / "manifests/m.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(MANIFEST)
    return path


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """One without jobs."""
    monkeypatch.setenv("PYVEG_BAJOR_PASSWORD", PASSWORD)
    return _desk(tmp_path)


@pytest.fixture
def client(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AppClient:
    monkeypatch.setattr(requests, "_fetched", _fetched)
    return AppClient(create_app(desk))


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppClient]:
    """One that has room for the jobs of many tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYVEG_BAJOR_PASSWORD", PASSWORD)
        patch.setattr(requests, "_fetched", _fetched)
        desk = _desk(tmp_path_factory.mktemp("busy"), max_training=99)
        yield AppClient(create_app(desk))


def _asking(client: AppClient) -> Callable[..., Any]:
    def act(method: str, path: str, body: Any = None, **headers: str) -> Any:
        return client.request(method, f"/bajor{path}", body, headers={**_basic(), **headers})

    return act


@pytest.fixture
def ask(client: AppClient) -> Callable[..., Any]:
    """Sends a request as the client does."""
    return _asking(client)


TRAINING = {"manifest_path": "/sub/c.csv"}
PREDICTION = {"manifest_url": "https://kade.org/m.json"}
DEFAULTS = {
    "run_opts": "",
    "workflow_name": "cosmic_dawn",
    "container_image_name": None,
    "pretrained_checkpoint_url": None,
    "training_script_path": None,
    "prediction_script_path": None,
    "promote_script_path": None,
}
OPTS = "/training/jobs/"
TABLE: dict[str, tuple[str, str, Any, int, Any]] = {
    "root": ("GET", "/", None, 200, "autodocs"),
    "a training": ("POST", "/training/jobs/", TRAINING, 201, "submitted"),
    "a prediction": ("POST", "/prediction/jobs/", PREDICTION, 201, "submitted"),
    "no slash": ("POST", "/training/jobs", TRAINING, 307, ""),
    "a workflow": ("POST", OPTS, {**TRAINING, "opts": {"workflow_name": "euclid"}}, 201, "euclid"),
    "its script": (
        "POST", OPTS, {**TRAINING, "opts": {"training_script_path": "train.py"}}, 201, "train.py",
    ),
    "its image": ("POST", OPTS, {**TRAINING, "opts": {"container_image_name": "zoo:1"}}, 201, ""),
    "no field": ("POST", "/training/jobs/", {}, 422, "field required"),
    "no address": ("POST", "/prediction/jobs/", {"manifest_url": "m.json"}, 422, "URL scheme"),
    "no text": ("POST", "/training/jobs/", {"manifest_path": 3}, 422, "str type expected"),
    "no object": ("POST", "/training/jobs/", [], 422, "not a valid dict"),
    "no such file": ("POST", "/training/jobs/", {"manifest_path": "d.csv"}, 422, "no such file"),
    "elsewhere": ("POST", OPTS, {"manifest_path": "../secret.csv"}, 422, "no such file"),
    "an image": ("POST", OPTS, {**TRAINING, "opts": {"container_image_name": "x"}}, 422, "list"),
    "a script": (
        "POST", OPTS, {**TRAINING, "opts": {"training_script_path": "../x.py"}}, 422, "list",
    ),
    "a checkpoint": (
        "POST", OPTS, {**TRAINING, "opts": {"pretrained_checkpoint_url": "https://x/y"}}, 422,
        "list",
    ),
    "no workflow": ("POST", OPTS, {**TRAINING, "opts": {"workflow_name": "x"}}, 422, "workflow"),
    "an option": ("POST", OPTS, {**TRAINING, "opts": {"x": "y"}}, 422, "not permitted"),
    "a quote": ("POST", OPTS, {**TRAINING, "opts": {"run_opts": "'"}}, 422, "cannot be divided"),
    "no job": ("GET", "/training/job/5", None, 404, "Not Found"),
    "none has ended": ("GET", "/training/jobs/", None, 200, []),
    "a flag": ("GET", "/training/jobs/?active=perhaps", None, 422, "boolean"),
    "no result": ("GET", "/jobs/x_y/results/predictions.json", None, 404, "Not Found"),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_every_reply(name: str, busy: AppClient) -> None:
    method, path, body, status, words = TABLE[name]
    found = _asking(busy)(method, path, body)
    assert found.status == status, found.json
    if status == 307:
        assert found.headers["Location"].endswith(f"/bajor{path}/")
    elif isinstance(words, list):
        assert found.json == words
    else:
        assert words in json.dumps(found.json)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "Not authenticated"),
        ({"authorization": "Bearer x"}, "Not authenticated"),
        (_basic("other"), "Incorrect username or password"),
        (_basic("kade", "wrong"), "Incorrect username or password"),
        ({"authorization": "Basic ???"}, "Incorrect username or password"),
    ],
)
@pytest.mark.parametrize("path", ["/training/jobs/", "/prediction/job/1", "/jobs/a/results/b"])
def test_who_is_nobody(busy: AppClient, path: str, headers: dict[str, str], said: str) -> None:
    found = busy.get(f"/bajor{path}", headers=headers)
    assert (found.status, found.json) == (401, {"detail": said})
    assert {name.lower(): v for name, v in found.headers.items()}["www-authenticate"] == "Basic"


def test_the_echo_is_the_request_with_an_id_and_a_status(ask: Callable[..., Any]) -> None:
    found = ask("POST", "/training/jobs/", {**TRAINING, "opts": {"run_opts": "--epochs 3"}}).json
    job = found.pop("id")
    assert len(job) == 36
    assert found == {
        "manifest_path": "sub/c.csv",
        "opts": {**DEFAULTS, "run_opts": "--epochs 3"},
        "status": {"status": "submitted", "message": "Job submitted successfully"},
    }


def test_a_full_pool_is_409_and_the_other_pool_is_not_full(ask: Callable[..., Any]) -> None:
    assert [ask("POST", "/training/jobs/", TRAINING).status for _ in range(3)] == [201, 201, 409]
    full = ask("POST", "/training/jobs/", TRAINING).json
    assert full == {"state": "error", "message": shapes.FULL}
    assert ask("POST", "/prediction/jobs/", PREDICTION).status == 201
    assert len(ask("GET", "/training/jobs/?active=true").json) == 2
    assert ask("GET", "/training/jobs/").json == []


def test_a_list_has_all_jobs_however_many_there_are(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyveg.service.web.bajor_routes.MOST", 1)
    made = [ask("POST", "/training/jobs/", TRAINING).json["id"] for _ in range(2)]
    listed = ask("GET", "/training/jobs/?active=true").json
    assert sorted(job["id"] for job in listed) == sorted(made)


def test_options_are_divided_and_run_nothing(ask: Callable[..., Any], desk: Desk) -> None:
    text = "--out ../x ; touch hacked '$(touch hacked)'"
    found = ask("POST", "/training/jobs/", {**TRAINING, "opts": {"run_opts": text}})
    job = desk.jobs_table.get(shapes.own_id(found.json["id"]))
    assert job is not None
    wanted = ["--out", "../x", ";", "touch", "hacked", "$(touch hacked)"]
    assert job.inputs["options"] == wanted


class Kade:
    """What the client does with a job, by its rules."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask
        self.state, self.results, self.message = "pending", "", ""
        self.job = ""

    def submit(self) -> None:
        found = self._ask("POST", "/prediction/jobs/", PREDICTION)
        if found.status == 201:
            self.job, self.state = found.json["id"], "submitted"
        else:
            self.message = found.json["message"]

    def poll(self) -> None:
        found = self._ask("GET", f"/prediction/job/{self.job}?include_tasks=true")
        assert found.status == 200
        results = [task["execution_info"].get("result") for task in found.json["tasks"]]
        assert results  # to the client an empty list is a success
        if all(result == "success" for result in results):
            settings = {s["name"]: s["value"] for s in found.json["common_environment_settings"]}
            self.state = "completed"
            self.results = f"/{settings['PREDICTIONS_JOB_RESULTS_DIR']}/predictions.json"
        elif "failure" in results:
            self.state = "failed"


OUTCOMES = {
    (JobState.RUNNING, JobState.SUCCESSFUL): ("completed", "success", 0),
    (JobState.FAILED,): ("failed", "failure", 1),
    (JobState.RUNNING, JobState.FAILED): ("failed", "failure", 1),
    (JobState.DISMISSED,): ("failed", "failure", 1),
    (): ("submitted", None, None),
    (JobState.RUNNING,): ("submitted", None, None),
}


@pytest.mark.parametrize("moves", OUTCOMES)
def test_the_decision_table_of_the_client(
    moves: tuple[JobState, ...], ask: Callable[..., Any], desk: Desk
) -> None:
    kade = Kade(ask)
    kade.submit()
    kade.poll()
    assert kade.state == "submitted"
    job = shapes.own_id(kade.job)
    for state in moves:
        assert desk.jobs_table.move(job, state)
    kade.poll()
    wanted, result, code = OUTCOMES[moves]
    assert kade.state == wanted
    task = ask("GET", f"/prediction/job/{kade.job}?include_tasks=true").json["tasks"][0]
    assert task["execution_info"].get("result") == result
    assert task["execution_info"].get("exit_code") == code
    assert "tasks" not in ask("GET", f"/prediction/job/{kade.job}").json


def test_results_are_where_the_job_says(ask: Callable[..., Any], desk: Desk) -> None:
    kade = Kade(ask)
    kade.submit()
    job = desk.jobs_table.get(shapes.own_id(kade.job))
    assert job is not None
    said = {"data": {"14": {"0": [0.9, []]}}, "failures": []}
    store = LocalStore(Path(job.url))
    store.write("model/_predictions/m.json/predictions.json", json.dumps(said).encode())
    for state in (JobState.RUNNING, JobState.SUCCESSFUL):
        assert desk.jobs_table.move(job.id, state)
    kade.poll()
    assert ":" not in kade.results
    assert ask("GET", kade.results).json == said
    for other in ("../run.json", "none.json"):
        assert ask("GET", kade.results.replace("predictions.json", other)).status == 404
    elsewhere = kade.results.replace("/jobs/2", "/jobs/1")
    assert ask("GET", elsewhere).status == 404


def test_a_client_that_begins_anew_finds_its_job(
    ask: Callable[..., Any], desk: Desk, client: AppClient
) -> None:
    """The client has lost nothing but its connection; the server was started again."""
    assert client
    kade = Kade(ask)
    kade.submit()
    other = AppClient(create_app(Desk(desk.config)))
    path = f"/bajor/prediction/job/{kade.job}?include_tasks=true"
    found = other.get(path, headers=_basic())
    assert found.status == 200
    before = ask("GET", f"/prediction/job/{kade.job}?include_tasks=true").json
    assert found.json == before


def test_there_is_no_default_password(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYVEG_BAJOR_PASSWORD", "bajor")
    with pytest.raises(ConfigError, match="no password of 8 characters"):
        create_app(desk)


def test_it_is_not_there_unless_it_is_configured(tmp_path: Path) -> None:
    config = settled(ServiceConfig(), tmp_path)
    table.make(config.table_path)
    keys.make(config.folder)
    assert AppClient(create_app(Desk(config))).get("/bajor/").status == 404


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://127.0.0.1:9/m.json", "http://169.254.169.254/m.json"]
)
def test_a_manifest_of_a_private_place_is_refused(
    desk: Desk, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "_fetched", REAL_FETCHED)
    body = {"opts": {}, "manifest_url": url}
    client = AppClient(create_app(desk))
    found = client.request("POST", "/bajor/prediction/jobs/", body, headers=_basic())
    assert found.status == 422, found.json
    assert found.json["detail"][0]["loc"] == ["body", "manifest_url"]
