"""Images of 1296 x 960 to stations: CPU for each, posts per second, and how long senders wait.

A sender that is told to come again later does what `pyveg_station_send` does: it waits as long as
``Retry-After`` says, and longer each time. Told are the waits for each answer, and those from the
first attempt at an image until it is taken in.

::

    python tests/benchmarks/bench_stations.py --posts 200 --at_once 20 --web_workers 2
"""

from __future__ import annotations

import argparse
import http.client
import io
import os
import tempfile
import threading
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil
from PIL import Image

from pyveg.cameras.station_send import backoff, wait_of
from pyveg.testing.service_server import ServiceServer
from pyveg.testing.station_node import form, mask

SHAPE = (960, 1296)
SETTINGS = {"longitude": 0, "latitude": 50, "utc_offset": 0, "roi": "DB_0001", "people": "keep"}


def images(count: int, photo: str) -> list[bytes]:
    """JPEGs about as large as those of cameras, each another."""
    if photo:
        first = np.asarray(Image.open(photo))
    else:
        random = np.random.default_rng(1)
        coarse = random.integers(0, 255, (60, 81, 3), dtype=np.uint8)
        first = np.asarray(Image.fromarray(coarse).resize(SHAPE[::-1])) // 2
        first = first + random.integers(0, 24, (*SHAPE, 3), dtype=np.uint8)
    made = []
    for number in range(min(count, 8)):
        stream = io.BytesIO()
        Image.fromarray(np.roll(first, number, axis=1)).save(stream, "JPEG", quality=85)
        made.append(stream.getvalue())
    return made


def cpu(pid: int) -> float:
    """Seconds of a process and its children."""
    found = psutil.Process(pid)
    times = [one.cpu_times() for one in (found, *found.children(recursive=True))]
    return sum(one.user + one.system for one in times)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=200)
    parser.add_argument("--at_once", type=int, default=20)
    parser.add_argument("--web_workers", type=int, default=2)
    parser.add_argument("--photo", default="")
    asked = parser.parse_args()
    sent = images(asked.posts, asked.photo)
    with (
        tempfile.TemporaryDirectory() as place,
        ServiceServer(Path(place), web_workers=asked.web_workers) as server,
    ):
        key = server.request("PUT", "/v1/stations/oak", SETTINGS).json["key"]
        server.request("PUT", "/v1/stations/oak/masks/DB_0001", mask(slice(200, 900), SHAPE))
        waits: list[float] = []
        taken_in: list[float] = []
        statuses: Counter[int] = Counter()
        turn = iter(range(asked.posts))
        guard = threading.Lock()

        def work() -> None:
            parts = urlsplit(server.address)
            while True:
                with guard:
                    number = next(turn, None)
                if number is None:
                    return
                taken = datetime(2026, 1, 1) + timedelta(minutes=number)
                body, headers = form(sent[number % len(sent)], taken=taken.isoformat())
                headers = {**headers, "Authorization": f"Bearer {key}"}
                status, first, failures = 503, time.perf_counter(), 0
                while status == 503:
                    begin = time.perf_counter()
                    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
                    connection.request("POST", "/v1/stations/oak/images", body, headers)
                    answer = connection.getresponse()
                    status = answer.status
                    connection.close()
                    with guard:
                        waits.append(time.perf_counter() - begin)
                        statuses[status] += 1
                    if status == 503:
                        failures += 1
                        told = wait_of(answer.getheader("Retry-After")) or 0.0
                        time.sleep(max(told, backoff(failures)))
                with guard:
                    taken_in.append(time.perf_counter() - first)

        assert server.process is not None
        for _ in range(4):  # each process has been asked before
            work_before = server.get("/v1/stations").status
            assert work_before == 200
        before, begin = cpu(server.process.pid), time.perf_counter()
        threads = [threading.Thread(target=work) for _ in range(asked.at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall, used = time.perf_counter() - begin, cpu(server.process.pid) - before
        rows = server.get("/v1/stations/oak").json["images"]
    print(f"{asked.posts} posts of {np.mean([len(one) for one in sent]) / 1000:.0f} kB")
    print(f"{asked.at_once} at once, {asked.web_workers} web processes, {os.cpu_count()} cores")
    print(f"CPU for each post: {1000 * used / asked.posts:.1f} ms")
    print(f"posts per second: {asked.posts / wall:.1f}")
    for what, each in (("an answer", waits), ("being taken in", taken_in)):
        low, high = np.percentile(each, [50, 95])
        print(f"wait for {what}: median {low:.3f} s, p95 {high:.3f} s, longest {max(each):.3f} s")
    print(f"answers: {dict(statuses)}; rows: {rows}")


if __name__ == "__main__":
    main()
