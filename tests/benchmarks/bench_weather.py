"""What the verdict says of vegetation that answers rain, whose own memory rises or does not.

Run ``python tests/benchmarks/bench_weather.py [--series 40] [--years 25]``. Counts, for each kind
of answer to rain and each share of steps whose rain is known, the verdicts and the words on the
weather; rain is seasonal, its memory goes from 0 to 0.85 or stays at 0.3, and a tenth of the
vegetation's values is missing. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pyveg.analysis.data.series import Series, tidy
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.states import states_of, weather_word
from pyveg.analysis.temporal.indicators import temporal_indicators
from pyveg.analysis.temporal.surrogate_tests import SITE

Values = NDArray[np.float64]
METRIC = "greenness"
SETTINGS = AnalysisSettings(surrogates=199, indicators=("ar1",))
_REST = 60


@dataclass(frozen=True)
class Case:
    """How rain and vegetation behave."""

    answer: str = "line"
    """"line", "threshold", "step", "level" (levels off) or "none"."""
    memory: float = 0.4
    last: float | None = None
    """Memory at the end; that of the beginning where not given."""
    kept: float = 0.0
    """Share of a store of rain that the next step still has."""
    rain_rises: bool = True
    """Whether the memory of the rain rises."""
    known: float = 1.0
    """Share of the steps, the last ones, whose rain is known; 0: there is no rain."""
    constant: bool = False
    """Whether the rain that is told never changes."""


CASES = {
    "straight line, .4": Case(),
    "straight line, .85": Case(memory=0.85),
    "above a threshold, .4": Case("threshold"),
    "above a threshold, .85": Case("threshold", memory=0.85),
    "none or all, .4": Case("step"),
    "none or all, .85": Case("step", memory=0.85),
    "levels off, .4": Case("level"),
    "levels off, .85": Case("level", memory=0.85),
    "store that keeps 80 %, .4": Case(kept=0.8),
    "unrelated rain, .5": Case("none", memory=0.5),
    "unrelated rain, .85": Case("none", memory=0.85),
    "straight line, rain of 40 % known": Case(known=0.4),
    "straight line, rain of 10 % known": Case(known=0.1),
    "straight line, constant rain told": Case(constant=True),
    "straight line, no rain told": Case(known=0.0),
    "rise .3 to .7, straight line, stable rain": Case(memory=0.3, last=0.7, rain_rises=False),
    "rise .3 to .7, straight line": Case(memory=0.3, last=0.7),
    "rise .3 to .7, threshold, stable rain": Case("threshold", 0.3, 0.7, rain_rises=False),
    "rise .3 to .7, unrelated rain": Case("none", 0.3, 0.7, rain_rises=False),
}


def rain_of(case: Case, n: int, rng: np.random.Generator) -> Values:
    """Seasonal rain whose anomaly has a memory."""
    phi = np.linspace(0.0, 0.85, n) if case.rain_rises else np.full(n, 0.3)
    phi = np.concatenate([np.full(_REST, phi[0]), phi])
    anomaly = np.zeros(phi.size)
    for t in range(1, phi.size):
        anomaly[t] = phi[t] * anomaly[t - 1] + np.sqrt(1 - phi[t] ** 2) * rng.standard_normal()
    season = 1 + 0.8 * np.sin(2 * np.pi * np.arange(n) / 12)
    return np.asarray(60 * season * np.exp(0.5 * anomaly[_REST:]), dtype=np.float64)


def answer_of(case: Case, rain: Values) -> Values:
    """What the rain does to the vegetation, of SD 1; 0 where nothing."""
    z = (rain - rain.mean()) / rain.std()
    made = {
        "line": z,
        "threshold": np.maximum(z - 0.3, 0),
        "step": (z > 0.3).astype(float),
        "level": np.minimum(z, 0),
        "none": np.zeros(z.size),
    }[case.answer]
    store = np.zeros(z.size)
    for t in range(1, z.size):
        store[t] = case.kept * store[t - 1] + np.sqrt(1 - case.kept**2) * made[t]
    scale = made.std() or 1.0
    return np.asarray((store if case.kept else made) / scale, dtype=np.float64)


def record_of(case: Case, years: int, seed: int) -> Series:
    """One chip and its rain."""
    rng = np.random.default_rng(seed)
    n = 12 * years
    rain = rain_of(case, n, rng)
    pushed = answer_of(case, rain)
    phi = np.linspace(case.memory, case.memory if case.last is None else case.last, n)
    noise = (1.0 if case.answer == "none" else 0.4) * rng.standard_normal(n)
    values = np.zeros(n)
    for t in range(1, n):
        values[t] = phi[t] * values[t - 1] + pushed[t] + noise[t]
    values += 2 * np.sin(2 * np.pi * np.arange(n) / 12)
    values[rng.random(n) < 0.1] = np.nan
    rain[: n - round(case.known * n)] = np.nan
    if case.constant:
        rain[:] = 50.0
    dates = [pd.Timestamp("2000-01-16") + pd.DateOffset(months=step) for step in range(n)]
    rows = pd.DataFrame({"date": dates, "collection": "S2", "chip": 0, METRIC: values})
    told = pd.DataFrame({"date": dates, "collection": "E", "total_precipitation": rain})
    return tidy(rows, told if case.known else None, time_per_point="1m")


def judged(case: Case, years: int, seed: int) -> tuple[str, str, Mapping[Any, Any]]:
    """What is said of memory and of the weather, and the row that it rests on."""
    found = temporal_indicators(record_of(case, years, seed), [METRIC], SETTINGS)
    memory = found.memory
    mine = memory[(memory["metric"] == METRIC) & (memory["chip"] == SITE)]
    row = mine.to_dict("records")[0]
    return states_of(found)[METRIC], weather_word(row, SETTINGS.alpha), row


def main() -> None:
    """Print a row for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=40)
    parser.add_argument("--years", type=int, default=25)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    given = parser.parse_args()
    print("| case | p alone | p beside | difference | verdicts | the weather |")
    print("|---|---|---|---|---|---|")
    for name, case in CASES.items():
        if given.only not in name:
            continue
        done = [judged(case, given.years, seed) for seed in range(given.series)]
        shares = [
            f"{100 * np.mean([row[column] <= SETTINGS.alpha for _, _, row in done]):.0f} %"
            for column in ("p", "p_beside", "p_difference")
        ]
        counts = [Counter(one[kind] for one in done).most_common() for kind in (0, 1)]
        told = [", ".join(f"{word} {count}" for word, count in kind) for kind in counts]
        print(f"| {name} | {' | '.join(shares)} | {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main()
