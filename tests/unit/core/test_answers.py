"""What answers are worth, whatever the service, and what is told of lost connections and clocks."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from pyveg.core import answers, waiting
from pyveg.core.answers import Answer, Lost, Reply, classified
from pyveg.testing.http_answers import silent

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "now", lambda: NOON)


def _date(ahead: timedelta) -> dict[str, str]:
    """Headers of a service whose clock is that far behind ours."""
    return {"date": format_datetime(NOON - ahead, usegmt=True)}


@pytest.mark.parametrize(
    ("answer", "statuses"),
    [
        (Answer.PASSING, (None, 408, 425, 429, 500, 502, 503, 504, 509, 520, 529, 599)),
        (Answer.FINAL, (401, 402, 403, 404, 407, 409, 410, 412, 423, 451, 501, 505, 507, 511)),
        (Answer.OURS, (400, 405, 411, 413, 414, 415, 416, 417, 422, 431)),
    ],
)
def test_statuses(answer: Answer, statuses: tuple[int | None, ...]) -> None:
    assert {status: classified(Reply(status)) for status in statuses} == dict.fromkeys(
        statuses, answer
    )


def test_a_code_says_more_than_its_status() -> None:
    codes = {"ServerBusy": Answer.PASSING, "AccountIsDisabled": Answer.FINAL}
    assert classified(Reply(409, "ServerBusy"), codes) is Answer.PASSING
    assert classified(Reply(503, "AccountIsDisabled"), codes) is Answer.FINAL
    assert classified(Reply(503, "Other"), codes) is Answer.PASSING


@pytest.mark.parametrize(
    ("ahead", "told"),
    [
        (timedelta(hours=2), "this machine's clock is 2 h ahead of the service's"),
        (timedelta(hours=-2, seconds=40), "this machine's clock is 2 h behind the service's"),
        (timedelta(minutes=6), "this machine's clock is 6 min ahead of the service's"),
        (timedelta(minutes=-90), "this machine's clock is 1.5 h behind the service's"),
        (timedelta(days=365), "this machine's clock is 365 days ahead of the service's"),
        (timedelta(minutes=4), ""),
        (timedelta(minutes=-5), ""),
    ],
)
def test_clocks(ahead: timedelta, told: str) -> None:
    assert Reply(403, headers=_date(ahead)).clock() == told
    expected = Answer.OURS if told else Answer.FINAL
    assert classified(Reply(403, "AuthenticationFailed", _date(ahead))) is expected
    assert classified(Reply(404, headers=_date(ahead))) is Answer.FINAL, "no matter of clocks"


@pytest.mark.parametrize("date", ["", "yesterday", "2024-05-01"])
def test_a_reply_without_a_date_tells_nothing_of_clocks(date: str) -> None:
    assert Reply(403, headers={"Date": date}).clock() == ""


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        (format_datetime(NOON + timedelta(seconds=30), usegmt=True), 30.0),
        (format_datetime(NOON - timedelta(seconds=30), usegmt=True), 0.0),
        ("soon", None),
        ("-4", None),
        ("", None),
    ],
)
def test_the_services_wish_to_wait(header: str, seconds: float | None) -> None:
    assert Reply(503, headers={"retry-after": header}).asked_to_wait() == seconds


@contextmanager
def _hanging() -> Iterator[str]:
    """A host that takes connections and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def _closing() -> Iterator[str]:
    """A host that breaks off each connection."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.close()

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@contextmanager
def _at(url: str) -> Iterator[str]:
    yield url


@pytest.mark.parametrize(
    ("host", "why"),
    [
        (_at("http://nosuchhost.invalid"), Lost.NAME),
        (_at("http://127.0.0.1:9"), Lost.REFUSED),
        (silent(), Lost.SILENT),
        (_hanging(), Lost.SLOW),
        (_closing(), Lost.BROKEN),
    ],
    ids=["name", "refused", "silent", "hangs", "broken"],
)
def test_why_requests_are_lost(host: Iterator[str], why: Lost) -> None:
    with host as url, pytest.raises(requests.RequestException) as error:  # type: ignore[attr-defined]
        requests.get(url, timeout=0.5, proxies={"http": ""})
    assert answers.lost(error.value) is why
    assert why.shared == (why not in (Lost.SLOW, Lost.BROKEN))


def test_a_proxy_that_is_away() -> None:
    proxies = {"https": "http://127.0.0.1:9"}
    with pytest.raises(requests.RequestException) as error:
        requests.get("https://example.org", timeout=0.5, proxies=proxies)
    assert answers.lost(error.value) is Lost.PROXY


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (socket.gaierror(-2, "Name or service not known"), Lost.NAME),
        (OSError(101, "Network is unreachable"), Lost.NO_WAY),
        (OSError(113, "No route to host"), Lost.NO_WAY),
        (ssl.SSLCertVerificationError("certificate verify failed"), Lost.CERTIFICATE),
        (ConnectionResetError(104, "Connection reset by peer"), Lost.BROKEN),
        (TimeoutError("timed out"), Lost.SLOW),
        ("CURL error: Could not resolve host: a.invalid", Lost.NAME),
        ("CURL error: Failed to connect to a.org port 443 after 9 ms: Could not", Lost.REFUSED),
        ("CURL error: Failed to connect to a.org port 443 via p.org after 0 ms", Lost.PROXY),
        ("CURL error: Connection timed out after 2002 milliseconds", Lost.SILENT),
        ("CURL error: Operation timed out after 60001 milliseconds with 0 bytes", Lost.SLOW),
        ("CURL error: SSL certificate problem: self-signed certificate", Lost.CERTIFICATE),
        ("Unable to find the server at oauth2.googleapis.com", Lost.NAME),
        ("https://proxy.example.org gave nothing", Lost.BROKEN),
    ],
    ids=str,
)
def test_why_in_the_words_of_systems(error: BaseException | str, why: Lost) -> None:
    assert answers.lost(error) is why


def test_words_lose_what_differs_from_request_to_request() -> None:
    texts = [
        f"This request is not authorized.\nRequestId:6a1f33c7-501e-0050-15aa-3a2b4c00000{n}\n"
        f"Time:2026-01-05T10:00:0{n}.1234567Z <object at 0x7f00aa00aa0{n}>"
        for n in range(3)
    ]
    (same,) = set(map(answers.without_ids, texts))
    assert same.startswith("This request is not authorized.")


def test_waits_are_told_while_they_last() -> None:
    lines: list[str] = []
    with waiting.heard_by(lines.append), waiting.told("a.org", "HTTP 429", 12.2):
        with waiting.told("a.org", "HTTP 429", 30.0), waiting.told("b.org", "no connection", 5.0):
            assert waiting.line() == (
                "waiting for b.org (no connection, again in 5 s), a.org (HTTP 429, again in 12 s)"
            )
        with waiting.told("a.org", "HTTP 503", 0.5):
            pass
        assert waiting.line() == "waiting for a.org (HTTP 429, again in 12 s)"
    assert waiting.line() == ""
    assert len(lines) == 3, "short waits are nobody's concern"
    with waiting.told("a.org", "HTTP 429", 12.2):
        assert len(lines) == 3


def test_waits_of_libraries_end_by_themselves() -> None:
    waiting.heard_of("a.org", "HTTP 503", 1.05)
    assert waiting.line().startswith("waiting for a.org (HTTP 503, again in 1 s)")
    time.sleep(1.1)
    assert waiting.line() == ""
