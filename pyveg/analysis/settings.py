"""What the analysis of a place can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from pyveg.core.errors import ConfigError, MissingPackageError
from pyveg.kernels.chain import Steps
from pyveg.kernels.rolling import INDICATORS
from pyveg.kernels.surrogates import METHODS

DIRECTIONS: Mapping[str, str] = {
    "ar1": "rise",
    "variance": "rise",
    "sd": "rise",
    "cv": "rise",
    "skewness": "either",
    "kurtosis": "either",
    "restoring_rate": "fall",
}
"""Indicator -> the change that is expected before a collapse, and tested for."""


INDICATOR_NAMES: Mapping[str, str] = {
    "ar1": "AR(1)",
    "variance": "variance",
    "sd": "standard deviation",
    "cv": "coefficient of variation",
    "skewness": "skewness",
    "kurtosis": "kurtosis",
    "restoring_rate": "restoring rate",
}
"""Indicators as people write them."""

_LEAST: Mapping[str, float] = {
    "surrogates": 19,
    "chip_surrogates": 19,
    "harmonics": 1,
    "seed": 0,
    "n_threads": 1,
    "rain_months": 0,
}


@dataclass(frozen=True, kw_only=True)
class AnalysisSettings:
    """How indicators are made and tested. All of it can change results, and is recorded."""

    season: str = "harmonic"
    """How the season is taken away: "harmonic" (works with any gaps), "stl" or "none"."""
    harmonics: int = 3
    """Waves per year of a harmonic season."""
    trend: str = "loess"
    """How the trend is: "loess", "gaussian", "quadratic", "stl" (with season "stl") or "none"."""
    bandwidth: float = 0.5
    """Width of the trend's filter as a share of the record (Gaussian: its SD)."""
    outlier_limit: float = 4.0
    """Robust SD from the median at which a residual is flagged and left out; 0 for never."""
    window: float = 0.5
    """Length of the rolling window as a share of the record."""
    indicators: tuple[str, ...] = INDICATORS
    null: str = "ar"
    """Null model of the surrogates: "ar", "phase" or "block"."""
    surrogates: int = 999
    """Of the whole site."""
    chip_surrogates: int = 199
    """Of these, how many a single chip is compared with."""
    seed: int = 0
    alpha: float = 0.05
    """Rate of false alarms, and of false discoveries."""
    fdr: str = "bh"
    """False-discovery control: "bh" (Benjamini-Hochberg) or "by" (any dependence)."""
    rain_months: float = 3.0
    """How long rain is remembered where the weather's part is taken away, months."""
    n_threads: int = 1
    """Chips worked on at once; results do not depend on it."""

    def __post_init__(self) -> None:
        for name in self.indicators:
            _known("indicators", name, INDICATORS)
        _known("null", self.null, METHODS)
        _known("fdr", self.fdr, ("bh", "by"))
        for name, low, high in (("window", 0, 1), ("bandwidth", 0, 1), ("alpha", 0, 1)):
            value = getattr(self, name)
            if not low < value <= high:
                raise ConfigError(f"{name} = {value!r} must be above {low} and at most {high}")
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name} = {getattr(self, name)!r} must be at least {least}")
        try:
            self.steps(12.0)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        if self.season == "stl" and find_spec("statsmodels") is None:
            raise MissingPackageError('season = "stl"', "pyveg[analysis]")

    def steps(self, period: float) -> Steps:
        """The chain for a series with so many steps in a year."""
        return Steps(
            period=period,
            season=self.season if period > 2 else "none",
            harmonics=self.harmonics,
            trend=self.trend,
            bandwidth=self.bandwidth,
            outlier_limit=self.outlier_limit,
        )

    def record(self) -> dict[str, Any]:
        """As plain data, for reports."""
        return asdict(self)


def _known(what: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ConfigError(f'{what}: unknown name "{name}"; known: {", ".join(known)}')
