"""How often the verdict finds a rise of memory: from a table that simulations made.

`tests/benchmarks/bench_power.py` makes the table by the code that makes verdicts. Between its
records a smooth surface is fitted (`pyveg.analysis.temporal.power_surface`).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pyveg.analysis.data.columns import VERDICT_POWER
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.power_surface import PowerSurface, RecordKind, fit_surface

ENOUGH_POWER = 0.5
"""From which no sign is a statement."""
RISES = (".3 to .5", ".3 to .7", ".5 to .9")
"""Rises of AR(1) that the table has."""
SMALL, USUAL, STEEP = RISES
TABLE = "verdict_power.csv"
_NEAR = 0.005
"""Power is told to one percent."""


class Bounds(NamedTuple):
    """What was simulated: power is told for nothing beyond."""

    least_years: float
    most_years: float
    most_gaps: float
    most_chips: int
    tests: tuple[int, ...]


@dataclass(frozen=True)
class VerdictPower:
    """Share of records with a rise of AR(1) from 0.3 to 0.7 in which the verdict says so."""

    power: float
    low: float
    """Its 95 % confidence interval, for the number of simulations."""
    high: float
    steeper: float
    """The same for a rise from 0.5 to 0.9."""
    years: float
    """Of the record, or of the longest or shortest simulated one where it lies beyond."""
    gaps: float
    """Share of steps without a value, likewise."""
    chips: int
    """Likewise."""
    simulations: int
    """Records with a rise from 0.3 to 0.7 that the figure rests on."""
    enough_years: float
    """Least years in which such records find at least half of the rises; NaN beyond the table."""
    smaller: float = math.nan
    """The same as `power` for a rise from 0.3 to 0.5."""
    shared: float = 0.0
    """Mean correlation of the chips."""
    tests: int = 1
    """Metrics that are tested, in one of which memory rises."""
    beyond: bool = False
    """Whether the record is shorter, or has more gaps, than those simulated: it finds less."""

    @property
    def share(self) -> str:
        """Of rises from 0.3 to 0.7, as people write it."""
        return f"{'less than ' * self.beyond}{100 * self.power:.0f} %"

    @property
    def text(self) -> str:
        """The statement for people."""
        where = "Even in" if self.beyond else "In"
        said = (
            f"{where} simulated records of {self.years:.0f} years{self._gaps} and {self._chips} "
            f"this verdict finds {100 * self.power:.0f} % ({100 * self.low:.0f} to "
            f"{100 * self.high:.0f} %) of rises of AR(1) from 0.3 to 0.7{self._metrics}, "
            f"{100 * self.steeper:.0f} % of those from 0.5 to 0.9 and "
            f"{100 * self.smaller:.0f} % of those from 0.3 to 0.5."
        )
        if self.power >= ENOUGH_POWER:
            return said
        if math.isfinite(self.enough_years):
            return f"{said} {self.enough_years:.0f} years like these would find half of the first."
        longest = simulated().most_years
        return (
            f"{said} {longest:.0f} years like these would still miss more than half of the first."
        )

    @property
    def _enough(self) -> str:
        """What would be enough."""
        if math.isfinite(self.enough_years):
            return f"{self.enough_years:.0f} years like these would find half of the first."
        longest = simulated().most_years
        return f"{longest:.0f} years like these would still miss more than half of the first."

    @property
    def _gaps(self) -> str:
        return f", {100 * self.gaps:.0f} % gaps" if self.gaps >= _NEAR else " without gaps"

    @property
    def _chips(self) -> str:
        if self.chips == 1:
            return "one chip"
        return f"{self.chips} chips with a correlation of {self.shared:.1f}"

    @property
    def _metrics(self) -> str:
        return f" in one of {self.tests} metrics" if self.tests > 1 else ""

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "text": self.text}


@lru_cache(maxsize=1)
def power_table() -> pd.DataFrame:
    """The table that is shipped with the package.

    A row per kind of record, rise and number of metrics tested.
    """
    data = files("pyveg.analysis.temporal").joinpath(TABLE).read_bytes()
    return VERDICT_POWER.read_csv(data)


@lru_cache(maxsize=16)
def surface(rise: str, tests: int) -> PowerSurface:
    """Power for one rise, where so many metrics are tested and memory rises in one."""
    table = power_table()
    return fit_surface(table[(table["rise"] == rise) & (table["tests"] == tests)])


@lru_cache(maxsize=1)
def simulated() -> Bounds:
    """How far the table reaches."""
    table = power_table()
    return Bounds(
        float(table["years"].min()),
        float(table["years"].max()),
        float(table["gaps"].max()),
        int(table["chips"].max()),
        tuple(sorted(table["tests"].unique().tolist())),
    )


def verdict_power(
    kind: RecordKind, settings: AnalysisSettings, tests: int = 1
) -> VerdictPower | None:
    """Power of the verdict on a record.

    Parameters
    ----------
    kind : RecordKind
        Of the record: its length, gaps, chips that could be tested, and the correlation of their
        anomalies; a negative one counts as 0.
    settings : AnalysisSettings
        The table holds for the usual season, trend, bandwidth and null only.
    tests : int
        Metrics whose memory is tested; the rise is in one of them.

    Returns
    -------
    VerdictPower or None
        None with other settings. A record beyond those that were simulated has the power of the
        nearest: more than that where it is longer or has more chips, less where it is shorter or
        has more gaps (`beyond`).
    """
    usual = AnalysisSettings()
    names = ("season", "trend", "bandwidth", "null", "outlier_limit", "alpha")
    if any(getattr(settings, name) != getattr(usual, name) for name in names):
        return None
    bounds = simulated()
    counted = next((one for one in bounds.tests if one >= tests), bounds.tests[-1])
    here = RecordKind(
        min(max(kind.years, bounds.least_years), bounds.most_years),
        min(kind.gaps, bounds.most_gaps),
        min(max(kind.chips, 1), bounds.most_chips),
        min(max(kind.shared, 0.0), 1.0) if kind.chips > 1 else 0.0,
    )
    beyond = kind.years < bounds.least_years - 0.5 or kind.gaps > bounds.most_gaps + 0.05
    power = {rise: surface(rise, counted).at(here) for rise in RISES}
    low, high = surface(USUAL, counted).interval(here)
    return VerdictPower(
        power=power[USUAL],
        low=low,
        high=high,
        steeper=power[STEEP],
        years=here.years,
        gaps=here.gaps,
        chips=here.chips,
        simulations=_simulations(counted),
        enough_years=_enough_years(here, counted),
        smaller=power[SMALL],
        shared=here.shared,
        tests=counted,
        beyond=bool(beyond),
    )


def _simulations(tests: int) -> int:
    table = power_table()
    mine = table[(table["rise"] == USUAL) & (table["tests"] == tests)]
    return int(mine["series"].sum())


def _enough_years(here: RecordKind, tests: int) -> float:
    """Least whole number of years with enough power; NaN where the table has too few."""
    bounds, found = simulated(), surface(USUAL, tests)
    for years in range(math.ceil(bounds.least_years), int(bounds.most_years) + 1):
        if found.at(here._replace(years=years)) >= ENOUGH_POWER:
            return float(years)
    return math.nan


def shared_noise(residuals: np.ndarray[Any, Any]) -> float:
    """Mean correlation of the residuals (chips, n) of a place; 0 for one chip."""
    if len(residuals) < 2:
        return 0.0
    found = pd.DataFrame(residuals.T).corr(min_periods=12).to_numpy()
    pairs = found[np.triu_indices(len(found), 1)]
    known = pairs[np.isfinite(pairs)]
    return float(known.mean()) if known.size else 0.0
