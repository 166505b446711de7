"""Post many jobs at once to a server with several web workers, up to and beyond its limit.

::

    python tests/drivers/post_service.py --posts 200 --limit 50 --web_workers 4

The jobs outlast the test, so as many as the limit says are taken in and all others get 429; nothing
is a fault of the server (500), and each that was taken in is in the list, once. Then many posts are
sent at once with one key: they are one job.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from pyveg.testing.service_server import Answer, ServiceServer

EXECUTION = "/processes/steps/execution"


def at_once(times: int, ask: Callable[[], Answer]) -> list[Answer]:
    """Ask from as many threads, which wait for each other."""
    start = Barrier(times)

    def one(_: int) -> Answer:
        start.wait()
        return ask()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def beyond_the_limit(server: ServiceServer, posts: int, limit: int) -> list[str]:
    """What is wrong with many posts of jobs that last."""
    body = {"inputs": {"count": 1, "seconds": 600.0}}
    answers = at_once(posts, lambda: server.request("POST", EXECUTION, body))
    found = Counter(one.status for one in answers)
    taken = {one.json["jobID"] for one in answers if one.status == 201}
    listed = [one["jobID"] for one in server.get("/jobs?limit=1000").json["jobs"]]
    print(f"{posts} posts at once: {dict(found)}")
    wrong = []
    if found != {201: limit, 429: posts - limit}:
        wrong.append(f"{posts} posts with a limit of {limit} were answered with {dict(found)}")
    if Counter(listed) != Counter(taken):
        wrong.append(f"{len(taken)} jobs were taken in, and {len(listed)} are listed")
    waits = [{name.lower() for name in one.headers} for one in answers if one.status == 429]
    if not all("retry-after" in names for names in waits):
        wrong.append("a refusal does not say when to try again")
    for job in taken:
        server.request("DELETE", f"/jobs/{job}")
    for job in taken:
        server.ended(job)
    return wrong


def one_key(server: ServiceServer, posts: int) -> list[str]:
    """What is wrong with one key that many posts have."""
    body, headers = {"inputs": {"count": 1}}, {"Idempotency-Key": uuid.uuid4().hex}
    answers = at_once(posts, lambda: server.request("POST", EXECUTION, body, headers=headers))
    found = Counter(one.status for one in answers)
    jobs = {one.json["jobID"] for one in answers if one.status in (200, 201)}
    print(f"{posts} posts with one key: {dict(found)}, {len(jobs)} job")
    fine = len(jobs) == 1 and found == {201: 1, 200: posts - 1}
    return [] if fine else [f"one key gave {len(jobs)} jobs, with {dict(found)}"]


def main() -> None:
    """Read the command line, and tell what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=200)
    parser.add_argument("--limit", type=int, default=50, help="jobs of a caller that may be active")
    parser.add_argument("--web_workers", type=int, default=4)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="post-service-"))
    with ServiceServer(
        folder, f"max_active = {given.limit}", web_workers=given.web_workers
    ) as server:
        wrong = beyond_the_limit(server, given.posts, given.limit)
        wrong += one_key(server, min(given.posts, 50))
    print(*wrong, f"{len(wrong)} wrong", sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
