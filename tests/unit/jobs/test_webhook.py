"""The sender of messages, and the daily summary that it carries."""

from __future__ import annotations

import csv
import errno
import json
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pyveg.core.errors import ConfigError, DataError, ServiceAwayError, ServiceError
from pyveg.core.secrets import redacted
from pyveg.jobs import daily_summary, webhook
from pyveg.jobs.daily_summary import Row, SummaryConfig, table_with
from pyveg.scripts.daily_summary import main
from pyveg.testing.http_answers import answering
from pyveg.testing.sinks import sink

TOKEN = "t0ken-of-an-admin-0123456789"
NORTH = {
    "instance": "north",
    "jobs": 2,
    "images": 1200,
    "completed": 1190,
    "countries": ["BWA", "unknown"],
    "organisations": ["=wild [x](https://example.org)"],
    "uncounted": 1,
}
SOUTH = {**NORTH, "instance": "south", "images": 3, "completed": 0, "uncounted": 0}


def test_a_busy_webhook_is_asked_again_as_it_wants() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    busy = [(429, {"Retry-After": "7"}), (503, {"Retry-After": soon}), (500, {}), (504, {})]
    waits: list[float] = []
    with sink(*busy) as hook:
        webhook.send(hook.address, {"a": 1}, sleep=waits.append)
    assert hook.messages == [{"a": 1}] * 5
    assert waits[0] == 7
    assert 60 < waits[1] <= 90
    assert waits[2:] == [8, 16]


def test_what_is_refused_is_not_sent_again_and_no_address_is_told() -> None:
    with sink((404, {}), (302, {"Location": "http://127.0.0.1:1/"}), *[(503, {})] * 3) as hook:
        for _ in range(2):
            with pytest.raises(ServiceError, match=r"has refused: HTTP (404|302)") as caught:
                webhook.send(hook.address, {}, sleep=pytest.fail)
            assert "9f3a71c2" not in str(caught.value)
        with pytest.raises(ServiceAwayError, match="in 3 tries: HTTP 503"):
            webhook.send(hook.address, {}, tries=3, sleep=lambda _: None)
    assert len(hook.messages) == 5
    with pytest.raises(ServiceAwayError, match="refuses connections"):
        webhook.send(hook.address, {}, tries=1)
    assert "9f3a71c2" not in redacted(f"POST {hook.address} failed")


