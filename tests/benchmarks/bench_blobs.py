"""Blobs at once against blobs one by one, where every request takes 15 ms more.

Run ``python tests/benchmarks/bench_blobs.py``. Exits with 1 where it is less than 4 times faster.
The server is a stub in a process of its own, which knows PUT and GET of blobs alone.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import sys
import tempfile
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pyveg.core import bulk
from pyveg.storage.azure_access import Access
from pyveg.storage.azure_blob import AzureBlobStore, Blob
from pyveg.storage.azure_download import download_folder

DELAY = 0.015
DATE = "Sat, 21 Nov 2026 10:00:00 GMT"


class _Stub(BaseHTTPRequestHandler):
    """Blob service of one account, without any check."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    blobs: dict[str, bytes] = {}  # noqa: RUF012 - one for all requests

    def do_PUT(self) -> None:
        self.blobs[self.path] = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self._answer(201, b"")

    def do_GET(self) -> None:
        data = self.blobs[self.path]
        size = {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"}
        self._answer(206, data, **size)

    def _answer(self, status: int, data: bytes, **headers: str) -> None:
        time.sleep(DELAY)
        self.send_response(status)
        fixed = {"ETag": '"0x1"', "Last-Modified": DATE, "x-ms-blob-type": "BlockBlob"}
        for name, value in {**fixed, **headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def serve(port: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Stub)
    port.send(server.server_address[1])
    server.serve_forever()


AT_ONCE = AzureBlobStore.transfers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    count = parser.parse_args().count
    receiver, sender = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.Process(target=serve, args=(sender,), daemon=True)
    server.start()
    store = AzureBlobStore(
        f"http://127.0.0.1:{receiver.recv()}/account", "bench", Access(account_key="a2V5")
    )
    values = {f"a/{number}.png": bytes([number % 256]) * 3072 for number in range(count)}
    ratios = [_compare("upload", count, lambda threads: _upload(store, values, threads))]
    blobs = [
        Blob(key, len(data), hashlib.md5(data).digest(), '"0x1"', datetime.now(UTC))
        for key, data in values.items()
    ]
    ratios.append(_compare("download", count, lambda threads: _download(store, blobs, threads)))
    server.terminate()
    sys.exit(min(ratios) < 4)


def _compare(name: str, count: int, act: Any) -> float:
    seconds = []
    for threads in (1, AT_ONCE):
        begin = time.perf_counter()
        act(threads)
        seconds.append(time.perf_counter() - begin)
    ratio = seconds[0] / seconds[1]
    rates = [f"{count / each:.0f}/s" for each in seconds]
    print(f"{name:8} one by one {rates[0]}, {AT_ONCE} at once {rates[1]}: {ratio:.1f} times faster")
    return ratio


def _upload(store: AzureBlobStore, values: dict[str, bytes], threads: int) -> None:
    """As a task writes what it has made: one by one, or as many at once as the Store is worth."""
    if threads == 1:
        for key, data in values.items():
            store.write(key, data)
    else:
        bulk.write_many(store, values)


def _download(store: AzureBlobStore, blobs: list[Blob], threads: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = download_folder(store, blobs, Path(folder), n_threads=threads)
        assert done.files == len(blobs)


if __name__ == "__main__":
    main()
