"""What others do at the portal while a run lasts: it is noticed, told, and nothing stays paid."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.batch import models as m
from azure.core.credentials import AccessToken, AzureNamedKeyCredential
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.storage.blob import BlobServiceClient

from azure_batch_emulator import Faults
from pyveg.core.errors import StoreGoneError
from pyveg.core.events import EngineStatus, Event, TaskStarted
from pyveg.core.pipeline import Pipeline
from pyveg.core.report import RunReport
from pyveg.core.tasks import State
from pyveg.jobs.run import run_pipeline
from pyveg.testing.azure_cloud import LocalCloud
from pyveg.testing.azurite import ACCOUNT
from pyveg.testing.graphs import fake_pipeline


def _client(cloud: LocalCloud) -> BatchClient:
    credential = AzureNamedKeyCredential(cloud.batch.account, cloud.batch.key)
    return BatchClient(cloud.batch.url, credential)


def _nothing_is_left(cloud: LocalCloud) -> None:
    client = _client(cloud)
    assert [pool.id for pool in client.list_pools()] == []
    assert [job.id for job in client.list_jobs()] == []


def _pipeline(seconds: float) -> Pipeline:
    """One date on Batch, which takes so long, beside other work."""
    return fake_pipeline(
        start={"count": 1, "run_mode": "batch", "seconds": seconds},
        follow={"run_mode": "batch"},
        output_location=f"gone-{uuid.uuid4().hex[:8]}",
        output_location_type="azure",
        runner="threads",
    )


def _run(act: Callable[[], None], seconds: float = 60.0) -> tuple[RunReport, list[str], float]:
    """A run during which somebody acts once, when its first task on Batch runs."""
    moments: list[float] = []
    texts: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, EngineStatus):
            texts.append(event.text)
        if isinstance(event, TaskStarted) and event.task.step.run_mode == "batch" and not moments:
            moments.append(time.monotonic())
            act()

    report = run_pipeline(_pipeline(seconds), observers=[watch])
    return report, texts, time.monotonic() - moments[0]


def _delete_jobs(cloud: LocalCloud) -> None:
    for job in _client(cloud).list_jobs():
        _client(cloud).begin_delete_job(job.id)


def _delete_pools(cloud: LocalCloud) -> None:
    for pool in _client(cloud).list_pools():
        _client(cloud).begin_delete_pool(pool.id)


@pytest.mark.parametrize(
    ("act", "said"),
    [(_delete_jobs, "was deleted by somebody"), (_delete_pools, "was deleted by somebody")],
    ids=["job", "pool"],
)
def test_what_is_deleted_in_mid_run_ends_it_at_once(
    make_cloud: Any, act: Callable[[LocalCloud], None], said: str
) -> None:
    cloud = make_cloud()
    report, texts, seconds = _run(lambda: act(cloud))
    failed = {r.reason for r in report.results.values() if r.state is State.FAILED}
    assert failed
    assert all(said in reason and "--from_cache" in reason for reason in failed)
    assert seconds < 45
    assert not [text for text in texts if "trying again" in text]
    _nothing_is_left(cloud)


def test_a_job_that_is_disabled_is_a_pause(make_cloud: Any) -> None:
    """Somebody's pause is told, nothing fails or is removed, and the run goes on after it."""
    cloud = make_cloud()

    def pause() -> None:
        (job,) = _client(cloud).list_jobs()
        _client(cloud).begin_disable_job(job.id, {"disableTasks": "wait"})

    texts: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, TaskStarted) and event.task.step.run_mode == "batch" and not texts:
            texts.append("begun")
            pause()
        if isinstance(event, EngineStatus) and "is disabled" in event.text:
            texts.append(event.text)
            (job,) = _client(cloud).list_jobs()
            _client(cloud).begin_enable_job(job.id)

    pipeline = fake_pipeline(
        start={"count": 3, "run_mode": "batch", "seconds": 2.0},
        follow={"run_mode": "batch"},
        output_location=f"pause-{uuid.uuid4().hex[:8]}",
        output_location_type="azure",
        runner="threads",
    )
    report = run_pipeline(pipeline, observers=[watch])
    assert report.exit_code == 0, report.failures()
    assert "enable it in the portal" in texts[1]


def _rotate(cloud: LocalCloud) -> None:
    cloud.batch.rotate_key()


