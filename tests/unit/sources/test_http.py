"""Patience with services, and the advice where it does not help."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pyveg.core.errors import ServiceAwayError, ServiceError
from pyveg.sources import http


@contextmanager
def serving(*answers: tuple[int, bytes, dict[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers, the last one again and again."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            status, body, headers = answers[min(len(paths), len(answers)) - 1]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", paths
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(url: str, retries: int = 4) -> Any:
    with http.session(retries, 0.01) as session:
        return http.get_json(session, url, 5, what="the test", parameters={"key": "secret"})


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529])
def test_trouble_is_tried_again(status: int) -> None:
    with serving((status, b"", {}), (status, b"", {}), (200, b'{"a": 1}', {})) as (url, paths):
        assert ask(url) == {"a": 1}
        assert len(paths) == 3


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            400,
            b'{"reason": "no such model"}',
            "does not accept .*HTTP 400.*such model.*; check the settings",
        ),
        (403, b"", "refuses access: it needs an account.*HTTP 403.*; finish the run"),
        (404, b"[]", "does not have it .HTTP 404."),
    ],
)
def test_a_refusal_is_not_tried_again(status: int, body: bytes, words: str) -> None:
    with serving((status, body, {})) as (url, paths):
        with pytest.raises(ServiceError, match=words):
            ask(url)
        assert len(paths) == 1


@pytest.mark.parametrize(
    ("status", "words"), [(429, "too many requests.*fewer n_workers"), (503, "in trouble.*later")]
)
def test_patience_ends(status: int, words: str) -> None:
    with serving((status, b"", {})) as (url, paths):
        with pytest.raises(ServiceError, match=words) as caught:
            ask(url, retries=2)
        assert len(paths) == 3
        assert "secret" not in str(caught.value)


def test_a_service_may_ask_us_to_wait_a_minute_at_most() -> None:
    class Answer:
        headers = {"Retry-After": "3600"}  # noqa: RUF012 - a test's own

    assert http.patience(1).get_retry_after(Answer()) == http.LONGEST_WAIT
    Answer.headers = {"Retry-After": "7"}
    assert http.patience(1).get_retry_after(Answer()) == 7
    Answer.headers = {}
    assert http.patience(1).get_retry_after(Answer()) is None


def test_no_service_at_all() -> None:
    with serving((200, b"", {})) as (url, _):
        pass
    words = r"the test \(127.0.0.1:\d+\) cannot be reached: it refuses connections; check the net"
    with pytest.raises(ServiceAwayError, match=words) as caught:
        ask(url, retries=1)
    assert "secret" not in str(caught.value)


def test_something_else_than_json() -> None:
    with (
        serving((200, b"<html>", {})) as (url, _),
        pytest.raises(ServiceError, match="no JSON; check its address"),
    ):
        ask(url)


def test_tokens_are_left_out() -> None:
    text = "cannot open 'https://a.blob.core.windows.net/b/c.tif?sig=abc%3D&se=1' or (x?y=z)"
    assert http.without_queries(text) == (
        "cannot open 'https://a.blob.core.windows.net/b/c.tif' or (x)"
    )
    assert "sig=" not in str(http.failure("x", 403, text))


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("HTTP response code: 503 - Failure", 503),
        ("HTTP error code : 404", 404),
        ("too many 429 error responses", 429),
        ("not recognized as being in a supported file format", None),
    ],
)
def test_status_in_messages(text: str, status: int | None) -> None:
    assert http.status_in(text) == status
