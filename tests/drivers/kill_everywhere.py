"""Kill runs at random moments on every engine and every kind of Store, and finish each of them.

::

    python tests/drivers/kill_everywhere.py --count 120 --seed 7 --kinds serial processes batch

Each run is killed (kill -9) while it goes on; when the locks of all the dead have run out, each is
finished with ``--from_cache``. Its results must be those of a run that nobody disturbed, no Task
whose manifest was there is done again, and nothing is left behind: no process, no job, no pool.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from everywhere import ALL, COMMAND, Kind, find, finish, kinds, undisturbed, write_config


@dataclass
class Killed:
    """A run whose process was killed."""

    kind: Kind
    where: str
    moment: float
    trouble: list[str]


def kill(config: Path, moment: float) -> list[str]:
    """Start a run and kill it; what is wrong afterwards."""
    with subprocess.Popen(
        [*COMMAND, "--config_file", str(config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        time.sleep(moment)
        alive = process.poll() is None
        workers = psutil.Process(process.pid).children(recursive=True) if alive else []
        process.kill()
        process.communicate()
    outlived = psutil.wait_procs(workers, timeout=20)[1]
    return [f"{len(outlived)} workers outlived their run"] if outlived else []


def try_kind(folder: Path, kind: Kind, count: int, moments: random.Random) -> list[Killed]:
    """Kill some runs of a kind."""
    killed = []
    for number in range(1, count + 1):
        config, where = write_config(folder, kind, number)
        moment = moments.uniform(*kind.seconds)
        trouble = kill(config, moment)
        run = find(where)
        if run is not None:
            killed.append(Killed(kind, run, moment, trouble))
        elif trouble:
            killed.append(Killed(kind, "", moment, trouble))
    return killed


def main() -> None:
    """Read the command line, and tell what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=14, help="how many runs are killed in all")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--kinds", nargs="+", choices=ALL, default=list(ALL))
    given = parser.parse_args()
    moments, wrong, finished = random.Random(given.seed), [], 0
    folder = Path(tempfile.mkdtemp(prefix="kill-"))
    with kinds(folder, given.kinds) as chosen:
        each = max(1, given.count // len(chosen))
        killed, expected = [], {}
        for kind in chosen:
            expected[kind.name] = undisturbed(folder, kind)
            killed += try_kind(folder, kind, each, moments)
        for one in killed:
            finished += bool(one.where)
            found = one.trouble + (finish(one.where, expected[one.kind.name]) if one.where else [])
            wrong += [f"{one.kind.name} after {one.moment:.2f} s: {text}" for text in found]
        for kind in chosen:
            wrong += [f"{kind.name} has left {text}" for text in kind.left()]
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{each * len(chosen)} kills, {finished} finished, {len(wrong)} wrong", *wrong, sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
