"""A web process: uvicorn on a socket that is open already."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import uvicorn

from pyveg.azure_config import use_file
from pyveg.core.secrets import redacted
from pyveg.service.desk import Desk
from pyveg.service.web.app import create_app

_KEEP_ALIVE = 75
"""Seconds; longer than clients and proxies keep idle connections, so that they end them."""


class _Redacted(logging.Formatter):
    """Lines of the log without secrets, tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class _Server(uvicorn.Server):
    """Has streams of events end when a signal comes, since nothing else ends them."""

    def __init__(self, config: uvicorn.Config, at_end: Callable[[], None]) -> None:
        super().__init__(config)
        self._at_end = at_end

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._at_end()
        super().handle_exit(sig, frame)


def answer(desk: Desk, listening: socket.socket) -> None:
    """Answer requests until a signal comes.

    Parameters
    ----------
    desk : Desk
    listening : socket
    """
    use_file(desk.config.azure_config)
    app = create_app(desk)
    run_until_stopped(app, listening, desk.config.trusted_proxies, app.state.hub.close)


def run_until_stopped(
    app: Any,
    listening: socket.socket,
    trusted_proxies: Sequence[str],
    at_end: Callable[[], None] = lambda: None,
) -> None:
    """Have an application answer at a socket until a signal comes.

    Parameters
    ----------
    app : callable
        By ASGI.
    listening : socket
    trusted_proxies : sequence of str
        Whose word is taken for where a request comes from.
    at_end : callable
        Called when the signal has come, before what goes on is waited for.
    """
    _log_to_stderr()
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # paths of files carry the right to read them
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=list(trusted_proxies),
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=3,
        ws="none",
        http="h11",
        loop="asyncio",
    )
    # uvicorn sends itself the signal again when it is done; what comes after it is to be done too.
    before = {number: signal.signal(number, _heard) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        _Server(config, at_end).run(sockets=[listening])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _heard(number: int, frame: FrameType | None) -> None:
    """Nothing more is to be done about a signal."""
    del number, frame


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Redacted("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("uvicorn")
    logger.setLevel(logging.WARNING)
    logger.handlers = [handler]
    logger.propagate = False
