"""A host that is away is waited for once, and not by each of many downloads."""

from __future__ import annotations

import threading
import time

import pytest

from pyveg.core import waiting
from pyveg.core.errors import ServiceAwayError
from pyveg.sources import circuit, http
from pyveg.sources.circuit import CIRCUIT, PROBE_AFTER, Circuit
from pyveg.testing.http_answers import answering, silent


@pytest.fixture(autouse=True)
def believing() -> None:
    CIRCUIT.forget()


def _ask(url: str, retries: int = 3, first_wait: float = 0.01, timeout: float = 5.0) -> object:
    with http.session(retries, first_wait, url) as session:
        return http.get_json(session, url, timeout, what="the archive")


def test_one_at_a_time_looks_again() -> None:
    moment = 0.0
    watched = Circuit(clock=lambda: moment)
    watched.fell("a", "a is away", "wait")
    for _ in range(2):
        with pytest.raises(ServiceAwayError, match="a is away; wait"):
            watched.check("a")
    watched.check("b")
    moment = PROBE_AFTER
    watched.check("a")  # this one looks
    with pytest.raises(ServiceAwayError):
        watched.check("a")
    watched.answered("a")
    watched.check("a")


def test_sixteen_downloads_do_not_each_wait() -> None:
    """Each that comes after the first that gave up is told at once, in the same words."""
    told: list[str] = []

    def ask(url: str) -> None:
        with pytest.raises(ServiceAwayError) as error:
            _ask(url, retries=0, timeout=1.0)
        told.append(str(error.value))

    with silent() as url:
        ask(url)
        begin = time.monotonic()
        threads = [threading.Thread(target=ask, args=(url,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert time.monotonic() - begin < 0.9
    assert len(told) == 17
    assert len(set(told)) == 1
    assert "cannot be reached: it does not answer" in told[0]


def test_those_that_wait_already_stop_waiting() -> None:
    url = "http://127.0.0.1:9"
    lines: list[str] = []
    ended: list[float] = []

    def ask() -> None:
        with pytest.raises(ServiceAwayError):
            _ask(url, retries=20, first_wait=1.0)
        ended.append(time.monotonic())

    with waiting.heard_by(lines.append):
        thread = threading.Thread(target=ask)
        thread.start()
        while not lines:
            time.sleep(0.01)
        CIRCUIT.fell(circuit.host_of(url), "away", "wait")
        begin = time.monotonic()
        thread.join()
    assert ended[0] - begin < 10, "the next wait is the last, whatever number was left"
    assert lines[0].startswith("waiting for 127.0.0.1:9 (no connection, again in ")


def test_an_answer_of_any_kind_ends_the_mistrust() -> None:
    with answering(404) as url:
        CIRCUIT.fell(circuit.host_of(url), "away", "wait")
        http.reach(url, "the archive")
        assert not CIRCUIT.is_open(circuit.host_of(url))


def test_waits_that_a_service_asks_for_are_told() -> None:
    lines: list[str] = []
    with (
        answering(429, headers={"Retry-After": "2"}) as url,
        waiting.heard_by(lines.append),
        pytest.raises(Exception, match="too many requests"),
    ):
        _ask(url, retries=1)
    host = circuit.host_of(url)
    assert lines == [f"waiting for {host} (HTTP 429, again in 2 s)"]
    assert waiting.line() == ""


@pytest.mark.parametrize("status", [200, 301, 401, 403, 404, 500, 503])
def test_whatever_is_answered_it_is_there(status: int) -> None:
    with answering(status) as url:
        http.reach(url, "the archive")


def test_a_host_that_drops_packets_is_found_in_seconds() -> None:
    begin = time.monotonic()
    with silent() as url, pytest.raises(ServiceAwayError, match="does not answer; check the netw"):
        http.reach(url, "the archive")
    assert time.monotonic() - begin < http.LONGEST_LOOK


def test_a_name_server_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    monkeypatch.setattr(http, "LONGEST_LOOK", 0.3)
    monkeypatch.setattr(http, "_head", lambda _: asked.wait(60))
    begin = time.monotonic()
    with pytest.raises(ServiceAwayError, match=r"the archive \(a.org\) cannot be reached: it does"):
        http.reach("https://a.org/v1", "the archive")
    assert time.monotonic() - begin < 5
    asked.set()


def test_dropped_packets_are_not_waited_for_with_every_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twenty attempts of half a second each end once the patience with lost connections does."""
    monkeypatch.setattr(http, "LOST_PATIENCE", 1.0)
    begin = time.monotonic()
    with silent() as url, pytest.raises(ServiceAwayError, match="does not answer"):
        _ask(url, retries=20, first_wait=0.0, timeout=0.5)
    assert 1.4 < time.monotonic() - begin < 5


def test_answers_that_pass_are_waited_for_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LOST_PATIENCE", 0.0)
    lines: list[str] = []
    with (
        answering(503, headers={"Retry-After": "1"}) as url,
        waiting.heard_by(lines.append),
        pytest.raises(Exception, match="in trouble"),
    ):
        _ask(url, retries=3)
    assert len(lines) == 3
