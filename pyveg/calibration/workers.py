"""Worker processes of a calibration."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from pyveg.core.errors import RunError

Job = TypeVar("Job")
Progress = Callable[[int, int, str], None]
"""Is told how many pieces of work are done, of how many, and the name of the last one."""


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def work_off(
    work: Callable[[Job], object], jobs: Sequence[Job], n_workers: int, imported: str
) -> Iterator[Job]:
    """Do each job, and give it back when it is done; in any order.

    Parameters
    ----------
    work : callable
        That another process can be sent; what it gives back is not looked at.
    jobs : sequence
    n_workers : int
        Processes; 1 is this one.
    imported : str
        Module that workers import before they begin.

    Raises
    ------
    RunError
        If a worker process dies.
    """
    if n_workers == 1 or len(jobs) < 2:
        for job in jobs:
            work(job)
            yield job
        return
    try:
        with worker_pool(min(n_workers, len(jobs)), imported) as pool:
            yield from _in_pool(pool, work, jobs, 2 * n_workers)
    except BrokenProcessPool as error:
        raise RunError(
            "a worker process died (killed, or out of memory)",
            "what is done is kept: the same command goes on from there, perhaps with a smaller "
            "n_workers",
        ) from error


def _in_pool(
    pool: ProcessPoolExecutor, work: Callable[[Job], object], jobs: Sequence[Job], ahead: int
) -> Iterator[Job]:
    """Jobs as they are done; so many are in hand at once."""
    running: dict[Future[object], Job] = {}
    waiting = iter(jobs)
    while True:
        for job in islice(waiting, ahead - len(running)):
            running[pool.submit(work, job)] = job
        if not running:
            return
        ended, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in ended:
            job = running.pop(future)
            future.result()
            yield job


@contextmanager
def worker_pool(count: int, imported: str) -> Iterator[ProcessPoolExecutor]:
    """Worker processes, which end with this one, however it ends."""
    from pyveg.runners.processes import tie, worker_context

    context = worker_context([imported])
    reader, lifeline = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=tie, initargs=(reader,))
    try:
        yield pool
        pool.shutdown()
    finally:
        lifeline.close()  # ends workers that are busy with what nobody waits for
        pool.shutdown(cancel_futures=True)
