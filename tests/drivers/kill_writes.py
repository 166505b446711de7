"""Kill a run before and after each of its writes, and finish it every time.

::

    python tests/drivers/kill_writes.py --dates 5

Nothing is left to chance: a run of the fake Modules is ended by SIGKILL at its first write, another
at its second, and so on to the last. Each must be finished with the results of a run that nobody
disturbed, and may not repeat a Task whose manifest was written.
"""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pyveg.core.pipeline import Pipeline
from pyveg.jobs.run import run_pipeline
from pyveg.testing.graphs import fake_pipeline

AT_ONCE = 12
"""Runs that are finished side by side."""
SURVIVED, FAILED = 0, 1
"""Exit codes of a run that ended before its moment came, and of one that ended by an error."""


def results(run: Path) -> dict[str, bytes]:
    """What a user gets, by path in the run."""
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in run.rglob("*")
        if path.is_file() and not path.relative_to(run).parts[0].startswith(("_", "."))
    }


def manifests(run: Path) -> dict[Path, int]:
    """When each Task was last done."""
    return {path: path.stat().st_mtime_ns for path in run.glob("_pyveg/manifests/**/*.json")}


def pipeline(folder: Path, dates: int) -> Pipeline:
    """Some dates through two Modules, and a combiner, in this process."""
    start = {"count": dates, "skip": ["00001"]}
    return fake_pipeline(start=start, output_location=str(folder / "run"), runner="serial")


def die_at(number: int, *, written: bool) -> None:
    """Let this process be killed at its write of that number, before or after it."""
    whole: Callable[..., None] = os.replace
    count = 0

    def replace(*arguments: str) -> None:
        nonlocal count
        if count + 1 == number and not written:
            os.kill(os.getpid(), signal.SIGKILL)
        whole(*arguments)  # fails where the folder is still to be made, and is called again
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replace  # type: ignore[assignment]


def killed_at(folder: Path, dates: int, number: int, *, written: bool) -> bool:
    """Run in a process that is killed; whether its moment came."""
    child = os.fork()
    if child == 0:
        try:
            die_at(number, written=written)
            run_pipeline(pipeline(folder, dates))
        except BaseException:  # noqa: BLE001 - this process must not go on as its parent would
            traceback.print_exc()
            os._exit(FAILED)
        os._exit(SURVIVED)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == FAILED:
        raise RuntimeError(f"the run that was to be killed at write {number} failed by itself")
    return os.WIFSIGNALED(status)


def finish(folder: Path, expected: dict[str, bytes]) -> str:
    """Finish the run in a folder; what is wrong with it, or nothing."""
    found = list(folder.glob("run_*"))
    if not found or not (found[0] / "_pyveg" / "run.json").is_file():
        return ""  # it ended before there was anything to finish
    (run,) = found
    done = manifests(run)
    report = run_pipeline(from_cache=run)
    if report.exit_code:
        return f"exit code {report.exit_code}"
    if results(run) != expected:
        return "the results are not those of a run that nobody disturbed"
    if list(run.glob(".partial/*")):
        return "parts of files are left"
    after = manifests(run)
    again = [path.relative_to(run).as_posix() for path in done if after[path] != done[path]]
    return f"done again: {', '.join(again)}" if again else ""


def kill_at_every_write(folder: Path, dates: int) -> tuple[int, list[str]]:
    """How many moments there were, and what was wrong after which."""
    run_pipeline(pipeline(folder / "whole", dates))
    (whole,) = (folder / "whole").iterdir()
    expected = results(whole)
    killed: dict[str, Path] = {}
    for moment in itertools.count():
        written = moment % 2 == 1
        here = folder / f"{moment}"
        if not killed_at(here, dates, moment // 2 + 1, written=written):
            break
        killed[f"killed {'after' if written else 'before'} write {moment // 2 + 1}"] = here
    # Many at once: who takes over from a process that was killed waits two seconds.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        troubles = list(pool.map(lambda here: finish(here, expected), killed.values()))
    found = zip(killed, troubles, strict=True)
    return len(killed), [f"{when}: {trouble}" for when, trouble in found if trouble]


def main() -> None:
    """Read the command line, and tell what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dates", type=int, default=5, help="dates of the run")
    dates = parser.parse_args().dates
    with tempfile.TemporaryDirectory() as folder:
        moments, wrong = kill_at_every_write(Path(folder), dates)
    print(f"{moments} kills, {len(wrong)} wrong", *wrong, sep="\n")
    sys.exit(bool(wrong) or not moments)


if __name__ == "__main__":
    main()
