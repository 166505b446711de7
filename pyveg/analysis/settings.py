"""What the analysis of a place can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from pyveg.core import params
from pyveg.core.errors import ConfigError, MissingPackageError
from pyveg.core.params import setting
from pyveg.kernels.decomposition import Steps
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

TWINS: Mapping[str, str] = {"restoring_rate": "ar1", "sd": "variance"}
"""Indicator -> the one that says the same thing; it is shown, and not counted as another test."""

_LIMIT = 2**63
"""Of numbers that tables can hold."""
_MOST = 1_000_000
"""Surrogates; a p of a millionth needs no more, and memory has no room for many more."""
_SHARES = ("window", "bandwidth", "alpha")
"""Settings that must be above 0 and at most 1."""


@dataclass(frozen=True, kw_only=True)
class AnalysisSettings:
    """How indicators are made and tested; all of it is recorded.

    Raises
    ------
    ConfigError
        For a name that is not known, or a number out of range.
    MissingPackageError
        Where STL is asked for and statsmodels is not there.

    Examples
    --------
    >>> import pyveg
    >>> pyveg.AnalysisSettings(seed=1).seed
    1
    """

    season: str = setting(
        "harmonic", doc='how the season is taken away: "harmonic" (any gaps), "stl" or "none"'
    )
    harmonics: int = setting(3, doc="waves per year of a harmonic season", low=1, high=366)
    trend: str = setting(
        "loess",
        doc='how the trend is taken away: "loess", "gaussian", "quadratic", "stl" (with that '
        'season) or "none"',
    )
    bandwidth: float = setting(
        0.5, doc="width of the trend's filter, share of the record (Gaussian: its SD)"
    )
    outlier_limit: float = setting(
        4.0, doc="robust SD from which a residual is an outlier and left out; 0: never", low=0
    )
    window: float = setting(0.5, doc="length of the rolling window, share of the record")
    indicators: tuple[str, ...] = setting(INDICATORS, doc="what is measured in each window")
    null: str = setting("ar", doc='model of the surrogates: "ar", "phase" or "block"')
    surrogates: int = setting(999, doc="surrogates of the site", low=19, high=_MOST)
    chip_surrogates: int = setting(
        199,
        doc="of these, how many a single chip is compared with at first; one that few of them "
        "reach goes on with more",
        low=19,
        high=_MOST,
    )
    seed: int = setting(0, doc="of all random numbers", low=0)
    alpha: float = setting(0.05, doc="rate of false alarms, and of false discoveries")
    fdr: str = setting(
        "bh",
        doc='correction for the number of tests: "bh" (Benjamini-Hochberg) or "by" '
        "(Benjamini-Yekutieli, any dependence)",
    )
    rain_months: float = setting(
        3.0, doc="months that rain is remembered where the weather's part is taken away", low=0
    )
    n_threads: int = setting(
        1,
        doc="chips worked on at once; results do not depend on it",
        low=1,
        high=10_000,
        results=False,
    )

    def __post_init__(self) -> None:
        for name in self.indicators:
            _known("indicators", name, INDICATORS)
        if not self.indicators or len(set(self.indicators)) < len(self.indicators):
            raise ConfigError(f"indicators = {list(self.indicators)} must name some, each once")
        _known("null", self.null, METHODS)
        _known("fdr", self.fdr, ("bh", "by"))
        for name in _SHARES:
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name} = {getattr(self, name)!r} must be above 0 and at most 1")
        for name, spec in params.names(type(self)).items():
            low, high = spec.metadata["low"], spec.metadata["high"]
            if high is not None and getattr(self, name) > high:
                raise ConfigError(f"{name} = {getattr(self, name)!r} must be at most {high}")
            if low is not None and not low <= getattr(self, name) < _LIMIT:
                raise ConfigError(
                    f"{name} = {getattr(self, name)!r} must be at least {low}, and below 2^63"
                )
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
        raise ConfigError(f'{what}: unknown name "{name}"', f"known: {', '.join(known)}")
