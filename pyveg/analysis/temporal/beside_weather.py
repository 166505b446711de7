"""Memory beside the weather: whether it rises too when rain and temperature are fitted with it.

Three questions are kept apart. Whether the weather has a part at all (`Response.p`); whether the
trend of memory falls when it comes in, on the same steps, by more than weather that has no part
makes it fall; and whether memory rises beside it. The last is asked of surrogates whose memory is
constant and which answer the same weather the same way, so rain whose own memory rises is in them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.means import chip_means
from pyveg.analysis.temporal.response import Response
from pyveg.analysis.temporal.significance import p_value
from pyveg.analysis.temporal.surrogate_tests import Ready, Values, draw_residuals, spread
from pyveg.kernels.arx import arx_fit, driven_part
from pyveg.kernels.noise import fit_noise
from pyveg.kernels.phi_trend import PhiTrends, phi_trends

Without = Callable[[Sequence[Values]], list[Values]]
"""Takes the most likely break from the surrogates of each chip."""

WEATHER_SHARE = 0.7
"""Share of the pairs that must have weather for a comparison with and without it."""
_SAME, _BESIDE, _CHANGE = range(3)


@dataclass
class BesideWeather:
    """Collects the trend of phi with and without the weather, of some chips and of surrogates."""

    response: Response
    chips: Sequence[Ready]
    rests: Sequence[Values]
    """Residuals without the most likely break, (n,) each."""
    n_threads: int = 1
    fits: list[PhiTrends] = field(init=False)
    observed: Values = field(init=False)
    """Shape (chips, 3): t on the steps with weather, t beside it, change beside it."""
    driven: list[Values] = field(init=False)
    """What the weather makes of each chip with a constant memory, (n,), complete."""
    steady: Values = field(init=False)
    """As `observed` of surrogates of constant memory that answer the weather, (S, chips, 3)."""
    _unrelated: list[Values] = field(default_factory=list)

    def __post_init__(self) -> None:
        rows = self._rows
        self.fits = [phi_trends(row[np.newaxis], rows) for row in self.rests]
        self.observed = np.stack([self._numbers(row[np.newaxis])[0] for row in self.rests])
        self.driven = [driven_part(arx_fit(row, rows), rows) for row in self.rests]
        self.steady = np.empty((0, len(self.chips), 3))

    @property
    def _rows(self) -> Values:
        if self.response.rows is None:
            raise ValueError("there is no weather")
        return self.response.rows

    @property
    def own(self) -> list[Values]:
        """`rests` without what the weather makes."""
        return [row - part for row, part in zip(self.rests, self.driven, strict=True)]

    @property
    def unrelated(self) -> Values:
        """As `observed` of surrogates that know nothing of the weather, (S, chips, 3)."""
        return np.concatenate(self._unrelated)

    @property
    def drives(self) -> bool:
        """Whether surrogates that answer the weather were made: it has a part."""
        return len(self.steady) > 0

    def add(self, rests: Sequence[Values]) -> None:
        """Take surrogates (S, n) of each chip into account that know nothing of the weather."""
        self._unrelated.append(np.stack(spread(self._numbers, rests, self.n_threads), axis=1))

    def compare(self, without: Without, settings: AnalysisSettings, seed: Sequence[int]) -> None:
        """Make surrogates that answer the weather with a constant memory, where it has a part."""
        if not self.response.p <= settings.alpha:
            return
        some = replace(settings, surrogates=min(settings.surrogates, settings.chip_surrogates))
        try:
            steady = [self._steady(place) for place in range(len(self.chips))]
        except ValueError:  # nothing is left to be noise
            return
        parts = []
        for residuals in draw_residuals(steady, some, seed):
            rests = without(residuals)
            parts.append(np.stack(spread(self._numbers, rests, self.n_threads), axis=1))
        self.steady = np.concatenate(parts)

    def _steady(self, place: int) -> Ready:
        """A chip whose surrogates answer the weather; its noise is what that leaves."""
        chip, driven = self.chips[place], self.driven[place]
        noise = fit_noise(self.rests[place] - driven, chip.prepared.operator)
        return replace(chip, noise=noise, driven=driven)

    def _numbers(self, rows: Values) -> Values:
        known: NDArray[np.bool_] = np.asarray(np.isfinite(self._rows).all(axis=0))
        out = np.empty((len(rows), 3))
        out[:, _SAME] = phi_trends(rows, where=known).t
        beside = phi_trends(rows, self._rows)
        out[:, _BESIDE], out[:, _CHANGE] = beside.t, beside.change
        return out

    def row(self, places: Sequence[int], pairs: float) -> dict[str, Any]:
        """Columns of the table of memory for the mean over some chips.

        Parameters
        ----------
        places : sequence of int
            Of the chips.
        pairs : float
            Pairs of neighbours that there are without regard to the weather.
        """
        names = self.response.names
        known = float(np.median([self.fits[place].pairs[0] for place in places]))
        if known < WEATHER_SHARE * pairs:
            why = f"{names} is known for {known:.0f} of {pairs:.0f} pairs of steps"
            return {"weather_pairs": known, "weather_reason": why}
        seen = chip_means(self.observed[np.newaxis, places])[0]
        unrelated = chip_means(self.unrelated[:, places])
        null = chip_means(self.steady[:, places]) if self.drives else unrelated
        difference = seen[_SAME] - seen[_BESIDE]
        fall = unrelated[:, _SAME] - unrelated[:, _BESIDE]
        told = math.isfinite(difference)
        why = "" if math.isfinite(self.response.p) else "the weather varies in too few steps"
        return {
            "weather": names,
            "weather_pairs": known,
            "weather_form": self.response.form,
            "weather_explained": self.response.explained,
            "weather_p": self.response.p,
            "decides": "beside" if self.drives and told else "alone",
            "t_same": seen[_SAME],
            "p_same": p_value(seen[_SAME], unrelated[:, _SAME], "rise"),
            **self._beside(seen, null, places),
            "p_difference": p_value(difference, fall, "rise"),
            "weather_reason": why if told else "the weather could not be fitted",
        }

    def _beside(self, seen: Values, null: Values, places: Sequence[int]) -> dict[str, float]:
        """AR(1) at both ends beside the weather, and its test."""
        middle = chip_means(np.array([[[self.fits[place].memory[0]] for place in places]]))[0, 0]
        change, known = seen[_CHANGE], null[np.isfinite(null[:, _CHANGE]), _CHANGE]
        error = float(known.std()) if known.size else math.nan
        return {
            "beside_first": middle - change / 2,
            "beside_last": middle + change / 2,
            "beside_low": change - 1.96 * error,
            "beside_high": change + 1.96 * error,
            "t_beside": seen[_BESIDE],
            "p_beside": p_value(seen[_BESIDE], null[:, _BESIDE], "rise"),
        }