def test_addresses_of_webhooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(webhook.VARIABLE, raising=False)
    assert webhook.find_address() is None
    monkeypatch.setenv(webhook.VARIABLE, "https://hooks.example.org/abc/def")
    assert webhook.find_address() == "https://hooks.example.org/abc/def"
    file = tmp_path / "hook.txt"
    for text, said in (
        ("", "is empty"),
        ("hooks.example.org/abc", "is no address"),
        ("http://hooks.example.org/abc", "is no address"),
        ("https://[hooks/abc", "is no address"),
        ("https://hooks.example.org/a\nb", "is no address"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError, match=said) as caught:
            webhook.find_address(str(file))
        assert "abc" not in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        webhook.find_address(str(tmp_path / "gone"))


def _config(folder: Path, **addresses: str) -> Path:
    services = {
        name: {"address": address, "token_variable": "SUMMARY_TOKEN"}
        for name, address in addresses.items()
    }
    path = folder / "summary_config.py"
    path.write_text(f"services = {services!r}\ntitle = 'Camera traps'\n")
    return path


def _run(config: Path, hook: str, *words: str) -> Result:
    env = {"SUMMARY_TOKEN": TOKEN, webhook.VARIABLE: hook}
    given = ["--config", str(config), "--date", "2026-11-27", *words]
    return CliRunner().invoke(main, given, env=env)


def test_a_day_goes_to_people_and_into_a_table_once(tmp_path: Path) -> None:
    table = tmp_path / "days.csv"
    with sink() as hook, answering(200, {"instances": [NORTH, SOUTH]}) as service:
        config = _config(tmp_path, traps=service)
        for _ in range(2):
            done = _run(config, hook.address, "--csv", str(table))
            assert done.exit_code == 0, done.output
    first, second = hook.messages
    assert first == second
    card = first["attachments"][0]
    assert (first["type"], card["contentType"]) == (
        "message",
        "application/vnd.microsoft.card.adaptive",
    )
    title, *blocks = card["content"]["body"]
    assert title["text"] == "Camera traps on Nov 27, 2026"
    assert [block["text"] for block in blocks[::2]] == ["traps, north", "traps, south"]
    facts = {one["title"]: one["value"] for one in blocks[1]["facts"]}
    assert facts["Images"] == "1,200"
    assert facts["Images completed"] == "1,190"
    assert facts["Countries"] == "BWA, unknown"
    assert facts["Organisations"] == "=wild (x)(https://example.org)", "nobody's name is a link"
    assert done.output.splitlines()[0] == "Camera traps on Nov 27, 2026", "a subject"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [(row["date"], row["instance"], row["images"]) for row in rows] == [
        ("2026-11-27", "north", "1200"),
        ("2026-11-27", "south", "3"),
    ]
    assert rows[0]["organisations"].startswith("'="), "no formula"
    for text in (done.output, json.dumps(hook.messages), table.read_text()):
        assert TOKEN not in text


def test_nothing_is_sent_for_nothing(tmp_path: Path) -> None:
    quiet = {**NORTH, "images": 0, "completed": 0, "uncounted": 0}
    table = tmp_path / "days.csv"
    for instances in ([], [quiet]):
        with sink() as hook, answering(200, {"instances": instances}) as service:
            done = _run(_config(tmp_path, traps=service), hook.address, "--csv", str(table))
        assert (done.exit_code, done.output, hook.messages) == (0, "", [])
    assert not table.exists()


def test_a_service_that_is_away_takes_nothing_from_the_others(tmp_path: Path) -> None:
    with sink() as hook, answering(200, {"instances": [NORTH]}) as good, answering(403) as bad:
        with answering(200, {"other": 1}) as odd:
            done = _run(_config(tmp_path, a=bad, b=good, c=odd), hook.address)
        assert done.exit_code == 1
        assert "a at 127.0.0.1" in done.stderr
        body = hook.messages[0]["attachments"][0]["content"]["body"]
        assert [block.get("text", "")[:14] for block in body[1::2]] == [
            "b, north",
            "Not asked: a a",
        ]
        assert body[-1]["text"].startswith("Not asked: c has answered something else")
        dry = _run(_config(tmp_path, b=good), hook.address, "--dry_run")
        assert (dry.exit_code, len(hook.messages)) == (0, 1)
    with sink((400, {})) as hook, answering(200, {"instances": [NORTH]}) as good:
        done = _run(_config(tmp_path, b=good), hook.address)
    assert done.exit_code == 1
    assert "9f3a71c2" not in done.output


def test_configs_that_cannot_be(tmp_path: Path) -> None:
    no_token = {"address": "https://jobs.example.org", "token_variable": "NO_SUCH"}
    for given, said in (
        ({}, "services is empty"),
        ({"a": {"address": "jobs"}}, "no address of a service"),
        ({"a": {"address": "http://jobs.example.org"}}, "would go over http"),
        ({"a": {"adress": "https://x.example.org"}}, "address"),
        ({"a": no_token}, "NO_SUCH has no token"),
    ):
        path = tmp_path / "summary_config.py"
        path.write_text(f"services = {given!r}")
        done = _run(path, "")
        assert done.exit_code == 2, done.output
        assert said in done.output
    assert "there is no file" in _run(tmp_path / "gone.py", "").output
    token_file = {"address": "https://x.example.org", "token_file": str(tmp_path / "no")}
    with pytest.raises(ConfigError, match="cannot be read"):
        daily_summary.gather(SummaryConfig(services={"a": token_file}), date(2026, 1, 1))


def test_other_tables_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row("2026-11-27", "a", "b", 1, 2, 2, ("BWA",), ("x",))
    once = table_with(b"", [row])
    later = Row("2026-11-28", "a", "b", 1, 5, 5, ("BWA",), ("x",))
    assert len(table_with(once, [later]).splitlines()) == 3
    table = tmp_path / "mine.csv"
    for mine in (b"name,age\nkim,4\n", b"\xff\xfe\x00"):
        table.write_bytes(mine)
        with pytest.raises(DataError, match=r"mine\.csv"):
            daily_summary.write_table(table, [row])
        assert table.read_bytes() == mine
    monkeypatch.setattr(Path, "replace", _full_disk)
    with pytest.raises(DataError, match="cannot be written"):
        daily_summary.write_table(tmp_path / "new.csv", [row])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


def _full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
