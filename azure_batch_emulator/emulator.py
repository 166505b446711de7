"""The emulator as its users see it."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from azure_batch_emulator.account.account import Account
from azure_batch_emulator.faults import Faults
from azure_batch_emulator.host.host import Host
from azure_batch_emulator.settings import Settings, random_key
from azure_batch_emulator.web.request_log import RequestLog
from azure_batch_emulator.web.server import Server
from azure_batch_emulator.web.service import Service


class Emulator:
    """An Azure Batch account on this machine.

    Tasks are executed as real processes, by the user who runs the emulator and with all that this
    user may do. Use it as a context manager, or call `start` and `stop`.

    Parameters
    ----------
    settings : Settings, optional
        How it is set up.

    Examples
    --------
    >>> with Emulator() as emulator:
    ...     credential = AzureNamedKeyCredential(emulator.account, emulator.key)
    ...     client = BatchClient(emulator.url, credential)
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._host = Host(settings or Settings())
        self._account = Account(self._host)
        self._service = Service(self._account)
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens, for the ``endpoint`` of a client."""
        return self._host.url

    @property
    def account(self) -> str:
        """Name of the account."""
        return self._host.settings.account

    @property
    def key(self) -> str:
        """The key of the account."""
        return self._host.settings.key

    def rotate_key(self) -> str:
        """Give the account another key, as people do at the portal; the old one is refused."""
        self._change(key=random_key())
        return self.key

    @property
    def bearer_tokens(self) -> frozenset[str]:
        """The tokens that are accepted from now on; assign others to let logins end."""
        return self._host.settings.bearer_tokens

    @bearer_tokens.setter
    def bearer_tokens(self, tokens: frozenset[str]) -> None:
        self._change(bearer_tokens=tokens)

    def _change(self, **settings: Any) -> None:
        with self._host.background.lock:
            self._host.settings = replace(self._host.settings, **settings)

    @property
    def location(self) -> Path:
        """The folder of all nodes: ``<pool>/<node>`` below it; a temporary one goes at the end."""
        return self._host.folders.root

    @property
    def requests(self) -> RequestLog:
        """What clients have asked for."""
        return self._service.requests

    @property
    def faults(self) -> Faults:
        """What goes wrong from now on; assign other ones to change it."""
        return self._host.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        with self._host.background.lock:
            self._host.faults = faults

    def start(self) -> None:
        """Listen. An emulator starts once."""
        if self._server is not None:
            raise RuntimeError("the emulator was started before; make another one")
        settings = self._host.settings
        self._server = server = Server(settings.host, settings.port, self._service)
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._host.open(f"http://{host}:{server.server_port}")
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="batch", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Kill the tasks, close the connections and remove temporary files."""
        if self._server is None or self._thread is None or self._host.background.closed:
            return
        self._server.close()
        self._thread.join()
        self._account.close()
        self._host.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
