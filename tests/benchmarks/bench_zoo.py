"""Count what the verdict says of a zoo of records, most of which lose no resilience.

Run ``python tests/benchmarks/bench_zoo.py --folder zoo``: it goes on where it was interrupted.
``--series 400`` is the whole of it; ``--kept`` judges nothing and tells of what is there. Areas
under the ROC are compared with those of the usual recipe of ewstools on the same records. Exit code
1 where memory is said to rise too often (in more than 5 % of all records without a loss, or in some
situation by more than chance, all situations considered), or where the area of the trend of memory
against all records without a loss is more than 0.03 below that of rolling AR(1).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[variable] = "1"

import ewstools
import numpy as np
import pandas as pd

from pyveg.calibration.zoo import LOSING, SITUATIONS, Record, zoo_series
from pyveg.calibration.zoo.cells import zoo_cells
from pyveg.calibration.zoo.rates import KIND, NOMINAL, SCORES, scores, together
from pyveg.calibration.zoo.runs import kept_records
from pyveg.calibration.zoo.write import write_zoo
from pyveg.scripts.zoo_tables import kind_words, zoo_lines

WORDS = {
    "weather's": ("follows_weather", "weather_or_memory"),
    "noise grows": ("spread_grows",),
    "variance falls": ("clearer_view",),
    "abrupt": ("abrupt_change",),
}
"""Columns of the tables for the docs, with the states that they count."""
ALLOWED = 0.03
"""Of area under the ROC."""
NAMED, TAU = "trend of memory", "ewstools AR(1)"
KEY = ["situation", "years", "gaps", "seed"]


def usual_tau(series: np.ndarray[Any, Any]) -> float:
    """Kendall's tau of AR(1) by ewstools as its users have it.

    Mean of each month taken away, gaps filled in straight lines, a Gaussian filter with a bandwidth
    of 0.2, and windows of half of the record.
    """
    values = pd.Series(series)
    values -= values.groupby(np.arange(len(values)) % 12).transform("mean")
    found = ewstools.TimeSeries(values.interpolate(limit_direction="both"))
    found.detrend(method="Gaussian", bandwidth=0.2)
    found.compute_auto(lag=1, rolling_window=0.5)
    found.compute_ktau()
    return float(found.ktau["ac1"])


def with_ewstools(records: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Records of one chip, with tau by ewstools; what was computed before is read."""
    alone = records[records["chips"] == 1].copy()
    known: dict[tuple[Any, ...], float] = {}
    if path.exists():
        table = pd.read_csv(path)
        known = dict(zip(map(tuple, table[KEY].to_numpy().tolist()), table[TAU], strict=True))
    keys = list(map(tuple, alone[KEY].to_numpy().tolist()))
    for key in keys:
        if key not in known:
            name, years, gaps, seed = key
            known[key] = usual_tau(zoo_series(name, Record(years, gaps), int(seed))[0])
    alone[TAU] = [known[key] for key in keys]
    alone[[*KEY, TAU]].to_csv(path, index=False)
    return alone


def compared(records: pd.DataFrame, path: Path) -> bool:
    """Print areas under the ROC side by side; whether those of `NAMED` are large enough."""
    named: Mapping[str, Any] = {**SCORES, TAU: lambda part: -part[TAU].to_numpy()}
    found = scores(with_ewstools(records, path), named)
    wide = found.pivot_table(index=[*KIND, "situation"], columns="score", values="auc", sort=False)
    print(f"\narea under the ROC against all records without a loss:\n{wide.round(2).to_string()}")
    short = wide[NAMED] < wide["rolling AR(1)"] - ALLOWED
    for kind in wide.index[short]:
        print(f"below rolling AR(1): {kind}")
    everything = short.xs("all", level="situation")
    return not everything.any()


def markdown(found: pd.DataFrame) -> str:
    """Tables for `docs/calibration.md`, percent of records: two kinds whole, then all in short."""
    kinds = {tuple(kind): part for kind, part in found.groupby(KIND, sort=False)}
    whole = [kind for kind, part in kinds.items() if set(part["situation"]) == set(SITUATIONS)]
    most = sorted(sorted(whole, key=lambda kind: -kinds[kind]["series"].sum())[:2])
    columns = ["memory rises (95 %)", *WORDS, "records"]
    head = ["situation", *(f"{kind[0]:g} years: {name}" for kind in most for name in columns)]
    rows = [head, ["---"] * len(head)]
    for name in SITUATIONS:
        mine = [kinds[kind].set_index("situation").loc[name] for kind in most]
        title = f"*{name}*" if name in LOSING else name
        rows.append([title, *(text for row in mine for text in _cells(row))])
    names = ["kind of record", "no loss: memory rises (95 %)", "most in one situation", *LOSING]
    short = [names, ["---"] * len(names), *(_short(kind, kinds[kind]) for kind in kinds)]
    return "\n\n".join(_table(part) for part in (rows, short))


def _table(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(row: pd.Series) -> list[str]:
    count = row["series"]
    interval = f"({100 * row['rises_low']:.0f}-{100 * row['rises_high']:.0f})"
    shares = [sum(row[name] for name in states) / count for states in WORDS.values()]
    first = f"{100 * row['memory_rises'] / count:.0f} {interval}"
    return [first, *(f"{100 * share:.0f}" for share in shares), str(count)]


def _short(kind: tuple[float, ...], part: pd.DataFrame) -> list[str]:
    risen, series, low, high = together(part)
    rates = part.set_index("situation")
    rates["share"] = rates["memory_rises"] / rates["series"]
    worst = rates[~rates["losing"]].sort_values("share").iloc[-1]
    lost = [
        f"{100 * rates.loc[name, 'share']:.0f}" if name in rates.index else "" for name in LOSING
    ]
    return [
        kind_words(dict(zip(KIND, kind, strict=True))),
        f"{100 * risen / series:.1f} ({100 * low:.1f}-{100 * high:.1f}) of {series}",
        f"{worst.name}: {worst['memory_rises']} of {worst['series']}",
        *lost,
    ]


def main() -> int:
    """Print the rates; 0 if those that are checked are held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("zoo"))
    parser.add_argument("--series", type=int, default=60)
    parser.add_argument("--years", type=int, nargs="*", default=[])
    parser.add_argument("--kept", action="store_true")
    parser.add_argument("--markdown", type=Path)
    args = parser.parse_args()
    groups = zoo_cells(args.series, args.years)
    if args.kept:
        groups = kept_records(args.folder, groups)
    zoo = write_zoo(
        args.folder,
        groups,
        progress=lambda done, total, name: print(f"{done}/{total} {name}", flush=True),
    )
    print("\n".join(zoo_lines(zoo.rates, zoo.scores)))
    if args.markdown:
        args.markdown.write_text(markdown(zoo.rates) + "\n", encoding="utf-8")
    enough = compared(zoo.records, args.folder / "ewstools.csv")
    risen, series, _, _ = together(zoo.rates)
    odd = zoo.rates[zoo.rates["corrected_low"] > NOMINAL]
    for row in odd.itertuples():
        print(f"too often: {row.situation}, {row.years:g} years")
    return int(risen > NOMINAL * series or len(odd) > 0 or not enough)


if __name__ == "__main__":
    sys.exit(main())
