"""Wrong tokens, keys and passwords: an address that sends many has to wait, others do not."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyveg.service.attempts import Attempts, _name_of
from pyveg.service.desk import Desk
from pyveg.service.records import Caller
from pyveg.service.refusals import Refusal
from pyveg.service.stations import desk as stations
from pyveg.service.web.app import create_app
from pyveg.testing.asgi import AppClient
from pyveg.testing.service_server import Answer
from pyveg.testing.station_node import Node, file_of, mask, picture

PASSWORD, GUESS = "the password of kade", "a guess of s0mebody"


def _basic(password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"kade:{password}".encode()).decode()}


class _Clock:
    def __init__(self) -> None:
        self.now = time.monotonic()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    made = _Clock()
    monkeypatch.setattr("pyveg.service.attempts.time.monotonic", made)
    return made


@pytest.fixture
def node(make_desk: Callable[..., Desk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A service with a station, BaJoR's API, and room for three wrong secrets in a minute."""
    monkeypatch.setenv("PYVEG_BAJOR_PASSWORD", PASSWORD)
    (tmp_path / "train.py").touch()
    (tmp_path / "catalogs").mkdir()
    desk = make_desk(
        wrong_secrets=3,
        trainings={"galaxy": {"train": {"script": "train.py"}}},
        bajor={"training": "galaxy", "catalogs": "catalogs", "username": "kade"},
    )
    stations.prepare(desk.config)
    token = desk.callers.add(Caller("kim"))
    made = Node(AppClient(create_app(desk), token), desk.config.folder)
    assert made.put(people="keep").status == 201
    assert made.put_mask(mask()).status == 204
    return made


def _table(node: Node) -> dict[str, Callable[[str, str], Answer]]:
    """What is asked with a secret: from an address, with one."""

    def token(address: str, secret: str) -> Answer:
        return node.client.get("/jobs", token=secret, address=address)

    def key(address: str, secret: str) -> Answer:
        return node.post(file_of(picture()), key=secret, address=address)

    def reading(address: str, secret: str) -> Answer:
        return node.client.get("/v1/stations/harvard/series", token=secret, address=address)

    def password(address: str, secret: str) -> Answer:
        path = "/bajor/training/jobs/"
        return node.client.get(path, token="", headers=_basic(secret), address=address)

    def form(address: str, secret: str) -> Answer:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        body = f"token={secret}".encode()
        return node.client.request("POST", "/login", body, token="", headers=kind, address=address)

    return {"token": token, "key": key, "reading": reading, "password": password, "form": form}


@pytest.mark.parametrize("name", ["token", "key", "reading", "password", "form"])
def test_after_some_wrong_secrets_an_address_waits(
    node: Node, clock: _Clock, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asking = _table(node)
    ask, guess = asking[name], f"{GUESS} {name}".replace(" ", "-")
    right = {"token": node.client.token, "form": node.client.token, "password": PASSWORD}
    secret = right.get(name, node.key)
    attacker, neighbour = "192.0.2.1", "192.0.2.2"
    assert ask(neighbour, secret).status in (200, 303)
    found = [ask(attacker, guess) for _ in range(5)]
    assert [one.status for one in found] == [401, 401, 429, 429, 429]
    assert [one.headers.get("Retry-After") for one in found[2:]] == ["20"] * 3
    assert guess not in "".join(one.body.decode() for one in found)
    # It is one count for all kinds, and by address alone
    for other, again in asking.items():
        assert again(attacker, guess).status == 429, other
        assert again(neighbour, right.get(other, node.key)).status in (200, 303), other
    # A right token or key is taken at once; for a new password, one is as good as another
    late = ask(attacker, secret).status
    assert late == 429 if name == "password" else late in (200, 303)
    clock.now += 20.1
    assert ask(attacker, secret).status in (200, 303)
    assert ask(attacker, guess).status == 429
    assert ask(attacker, secret).status in (200, 303), "a password that was right here is known"
    clock.now += 61
    assert [ask(attacker, guess).status for _ in range(3)] == [401, 401, 429]
    # Who has to wait is in the audit, once an hour, and no secret is anywhere
    desk: Desk = node.client._app.state.desk
    rows = desk.table.read("SELECT * FROM audit WHERE action = 'sent too many wrong secrets'")
    assert [row["address"] for row in rows] == [attacker]
    for text in (caplog.text, *(path.read_bytes().decode("latin-1") for path in _files(node))):
        for hidden in (guess, PASSWORD, node.key, node.client.token):
            assert hidden not in text


def _files(node: Node) -> list[Path]:
    return [path for path in node.data.rglob("*") if path.is_file()]


def test_a_neighbour_at_the_same_address_is_not_shut_out(node: Node, clock: _Clock) -> None:
    """Somebody behind the same router tries passwords without a pause, for a quarter of an hour."""
    asking, here = _table(node), "192.0.2.1"
    assert asking["password"](here, PASSWORD).status == 200
    tried = 0
    for minute in range(15):
        for guess in range(20):
            tried += asking["password"](here, f"{GUESS}{minute}-{guess}").status == 401
            clock.now += 3
        for name, secret in (("password", PASSWORD), ("key", node.key)):
            assert asking[name](here, secret).status == 200, (minute, name)
    assert tried <= 3 * 16, "three a minute are looked at, of twenty"
    # A day later nobody knows it here any more
    clock.now += 86_401
    assert [asking["password"](here, GUESS).status for _ in range(3)] == [401, 401, 429]
    assert asking["password"](here, PASSWORD).status == 429


def test_what_is_remembered_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyveg.service.attempts._MOST", 50)
    attempts = Attempts(1)
    for number in range(60):
        attempts.passed(f"a{number}", "x")
        with pytest.raises(Refusal):
            attempts.failed(f"a{number}")
    assert len(attempts._spent) == len(attempts._right) == len(attempts._told) == 50
    assert _name_of("2001:db8:1:2::7") == _name_of("2001:db8:1:2:3::9") == "2001:db8:1:2::/64"
    assert _name_of("") == ""


def test_requests_without_a_secret_count_for_nothing(node: Node) -> None:
    def ask(path: str, **given: Any) -> int:
        return node.client.get(path, token="", **given).status

    for _ in range(5):
        assert ask("/jobs") == 401
        assert ask("/bajor/training/jobs/") == 401
        assert ask("/jobs", headers={"cookie": "pyveg_session=old"}) == 401
        assert node.post(file_of(picture()), key="").status == 401
    assert node.client.get("/jobs", token="wrong").status == 401
