"""Watch runs from another process and stop them at random moments, then finish each of them.

::

    python tests/drivers/stop_everywhere.py --count 20 --seed 7 --kinds processes file batch

``pyveg_status --json`` must be right within 2 seconds: every Task that it counts has a manifest,
and it counts every Task that had one 2 seconds earlier. A run that is asked to stop by
``pyveg_cancel`` must have ended within 5 seconds and left nothing at a service; ``--from_cache``
finishes it, and nothing is done twice. One run of each kind is killed instead, and must be told as
died: within 5 seconds on a folder, elsewhere when its lease has run out.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from everywhere import (
    ALL,
    COMMAND,
    Kind,
    find,
    finish,
    kinds,
    manifests,
    special,
    undisturbed,
    write_config,
)

LATE = 2.0
"""Seconds after which what has happened must be told."""
STOPPED_WITHIN = 5.0
DIED_WITHIN = {"folder": 5.0, "elsewhere": 75.0}
"""Seconds after a kill."""
STATUS = [sys.executable, "-m", "pyveg.scripts.status", "--json"]
CANCEL = [sys.executable, "-m", "pyveg.scripts.cancel"]


@dataclass
class Told:
    """What was found of one run."""

    kind: str
    moment: float
    ended_after: float = 0.0
    """Seconds from the request to stop, or from the kill, until it was told."""
    trouble: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.kind} after {self.moment:.1f} s: ended within {self.ended_after:.2f} s"


def status(where: str) -> dict[str, Any]:
    """What the command says of a run."""
    done = subprocess.run([*STATUS, where], capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def is_right(where: str, told: Told) -> None:
    """Compare what is told with what is there: no more than now, no less than 2 s before."""
    before = len(manifests(where))
    time.sleep(LATE)
    said = status(where)
    after = len(manifests(where))
    if said["state"] not in ("running", "ended"):
        told.trouble.append(f"a living run is told as {said['state']}")
    if not before <= said["done"] <= after:
        told.trouble.append(f"{said['done']} tasks are told, but there were {before} to {after}")


def start(config: Path, where: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start a run; it is there when its record is."""
    process = subprocess.Popen([*COMMAND, "--config_file", str(config)], stdout=subprocess.DEVNULL)
    while (run := find(where)) is None:
        if process.poll() is not None:
            raise RuntimeError(f"the run ended with {process.returncode} before it began")
        time.sleep(0.05)
    return process, run


def stop(folder: Path, kind: Kind, number: int, moment: float) -> tuple[Told, str]:
    """Watch a run, and stop it after a while."""
    process, run = start(*write_config(folder, kind, number))
    told = Told(kind.name, moment)
    time.sleep(moment)
    is_right(run, told)
    begin = time.monotonic()
    asked = subprocess.run([*CANCEL, run], capture_output=True, text=True, check=False)
    if asked.returncode:
        told.trouble.append(f"pyveg_cancel: {asked.stdout}{asked.stderr}")
    process.wait(timeout=60)
    told.ended_after = time.monotonic() - begin
    if told.ended_after > STOPPED_WITHIN:
        told.trouble.append(f"it took {told.ended_after:.1f} s to stop")
    if process.returncode not in (0, 130):
        told.trouble.append(f"exit code {process.returncode}")
    said = status(run)["state"]
    if said != ("ended" if process.returncode == 0 else "stopped"):
        told.trouble.append(f"it is told as {said} after exit code {process.returncode}")
    told.trouble += [f"left {text}" for text in kind.left()]
    return told, run


def kill(folder: Path, kind: Kind, number: int, moment: float) -> tuple[Told, str]:
    """Kill a run, and wait until that is told."""
    process, run = start(*write_config(folder, kind, number))
    told = Told(kind.name, moment)
    time.sleep(moment)
    process.kill()
    process.wait()
    begin = time.monotonic()
    limit = DIED_WITHIN["elsewhere" if "://" in run else "folder"]
    while (said := status(run))["state"] != "died" and time.monotonic() - begin < limit + 5:
        if said["state"] == "ended" and said["done"] == said["tasks"]:
            break  # it had come to its end before the kill
        time.sleep(0.2)
    told.ended_after = time.monotonic() - begin
    if told.ended_after > limit:
        told.trouble.append(f"killed, and told only after {told.ended_after:.1f} s")
    return told, run


def longer(kind: Kind) -> Kind:
    """Runs that go on while they are looked at; those on nodes do so anyway."""
    if kind.name == "batch":
        return kind
    config = {**kind.config, "special_config": special(60, 0.2)}
    return replace(kind, config=config, seconds=(0.2, 6.0))


def main() -> None:
    """Read the command line, and tell what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="how many runs are stopped in all")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    kinds_of = ("processes", "file", "batch")
    parser.add_argument("--kinds", nargs="+", choices=ALL, default=list(kinds_of))
    given = parser.parse_args()
    moments, all_told = random.Random(given.seed), []
    folder = Path(tempfile.mkdtemp(prefix="stop-"))
    with kinds(folder, given.kinds) as chosen:
        each = -(-given.count // len(chosen))
        for kind in map(longer, chosen):
            expected = undisturbed(folder, kind)
            for number in range(1, each + 2):
                act = stop if number <= each else kill
                told, run = act(folder, kind, number, moments.uniform(0, kind.seconds[1]))
                told.trouble += finish(run, expected)
                told.trouble += [f"left {text}" for text in kind.left()]
                all_told.append(told)
                print(told, *told.trouble, sep="\n    ", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    wrong = sum(bool(told.trouble) for told in all_told)
    print(f"{len(all_told)} runs, {wrong} wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
