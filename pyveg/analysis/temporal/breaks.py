"""Did the place change abruptly, and when? It is asked before memory is looked at.

A fire, a clearing or another sensor moves every indicator of memory. So the mean of the chips is
scanned for a step and for a jump that returns, and the best match is compared with those of
surrogates of the noise that is left when that match has been taken out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pyveg.analysis.data.axis import Axis
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.surrogate_tests import Ready, Values
from pyveg.kernels import rolling
from pyveg.kernels.breaks import KINDS, break_templates, scan_breaks, without_breaks
from pyveg.kernels.common_innovations import common_steps
from pyveg.kernels.decomposition import Prepared, prepare
from pyveg.kernels.linear import apply_operator
from pyveg.kernels.noise import Noise, fit_noise, theoretical_autocorrelation
from pyveg.kernels.surrogates import Draws, draw, surrogates

BREAK_ALPHA = 0.01
"""p from which a break is one: the scan finds 9 to 13 % of stable records at 0.05."""
_LIMIT = 0.95
"""Of the AR(1) that whitens."""
_ROUNDS = 2
"""Times that the noise is fitted anew without the break that was found."""


@dataclass(frozen=True)
class SiteMean:
    """The mean of the chips after season and trend, and the operator that made it."""

    residual: Values
    """(n,); NaN where fewer than half of the chips have a value."""
    operator: Values
    """Transposed, (n, n): what something that all chips share leaves of itself in the mean."""


@dataclass(frozen=True)
class Break:
    """The most likely break of a metric, whether or not it is one."""

    z: float = math.nan
    p: float = math.nan
    step: int = -1
    """First step after the break."""
    kind: str = ""
    """"step" for one that stays, "pulse" for one that returns, of `kernels.breaks.KINDS`."""
    size: float = math.nan
    """Of the jump, in the unit of the metric."""
    error: float = math.nan
    memory: float = 0.0
    """AR(1) by which the mean of the chips is whitened."""
    reason: str = ""

    @property
    def found(self) -> bool:
        """Whether it is a break."""
        return self.p <= BREAK_ALPHA


def return_steps(period: float) -> float:
    """Steps in which a jump that returns falls to 1/e: half a year of a long record."""
    return max(period / 2, 1.0)


def site_mean(chips: Sequence[Prepared]) -> SiteMean:
    """Mean of what season and trend leave of the chips, gaps and all.

    Parameters
    ----------
    chips : sequence of Prepared
        On one axis; at least one.
    """
    valid = np.stack([chip.valid for chip in chips])
    counts = valid.sum(axis=0)
    enough = 2 * counts >= len(chips)
    shares = np.where(enough & (counts > 0), 1 / np.maximum(counts, 1), 0.0)
    residual = np.zeros(counts.size)
    operator = np.zeros((counts.size, counts.size))
    for chip in chips:
        residual += shares * np.where(chip.valid, chip.residual, 0.0)
        operator += chip.operator * shares
    return SiteMean(np.where(shares > 0, residual, np.nan), np.ascontiguousarray(operator))


def find_break(
    chips: Sequence[Ready], period: float, settings: AnalysisSettings, seed: Sequence[int]
) -> Break:
    """Look for an abrupt change of the mean of some chips.

    Parameters
    ----------
    chips : sequence of Ready
        At least one.
    period : float
        Steps in a year.
    settings : AnalysisSettings
        Of it the season, the trend and the number of surrogates. The rule for outliers is not
        used: the first months after a fire are outliers.
    seed : sequence of int

    Returns
    -------
    Break
        p is the share of surrogates whose largest |z| is as large.

    Notes
    -----
    The surrogates are of the noise without the best match, for noise that was fitted with a break
    in it has so much memory that it makes such breaks itself. Each surrogate is whitened anew
    without its own best match, as the site was. The test still errs on the side of finding
    something, which is why p is held against `BREAK_ALPHA`.
    """
    site = site_mean([_without_rule(chip) for chip in chips])
    templates = break_templates(site.operator, return_steps(period))
    row = site.residual[np.newaxis]
    try:
        noise = fit_noise(site.residual, site.operator)
        for _ in range(_ROUNDS):
            best = scan_breaks(row, templates, _whitener(noise))
            rest = without_breaks(row, templates, _whitener(noise), best.place)[0]
            noise = fit_noise(rest, site.operator)
    except ValueError as error:
        return Break(reason=str(error))
    memory = _whitener(noise)
    best = scan_breaks(row, templates, memory)
    if best.place[0] < 0:
        return Break(reason="too few values, or most of them are equal", memory=memory)
    steps = common_steps(noise.innovations[np.newaxis])
    draws = draw(rest.size, settings.surrogates, seed, steps)
    null = np.abs(_null(site, templates, noise, rest, draws))
    z = float(best.z[0])
    kind, step = divmod(int(best.place[0]), row.size)
    return Break(
        z=z,
        p=(1 + int(np.count_nonzero(~(null < abs(z))))) / (1 + null.size),
        step=step,
        kind=KINDS[kind],
        size=float(best.size[0]),
        error=float(best.error[0]),
        memory=memory,
    )


def break_row(found: Break, axis: Axis, common: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table of breaks."""
    known = found.step >= 0
    return {
        **common,
        "date": axis.dates[found.step] if known else None,
        "step": found.step,
        "kind": found.kind,
        "size": found.size,
        "size_low": found.size - 1.96 * found.error,
        "size_high": found.size + 1.96 * found.error,
        "z": found.z,
        "p": found.p,
        "found": found.found,
        "reason": found.reason,
    }


def _without_rule(chip: Ready) -> Prepared:
    """A chip's residual with its outliers."""
    done = chip.prepared
    if not done.flagged.any():
        return done
    return prepare(chip.series, replace(done.steps, outlier_limit=0.0))


def _whitener(noise: Noise) -> float:
    memory = float(theoretical_autocorrelation(noise.coefficients, 1)[1])
    return min(max(memory, -_LIMIT), _LIMIT)


def _null(site: SiteMean, templates: Values, noise: Noise, rest: Values, draws: Draws) -> Values:
    """Largest match of each surrogate; NaN where there is none.

    Each is whitened by the memory that it has without the template it looks most like, as the site
    was: that memory is too low, and matches are too large by as much.
    """
    left = apply_operator(site.operator, surrogates(rest, noise, draws), np.isfinite(rest))
    memory = _whitener(noise)
    taken = memory - rolling.ar1(rest)  # by season and trend; put back
    places = scan_breaks(left, templates, memory).place
    rests = without_breaks(left, templates, memory, places)
    own = np.array([rolling.ar1(row) for row in rests]) + taken
    own = np.where(np.isfinite(own), np.clip(own, -_LIMIT, _LIMIT), memory)
    return scan_breaks(left, templates, own).z
