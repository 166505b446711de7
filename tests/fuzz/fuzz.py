"""Feeds pyveg with configs, summaries and records of runs that are damaged or odd.

    python tests/fuzz/fuzz.py configs --count 3000 --seed 1
    python tests/fuzz/fuzz.py summaries --count 300
    python tests/fuzz/fuzz.py analyses --count 300
    python tests/fuzz/fuzz.py runs --count 400

Whatever comes in must be used, or refused in a sentence: short, printable, within a minute, and
without anything half written. What else happens is printed with the seed that makes it again.
Images have a driver of their own, tests/drivers/fuzz_files.py.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pyveg.core import texts
from pyveg.core.errors import PyvegError
from pyveg.core.layout import RUN_FILE

sys.path.insert(0, str(Path(__file__).parent))

import odd

LONGEST_MESSAGE = 5_000
SLOWEST = 60.0
"""Seconds of a processor, so that a busy machine makes no fault."""

Case = Callable[[random.Random, Path], str]
"""Does one thing in an empty folder: "used" or the words of a refusal."""


def config(rng: random.Random, folder: Path) -> str:
    """Resolve and plan a config of which some names have odd values; plans write nothing."""
    from pyveg.jobs.load import load_pipeline
    from pyveg.jobs.resolve import resolve
    from pyveg.jobs.run import prepare

    settings = odd.damaged_config(rng, folder)
    if rng.random() < 0.2:
        path = folder / "config.py"
        path.write_bytes(odd.config_file(rng))
        pipeline = load_pipeline(path)
        path.unlink()
    else:
        pipeline = resolve(settings)
    prepared = prepare(pipeline)
    json.dumps(pipeline.to_json())
    left = list(folder.iterdir())
    if left:
        raise AssertionError(f"a plan has written {left}")
    return "used" if len(prepared.plan.graph) else "nothing to do"


def summary(rng: random.Random, folder: Path) -> str:
    """Read, and sometimes analyse, a summary of which some parts are odd."""
    from pyveg.runs.load import load_results, load_weather

    path = folder / "results_summary.json"
    path.write_bytes(odd.damaged_json(rng, odd.SUMMARY))
    table = load_results(path)
    load_weather(path)
    numbers = table.select_dtypes("number")
    if len(numbers) and not bool((numbers.abs().fillna(0).max() < 1e16).all()):
        raise AssertionError("a number that cannot be was accepted")
    if rng.random() < 0.15:
        from pyveg.analysis.data.series import load_series

        load_series(path)
    return "used"


def analysis(rng: random.Random, folder: Path) -> str:
    """Analyse such a summary to the end, with tables, figures and report, by the command."""
    from click.testing import CliRunner

    from pyveg.analysis.folder import analyses_in, read_analysis
    from pyveg.scripts.gee_analysis import main
    from pyveg.storage.local import LocalStore

    # Sound at first, so that most get as far as the analysis; longer than six months sometimes.
    document = odd.long_summary(rng)
    path, out = folder / "results_summary.json", folder / "out"
    path.write_bytes(odd.damaged_json(rng, document, whole=True))
    given = ["--input_file", str(path), "--output_dir", str(out), "--surrogates", "19"]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        result = CliRunner().invoke(main, [*given, "--n_threads", "1"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    text = result.output.replace("\n", "").replace("\t", "")
    if not text.isprintable() or "Traceback" in text:
        raise AssertionError(f"an output that cannot be read: {text[-300:]!r}")
    odd_ones = [one for one in warned if issubclass(one.category, RuntimeWarning | UserWarning)]
    if odd_ones:
        raise AssertionError(f"it warned of {odd_ones[0].message} ({odd_ones[0].filename})")
    if result.exit_code == 0:
        store = LocalStore(out)
        for one in analyses_in(store):
            _look_at(read_analysis(store, one).tables())
            if store.size(f"{one}/report.html") is None:
                raise AssertionError("an analysis without its report")
        return "used"
    if result.exit_code != 2 or text.count("Error: ") != 1 or len(text) > LONGEST_MESSAGE:
        raise AssertionError(f"it ended with {result.exit_code}: {text[-300:]!r}")
    if out.exists():
        raise AssertionError("refused, and something was written")
    return "DataError"


def _look_at(tables: Mapping[str, Any]) -> None:
    """Nothing in the tables of an analysis may be beyond what can be measured."""
    for name, table in tables.items():
        numbers = table.select_dtypes("number")
        if len(numbers) and not bool((numbers.abs().fillna(0).max() < 1e17).all()):
            raise AssertionError(f"a number that cannot be is in {name}")


def run(rng: random.Random, folder: Path) -> str:
    """Open, watch and finish a run of which one file is damaged."""
    from pyveg.jobs.run import prepare
    from pyveg.runs.run import open_run

    where = folder / "run"
    shutil.copytree(_whole_run(), where)
    files = sorted(path for path in (where / "_pyveg").rglob("*") if path.is_file())
    path = where / RUN_FILE if rng.random() < 0.4 else rng.choice(files)
    path.write_bytes(odd.damaged_file(rng, path.read_bytes()))
    opened = open_run(where)
    said = []
    for look in (
        opened.status,
        lambda: opened.log,
        lambda: list(opened.events()),
        lambda: opened.metrics,
        lambda: prepare(from_cache=where, trust_record=rng.random() < 0.5),
    ):
        try:
            look()
        except PyvegError as error:
            said.append(_judged(error))
    return said[0] if said else "used"


_RUN: list[Path] = []


def _whole_run() -> Path:
    """A small run, made once."""
    if not _RUN:
        from pyveg.jobs.resolve import resolve
        from pyveg.jobs.run import run_pipeline

        where = Path(tempfile.mkdtemp(prefix="pyveg-fuzz-")) / "run"
        run_pipeline(resolve(odd.small_config()), at=where)
        _RUN.append(where)
    return _RUN[0]


CASES: dict[str, Case] = {
    "configs": config, "summaries": summary, "analyses": analysis, "runs": run,
}  # fmt: skip


def _judged(error: PyvegError) -> str:
    text = str(error)
    if len(text) > LONGEST_MESSAGE or not text.replace("\n", "").isprintable():
        raise AssertionError(f"a message that cannot be read: {text[:200]!r}")
    return type(error).__name__


def one(kind: str, seed: int) -> str:
    """What became of one case: "used", the kind of the refusal, or "FAULT: ..."."""
    rng = random.Random(f"{kind} {seed}")
    begin = time.process_time()
    with tempfile.TemporaryDirectory(prefix="pyveg-fuzz-") as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        try:
            end = CASES[kind](rng, folder)
        except PyvegError as error:
            end = _judged(error)
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            where = traceback.extract_tb(error.__traceback__)[-1]
            end = f"FAULT: {texts.said(error)[:200]} ({where.filename}:{where.lineno})"
    seconds = time.process_time() - begin
    return end if seconds < SLOWEST else f"FAULT: it took {seconds:.0f} s"


def many(kind: str, count: int, seed: int) -> Iterator[tuple[int, str]]:
    """Seed and end of each case."""
    for number in range(seed, seed + count):
        yield number, one(kind, number)


def main() -> int:
    """Run the cases and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kind", choices=CASES)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    ends: Counter[str] = Counter()
    begin = time.monotonic()
    for seed, end in many(given.kind, given.count, given.seed):
        if end.startswith("FAULT"):
            print(f"{given.kind} --count 1 --seed {seed}: {end}", flush=True)
        ends[end.partition(":")[0]] += 1
    print(f"{given.count} {given.kind} in {time.monotonic() - begin:.0f} s: {dict(ends)}")
    return 1 if ends["FAULT"] else 0


if __name__ == "__main__":
    sys.exit(main())
