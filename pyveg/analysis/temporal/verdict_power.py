"""How often the verdict finds a rise of memory: from a table that simulations made.

`tests/benchmarks/bench_zoo.py --power` makes the table by the code that makes verdicts.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.data.columns import VERDICT_POWER
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.significance import share_interval

ENOUGH_POWER = 0.5
"""From which no sign is a statement."""
RISES = (".3 to .7", ".5 to .9")
"""Rises of AR(1) that the table has."""
TABLE = "verdict_power.csv"


@dataclass(frozen=True)
class VerdictPower:
    """Share of records with a rise of AR(1) from 0.3 to 0.7 in which the verdict says so."""

    power: float
    low: float
    """Its exact 95 % confidence interval, for the number of simulations."""
    high: float
    steeper: float
    """The same for a rise from 0.5 to 0.9."""
    years: float
    """Of the simulated records; at most those of the record."""
    gaps: float
    """Share of steps without a value; at least that of the record."""
    chips: int
    """At most those of the record."""
    simulations: int
    enough_years: float
    """Least years from which such records find at least half of the rises; NaN beyond the table."""

    beyond: bool = False
    """Whether the record is shorter, or has more gaps, than those simulated: it finds less."""

    @property
    def share(self) -> str:
        """Of rises from 0.3 to 0.7, as people write it."""
        return f"{'less than ' * self.beyond}{100 * self.power:.0f} %"

    @property
    def text(self) -> str:
        """The statement for people."""
        chips = f"{self.chips} chips" if self.chips > 1 else "one chip"
        gaps = f", {100 * self.gaps:.0f} % gaps" if self.gaps else " without gaps"
        where = "Even in" if self.beyond else "In"
        said = (
            f"{where} {self.simulations} simulated records of {self.years:g} years{gaps} and "
            f"{chips} this verdict found {100 * self.power:.0f} % ({100 * self.low:.0f} to "
            f"{100 * self.high:.0f} %) of rises of AR(1) from 0.3 to 0.7, and "
            f"{100 * self.steeper:.0f} % of those from 0.5 to 0.9."
        )
        if self.power >= ENOUGH_POWER:
            return said
        if math.isfinite(self.enough_years):
            return f"{said} {self.enough_years:g} years like these would find half of them."
        longest = power_table()["years"].max()
        return f"{said} {longest:g} years like these would still miss more than half of them."

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "text": self.text}


@lru_cache(maxsize=1)
def power_table() -> pd.DataFrame:
    """The table that is shipped with the package; a row per kind of record and rise."""
    data = files("pyveg.analysis.temporal").joinpath(TABLE).read_bytes()
    return VERDICT_POWER.read_csv(data)


def verdict_power(
    years: float, gaps: float, chips: int, shared: float, settings: AnalysisSettings
) -> VerdictPower | None:
    """Power of the verdict on a record, by the nearest simulated one that knows no more.

    Parameters
    ----------
    years : float
        Length of the record.
    gaps : float
        Share of steps without a value.
    chips : int
        That could be tested.
    shared : float
        Mean correlation of their anomalies; where it is above that of the table (0.5), chips count
        as one.
    settings : AnalysisSettings
        The table holds for the usual season, trend, bandwidth and null only.

    Returns
    -------
    VerdictPower or None
        None with other settings. A record that is shorter or has more gaps than all that were
        simulated has less than the nearest one (`beyond`).
    """
    usual = AnalysisSettings()
    names = ("season", "trend", "bandwidth", "null", "outlier_limit", "alpha")
    if any(getattr(settings, name) != getattr(usual, name) for name in names):
        return None
    table = power_table()
    alike = table[(table["gaps"] >= gaps - 0.05) & (table["chips"] <= max(chips, 1))]
    if shared > 0.6:
        alike = alike[alike["chips"] == 1]
    if alike.empty:
        alike = table[(table["gaps"] == table["gaps"].max()) & (table["chips"] == 1)]
    beyond = gaps - 0.05 > alike["gaps"].max() or years + 0.5 < alike["years"].min()
    fits = alike[alike["years"] <= max(years + 0.5, alike["years"].min())]
    return replace(_read(table, fits), beyond=bool(beyond))


def _read(table: pd.DataFrame, fits: pd.DataFrame) -> VerdictPower:
    """The longest record with the most chips and the fewest gaps."""
    best = fits.sort_values(["years", "chips", "gaps"], ascending=[False, False, True]).iloc[0]
    same = table[(table["gaps"] == best["gaps"]) & (table["chips"] == best["chips"])]
    of_rise = same[same["rise"] == RISES[0]]
    enough = of_rise.loc[of_rise["found"] >= ENOUGH_POWER * of_rise["series"], "years"]
    here = same[same["years"] == best["years"]].set_index("rise")
    found, series = int(here.loc[RISES[0], "found"]), int(here.loc[RISES[0], "series"])
    low, high = share_interval(found, series)
    return VerdictPower(
        power=found / series,
        low=low,
        high=high,
        steeper=float(here.loc[RISES[1], "found"] / here.loc[RISES[1], "series"]),
        years=float(best["years"]),
        gaps=float(best["gaps"]),
        chips=int(best["chips"]),
        simulations=series,
        enough_years=float(enough.min()) if len(enough) else math.nan,
    )


def shared_noise(residuals: np.ndarray[Any, Any]) -> float:
    """Mean correlation of the residuals (chips, n) of a place; 0 for one chip."""
    if len(residuals) < 2:
        return 0.0
    found = pd.DataFrame(residuals.T).corr(min_periods=12).to_numpy()
    pairs = found[np.triu_indices(len(found), 1)]
    known = pairs[np.isfinite(pairs)]
    return float(known.mean()) if known.size else 0.0