def _disable(cloud: LocalCloud) -> None:
    cloud.batch.faults = Faults(disabled=True)


@pytest.mark.parametrize(
    ("act", "said", "cure"),
    [
        (_rotate, "the key of the Batch account is wrong", "copy it anew from the portal"),
        (_disable, "the Batch account is disabled", "see the portal"),
    ],
    ids=["key", "account"],
)
def test_an_account_that_lets_nobody_in_any_more(
    make_cloud: Any, act: Callable[[LocalCloud], None], said: str, cure: str
) -> None:
    """The run ends at once, and says what it could not remove and how that is done."""
    cloud = make_cloud()
    report, texts, seconds = _run(lambda: act(cloud))
    failed = {r.reason for r in report.results.values() if r.state is State.FAILED}
    assert failed
    assert all(said in reason and cure in reason for reason in failed)
    assert seconds < 45
    assert report.exit_code == 1
    assert not [text for text in texts if "trying again" in text]
    (left,) = [text for text in texts if "could not remove" in text]
    assert left.count("job ") == left.count("pool ") == left.count(said) == 1
    assert left.endswith("Run pyveg_azure_cleanup")


class _Login:
    """A login as `az login` makes one, until it is lost."""

    def __init__(self) -> None:
        self.lost = threading.Event()

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        if self.lost.is_set():
            raise ClientAuthenticationError("Please run 'az login' to setup account.")
        return AccessToken("token", int(time.time()) + 2)  # asked for again at each request


class _PlainBearer(BearerTokenCredentialPolicy):
    """Sends a token without TLS, which the emulator lacks."""

    def on_request(self, request: Any) -> None:
        request.context.options["enforce_https"] = False
        super().on_request(request)


def test_a_login_that_is_lost(make_cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client finds no token any more, as after `az logout`."""
    cloud = make_cloud()
    cloud.batch.bearer_tokens = frozenset({"token"})
    login = _Login()

    def open_client(url: str, _: Any, **options: Any) -> BatchClient:
        policy = _PlainBearer(login, "https://batch.core.windows.net//.default")
        return BatchClient(url, login, authentication_policy=policy, **options)

    monkeypatch.setattr("azure.batch.BatchClient", open_client)
    report, texts, seconds = _run(login.lost.set)
    failed = {r.reason for r in report.results.values() if r.state is State.FAILED}
    assert failed
    assert all("no login was found" in reason and "az login" in reason for reason in failed)
    assert seconds < 45
    assert any("could not remove" in text for text in texts)


def test_a_quota_that_is_taken_away(make_cloud: Any) -> None:
    """Nodes go, and no new ones come: that is an answer, and nothing stays."""
    cloud = make_cloud()

    def take_away() -> None:
        cloud.batch.faults = Faults(core_quota=0)
        client = _client(cloud)
        (pool,) = client.list_pools()
        for number in (0, 1):
            options = m.BatchPoolResizeOptions(target_dedicated_nodes=number)
            client.begin_resize_pool(pool.id, options, polling_interval=0.1).wait()

    report, _, seconds = _run(take_away)
    (reason,) = {r.reason for r in report.results.values() if r.state is State.FAILED}
    assert "no node was given: the account may not have more dedicated cores" in reason
    assert seconds < 45
    _nothing_is_left(cloud)


def test_a_container_that_is_deleted(make_cloud: Any) -> None:
    """The run ends with that; jobs and pool go, though nobody can say how its tasks ended."""
    cloud = make_cloud()
    texts: list[str] = []
    moments: list[float] = []

    def delete() -> None:
        service = BlobServiceClient(
            cloud.azurite.url, AzureNamedKeyCredential(ACCOUNT, cloud.azurite.key)
        )
        (name,) = {job.metadata[0].value for job in _client(cloud).list_jobs()}
        service.delete_container(name)

    def watch(event: Event) -> None:
        if isinstance(event, EngineStatus):
            texts.append(event.text)
        if isinstance(event, TaskStarted) and event.task.step.run_mode == "batch" and not moments:
            moments.append(time.monotonic())
            delete()

    with pytest.raises(StoreGoneError, match="container"):
        run_pipeline(_pipeline(60.0), observers=[watch])
    assert time.monotonic() - moments[0] < 60
    assert not [text for text in texts if "trying again" in text]
    _nothing_is_left(cloud)
