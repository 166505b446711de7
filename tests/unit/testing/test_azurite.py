"""Azurite ends with the process that has started it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pyveg.storage.azure_access import Access
from pyveg.storage.azure_blob import AzureBlobStore
from pyveg.testing.azurite import Azurite

HOLD = """
import sys
from pyveg.testing.azurite import Azurite
with Azurite() as azurite:
    print(azurite.port, flush=True)
    sys.stdin.read()
"""
"""A program that has a server until it is killed."""


def _servers(port: str) -> list[list[str]]:
    """Command lines of the servers of a port, and of what stands between."""
    found = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [words for words in found if "--blobPort" in words and port in words]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups")
def test_no_server_survives_the_process_that_has_started_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as starter:
        assert starter.stdout is not None
        port = starter.stdout.readline().strip()
        (folder,) = tmp_path.glob("pyveg-azurite-*")
        assert _servers(port)
        starter.kill()
        starter.wait()
        end = time.monotonic() + 10  # a second or so, where the machine has nothing else to do
        while _servers(port) or folder.exists():
            assert time.monotonic() < end, _servers(port)
            time.sleep(0.05)


def test_blobs_are_there_when_it_is_started_again(tmp_path: Path) -> None:
    """What it has noted is there, and it is given the time to end."""
    for number in range(2):
        with Azurite(tmp_path) as azurite:
            store = AzureBlobStore(azurite.url, "box", Access(account_key=azurite.key))
            if number == 0:
                store.write("key", b"value")
                azurite.wait_until_noted("key")
            assert store.read("key") == b"value"
    assert not _servers(str(azurite.port))
