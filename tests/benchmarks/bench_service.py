"""What the service costs: requests, lists, events, the time that a job takes longer, idling.

::

    python tests/benchmarks/bench_service.py [--only requests list ...]

Times by the clock mean something on a quiet machine only; CPU seconds of the server do anywhere.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from pyveg.runs.run import open_run
from pyveg.service.config import read
from pyveg.service.desk import Desk
from pyveg.service.records import Caller, Told
from pyveg.testing.service_server import ServiceServer

TICKS = os.sysconf("SC_CLK_TCK")
MONTHS = '["2016-01-01", "2017-01-01"]'


def processes_of(pid: int) -> list[int]:
    """A process and its web processes; those of jobs are sessions of their own."""
    found = [pid]
    path = Path(f"/proc/{pid}/task/{pid}/children")
    for child in path.read_text().split():
        if os.getsid(int(child)) == os.getsid(pid):
            found += processes_of(int(child))
    return found


def cpu_of(pid: int) -> float:
    """CPU seconds of a server so far."""
    total = 0
    for one in processes_of(pid):
        words = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += int(words[11]) + int(words[12])
    return total / TICKS


def memory_of(pid: int) -> float:
    """Proportional set size of a server, MB."""
    total = 0
    for one in processes_of(pid):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def ask_often(server: ServiceServer, path: str, count: int) -> list[float]:
    """Ask the same over one connection; gives the seconds of each."""
    parts = urlsplit(server.address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    headers = {"Authorization": f"Bearer {server.token}"}
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        reply.read()
        times.append(time.perf_counter() - begin)
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status}")
    connection.close()
    return times


def fill(server: ServiceServer, count: int) -> None:
    """Jobs in the table, as the API would have put them there."""
    desk = Desk(read(server.folder / "service_config.py"))
    told = Told(tasks=217, done=100, counts={"succeeded": 100}, modules=({"module": "a/B"},) * 7)
    for _ in range(count):
        desk.submit(Caller("kim"), "steps", {"count": 3, "seconds": 600.0})
    jobs = desk.jobs_table.active()
    desk.jobs_table.tell([(job.id, "half", told) for job in jobs])


def requests(server: ServiceServer) -> None:
    """How often a job can be looked at."""
    job, count, clients = server.submit("steps", count=1), 500, 4
    server.ended(job)
    pid = server.process.pid if server.process else 0
    begin, cpu = time.perf_counter(), cpu_of(pid)
    with ThreadPoolExecutor(clients) as pool:
        times = [
            one
            for part in pool.map(lambda _: ask_often(server, f"/jobs/{job}", count), range(clients))
            for one in part
        ]
    seconds, cpu = time.perf_counter() - begin, cpu_of(pid) - cpu
    total = count * clients
    times.sort()
    print(
        f"GET /jobs/{{id}}: {total / seconds:.0f} a second, {1000 * cpu / total:.2f} ms CPU each "
        f"({total / cpu:.0f} a CPU second), p50 {1000 * times[total // 2]:.1f} ms, "
        f"p99 {1000 * times[int(0.99 * total)]:.1f} ms"
    )


def lists(server: ServiceServer) -> None:
    """A page of 1,000 jobs."""
    fill(server, 1000)
    pid = server.process.pid if server.process else 0
    ask_often(server, "/jobs?limit=1000", 2)
    cpu = cpu_of(pid)
    times = sorted(ask_often(server, "/jobs?limit=1000", 20))
    cpu = cpu_of(pid) - cpu
    size = len(server.get("/jobs?limit=1000").body)
    print(
        f"GET /jobs?limit=1000: p50 {1000 * times[10]:.0f} ms, least {1000 * times[0]:.0f} ms, "
        f"{1000 * cpu / 20:.0f} ms CPU of the server (jobs that run are looked at besides), "
        f"{size / 1024:.0f} kB"
    )


def events(server: ServiceServer) -> None:
    """100 pages that listen to one job."""
    job = server.submit("steps", count=40, seconds=0.1)
    pid = server.process.pid if server.process else 0
    cpu, begin = cpu_of(pid), time.perf_counter()
    ends: list[int] = []

    def listen(_: int) -> None:
        counts = Counter(kind for kind, _, _ in server.events(f"/jobs/{job}/events"))
        ends.append(counts["log"])

    with ThreadPoolExecutor(100) as pool:
        list(pool.map(listen, range(100)))
    seconds = time.perf_counter() - begin
    print(
        f"100 open pages: all {len(ends)} had {set(ends)} lines of the log and the end; "
        f"{cpu_of(pid) - cpu:.1f} s CPU of the server in {seconds:.1f} s; "
        f"{memory_of(pid):.0f} MB"
    )


def lag(server: ServiceServer) -> None:
    """How soon the end of a Task is seen."""
    job = server.submit("steps", count=30, seconds=0.15)
    seen: list[tuple[float, int]] = []
    for kind, _, data in server.events(f"/jobs/{job}/events"):
        if kind == "status":
            seen.append((time.time(), data["done"]))
    run = open_run(server.run_folder(job))
    ends = [one.record.at for one in run.events() if one.record.kind == "end"]
    lags = [next(at for at, done in seen if done > number) - end for number, end in enumerate(ends)]
    print(f"the end of a Task is seen after {sum(lags) / len(lags):.2f} s, at most {max(lags):.2f}")


def cancel(server: ServiceServer) -> None:
    """How soon a local run has stopped."""
    times = []
    for _ in range(5):
        job = server.submit("steps", count=200, seconds=0.1)
        while server.job(job)["done"] == 0:
            time.sleep(0.1)
        begin = time.perf_counter()
        server.request("DELETE", f"/jobs/{job}")
        server.ended(job)
        times.append(time.perf_counter() - begin)
    print(f"a run has stopped after {min(times):.1f} to {max(times):.1f} s")


def demo(server: ServiceServer) -> None:
    """How much longer a place takes by HTTP than by command."""
    inputs = {"longitude": 27.95, "latitude": 11.57, "start_date": "2016-01-01"}
    text = f"from pyveg.configs.demo import *\ndate_range = {MONTHS}\nanalysis = False\n"
    (server.folder / "place.py").write_text(text)
    command = [sys.executable, "-m", "pyveg.scripts.run_pipeline", "--config_file", "place.py"]
    more = []
    for _ in range(3):
        begin = time.perf_counter()
        subprocess.run(command, cwd=server.folder, check=True, capture_output=True)
        alone = time.perf_counter() - begin
        begin = time.perf_counter()
        job = server.submit("resilience", **inputs, end_date="2017-01-01", analysis=False)
        for kind, _, _ in server.events(f"/jobs/{job}/events"):
            if kind == "end":
                break
        more.append(time.perf_counter() - begin - alone)
        print(f"   by command {alone:.1f} s, by HTTP {alone + more[-1]:.1f} s")
    print(f"by HTTP it takes {min(more):+.1f} to {max(more):+.1f} s longer")


def idle(server: ServiceServer) -> None:
    """What it takes while nothing happens."""
    pid = server.process.pid if server.process else 0
    time.sleep(3)
    cpu = cpu_of(pid)
    time.sleep(30)
    share = (cpu_of(pid) - cpu) / 30
    print(f"idle: {memory_of(pid):.0f} MB (PSS), {100 * share:.2f} % of a core")


ALL: dict[str, Callable[[ServiceServer], None]] = {
    "idle": idle,
    "requests": requests,
    "events": events,
    "lag": lag,
    "cancel": cancel,
    "demo": demo,
    "list": lists,
}


def main() -> None:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(ALL), default=list(ALL))
    parser.add_argument("--web_workers", type=int, default=1)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-service-"))
    config = "max_running = 2\nmax_active = 5000\nmax_active_of_process = 5000"
    print(json.dumps({"load": os.getloadavg(), "threads": threading.active_count()}))
    with ServiceServer(folder, config, web_workers=given.web_workers) as server:
        for name in given.only:
            ALL[name](server)


if __name__ == "__main__":
    main()
