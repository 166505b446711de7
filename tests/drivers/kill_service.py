"""Kill the server of jobs, the process of a job, or both, at random moments; or dismiss the job.

::

    python tests/drivers/kill_service.py --count 20 --seed 7 --who server child both caller

Each time a job is submitted, something is killed while it is planned or goes on, and the server is
started again where it was killed. The job must end well: none is lost, none has two processes, none
stays where it is, and no Task that was done is done again. A job whose process dies three times
must have failed, with its last words. One that its caller dismisses, twice, has either been
dismissed and is not done, or was done before.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from pyveg.runs.run import open_run
from pyveg.testing.service_server import ServiceServer

INPUTS = {"count": 12, "seconds": 0.1}
LONGEST = 5.0
"""Seconds that such a job takes, with what comes before its run."""
WHO = ("server", "child", "both", "caller")


def strike(server: ServiceServer, job: str, who: str) -> None:
    """Kill somebody."""
    if who in ("child", "both"):
        for pid in server.children(job):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    if who in ("server", "both"):
        server.kill()


def manifests(folder: Path) -> dict[str, tuple[int, int]]:
    """The manifests of a run: when each was written, and in which file."""
    found = {}
    for path in (folder / "_pyveg" / "manifests").rglob("*.json"):
        with suppress(FileNotFoundError):
            found[str(path)] = (path.stat().st_mtime_ns, path.stat().st_ino)
    return found


def try_once(server: ServiceServer, who: str, moment: float) -> list[str]:
    """Submit a job, kill somebody after some seconds, and say what is wrong afterwards."""
    job = server.submit("steps", **INPUTS)
    folder = server.run_folder(job)
    time.sleep(moment)
    most = len(server.children(job))
    strike(server, job, who)
    if who != "server":
        time.sleep(0.05)
    done = manifests(folder)
    if who != "child":
        server.start()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        most = max(most, len(server.children(job)))
        status = server.job(job)
        if status["status"] in ("successful", "failed", "dismissed"):
            break
        time.sleep(0.05)
    return [*told_of(status, most), *told_of_run(folder, done)]


def dismiss_once(server: ServiceServer, moment: float) -> list[str]:
    """Submit a job, dismiss it after some seconds, and say what is wrong afterwards."""
    job = server.submit("steps", **INPUTS)
    time.sleep(moment)
    answers = [server.request("DELETE", f"/jobs/{job}").status for _ in range(2)]
    status = server.ended(job)
    late = server.request("DELETE", f"/jobs/{job}").status
    state, done, tasks = status["status"], status["done"], 2 * INPUTS["count"] + 1
    fine = (state == "successful" and done == tasks) or (state == "dismissed" and done < tasks)
    wrong = [] if fine else [f"it is {state} after {done} tasks: {status['message']}"]
    if answers not in ([200, 200], [409, 409], [200, 409]) or late != 409:
        wrong.append(f"it was dismissed with {answers}, and {late} when it was over")
    if state == "dismissed" and server.children(job):
        wrong.append("its process lives")
    return wrong


def told_of(status: dict[str, object], most: int) -> list[str]:
    """What is wrong with how a job is."""
    wrong = []
    if status["status"] != "successful" or status["done"] != 2 * INPUTS["count"] + 1:
        wrong.append(f"it is {status['status']}, {status['done']} tasks: {status['message']}")
    if most > 1:
        wrong.append(f"it had {most} processes at once")
    return wrong


def told_of_run(folder: Path, done: dict[str, tuple[int, int]]) -> list[str]:
    """What is wrong with its run."""
    after = manifests(folder)
    wrong = [f"{path} was written again" for path, state in done.items() if after[path] != state]
    ends = Counter(
        told.record.task
        for told in open_run(folder).events()
        if told.record.state == "succeeded" and told.record.task
    )
    wrong += [f"{task} was done {times} times" for task, times in ends.items() if times > 1]
    return wrong


def die_thrice(server: ServiceServer) -> list[str]:
    """A job whose process dies three times."""
    job = server.submit("steps", count=40, seconds=0.2)
    for _ in range(3):
        before = server.child(job)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pid = server.child(job)
            if pid is not None and server.children(job) == [pid] and server.job(job)["done"] > 0:
                break
            time.sleep(0.05)
        time.sleep(0.3)
        for pid in server.children(job):
            os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 15
        while server.child(job) in (before, pid) and time.monotonic() < end:
            if server.job(job)["status"] == "failed":
                break
            time.sleep(0.05)
    status = server.ended(job)
    fine = status["status"] == "failed" and "died 3 times" in status["message"]
    return [] if fine else [f"after three deaths it is {status['status']}: {status['message']}"]


def main() -> None:
    """Read the command line, and tell what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="times that each is killed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--who", nargs="+", choices=WHO, default=list(WHO))
    parser.add_argument("--web_workers", type=int, default=1)
    given = parser.parse_args()
    moments, wrong = random.Random(given.seed), 0
    folder = Path(tempfile.mkdtemp(prefix="kill-service-"))
    with ServiceServer(folder, web_workers=given.web_workers) as server:
        for who in given.who:
            for number in range(given.count):
                moment = moments.uniform(0, LONGEST)
                told = (
                    dismiss_once(server, moment)
                    if who == "caller"
                    else try_once(server, who, moment)
                )
                wrong += bool(told)
                for text in told:
                    print(f"{who} {number} after {moment:.2f} s: {text}")
            print(f"{who}: killed {given.count} times", flush=True)
        told = die_thrice(server)
        wrong += bool(told)
        print(*told or ["three deaths: failed, as it must"], sep="\n")
        jobs = server.get("/jobs?limit=1000").json["jobs"]
        runs = list((folder / "runs").iterdir())
        begun = [job for job in jobs if job["started"]]
        print(f"{len(jobs)} jobs, {len(runs)} runs; {wrong} went wrong; in {folder}")
        wrong += len(begun) != len(runs)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
