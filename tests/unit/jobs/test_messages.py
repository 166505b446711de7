"""A run tells of itself by a webhook, and a webhook that fails does it no harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pyveg
from pyveg.core.errors import ConfigError, ServiceAwayError
from pyveg.core.events import EngineStatus, Event, RunStarted, TaskEnded
from pyveg.core.report import EXIT_LIMIT
from pyveg.core.tasks import State, Step, Task, TaskGraph, TaskResult
from pyveg.core.types import Item, Scope
from pyveg.jobs import messages, metering, webhook
from pyveg.jobs.messages import Message, Notifier, WebhookSettings, body_of
from pyveg.testing.sinks import sink

TASK = Task(Step("m:Module", 1, Scope("s"), {}, {}), Item("2016-01-16"))
SECRET = "https://hooks.example.org/9f3a71c2"


def _notifier(sent: list[Any], **settings: Any) -> tuple[Notifier, list[float]]:
    now = [0.0]
    made = Notifier(
        WebhookSettings(**settings),
        SECRET,
        name="place",
        url="runs/a",
        send=lambda _, body: sent.append(body),
        now=lambda: now[0],
    )
    return made, now


def test_the_first_failure_and_each_standstill_are_told_once() -> None:
    sent: list[Any] = []
    made, now = _notifier(sent, stuck_minutes=1.0, on=("failure", "stuck"))
    with made:
        made(RunStarted(TaskGraph([TASK]), "runs/a"))
        now[0] = 59.0
        made.look()
        now[0] = 61.0
        made.look()
        made.look()
        for _ in range(2):
            made(TaskEnded(TASK, TaskResult(TASK.id, State.FAILED, "no [image]")))
        now[0] = 200.0
        made.look()
        made.at_limit("not wanted")
    assert [one["event"] for one in sent] == ["stuck", "failure", "stuck"]
    assert sent[1]["text"] == f"{TASK.id}: no [image]"
    assert sent[2]["tasks"] == {"failed": 2}


def test_the_shapes_of_a_message() -> None:
    told = Message("end", "runs/a", "<b> & c", "12 [x](http://a) done", {"used": ["1 h", "2 kB"]})
    card = body_of(told, "teams")["attachments"][0]["content"]["body"]
    assert card[0]["text"] == "pyveg: <b> & c has ended"
    assert card[1]["text"] == "12 (x)(http://a) done"
    assert card[2]["facts"][0] == {"title": "used", "value": "1 h; 2 kB"}
    text = body_of(told, "slack")["text"]
    assert text.startswith("pyveg: &lt;b&gt; &amp; c has ended")
    assert body_of(told, "json") == {
        "event": "end",
        "name": "<b> & c",
        "run": "runs/a",
        "text": "12 [x](http://a) done",
        "used": ["1 h", "2 kB"],
    }


def test_a_webhook_that_is_away_harms_nothing_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Event] = []

    def away(address: str, *_: Any, **__: Any) -> None:
        raise ServiceAwayError(f"{address} gave no answer", "try again later")

    monkeypatch.setattr(webhook, "send", away)
    monkeypatch.setenv(webhook.VARIABLE, SECRET)
    pipeline = pyveg.load_pipeline("demo", webhook={"shape": "json", "on": ["end"]})
    with (
        pytest.raises(RuntimeError),
        messages.notifier(pipeline, "runs/a", told.append),
    ):
        raise RuntimeError("the disk is gone")
    (status,) = told
    assert isinstance(status, EngineStatus)
    assert "was not taken" in status.text
    assert "9f3a71c2" not in status.text


def test_a_run_that_stops_tells_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "LOOK", 0.02)
    days = ["2016-01-01", "2016-03-01"]
    job = pyveg.load_pipeline(
        "demo", date_range=days, runner="serial", analysis=False, max_hours=0.0, webhook="json"
    )
    monkeypatch.delenv(webhook.VARIABLE, raising=False)
    with pytest.raises(ConfigError, match=f"set {webhook.VARIABLE}"):
        pyveg.run_pipeline(job, at=tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with sink((503, {"Retry-After": "0"})) as hook:
        monkeypatch.setenv(webhook.VARIABLE, hook.address)
        monkeypatch.setattr("pyveg.jobs.http_calls.FIRST_WAIT", 0.01)
        report = pyveg.run_pipeline(job, at=tmp_path / "run")
    assert report.exit_code == EXIT_LIMIT
    assert [one["event"] for one in hook.messages] == ["budget", "budget", "end"]
    end = hook.messages[-1]
    assert end["exit_code"] == EXIT_LIMIT
    assert end["text"] == "the run has reached max_hours = 0"
    assert end["used"][0].startswith("used: ")
    secret = hook.address.rpartition("/")[2].encode()
    for file in (tmp_path / "run").rglob("*"):
        assert not (file.is_file() and secret in file.read_bytes()), file
