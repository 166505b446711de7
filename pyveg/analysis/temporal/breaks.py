"""Did the place change abruptly, and when? It is asked before memory is looked at.

A fire, a clearing or another sensor moves every indicator of memory. So the mean of the chips is
scanned for a step and for a jump that returns, and the best match is compared with those of
surrogates of the noise that is left when that match has been taken out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pyveg.analysis.data.axis import Axis
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.temporal.surrogate_tests import Ready, Values
from pyveg.kernels import rolling
from pyveg.kernels.breaks import (
    KINDS,
    break_dates,
    break_templates,
    innovations,
    scan_breaks,
    without_breaks,
)
from pyveg.kernels.common_innovations import common_steps
from pyveg.kernels.decomposition import Prepared, prepare
from pyveg.kernels.linear import apply_operator
from pyveg.kernels.noise import Noise, fit_noise, theoretical_autocorrelation
from pyveg.kernels.scale_breaks import ScaleScan, scan_scales
from pyveg.kernels.surrogates import draw, surrogates

BREAK_ALPHA = 0.01
"""p from which a break is one: the scan finds 9 to 13 % of stable records at 0.05."""
_MOST = 4999
"""Surrogates up to which more are drawn while p is not told from `BREAK_ALPHA`."""
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
class ScaleBreak:
    """The most likely abrupt change of the spread, whether or not it is one."""

    z: float = math.nan
    p: float = math.nan
    step: int = -1
    """First step after the change."""
    ratio: float = math.nan
    """SD of what is new in each value after it, over that before it."""
    error: float = math.nan
    """Of the log of the ratio."""

    @property
    def found(self) -> bool:
        """Whether it is one."""
        return self.p <= BREAK_ALPHA


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
    dates: tuple[int, int] = (-1, -1)
    """First and last step of its 95 % confidence interval."""
    scale: ScaleBreak = ScaleBreak()
    memory: float = 0.0
    """AR(1) by which the mean of the chips is whitened."""
    surrogates: int = 0
    """That it was compared with: more where p is near its limit."""
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
    scale = scan_scales(innovations(rest[np.newaxis], np.array([memory])))
    seen = np.abs(np.array([best.z[0], scale.z[0]]))
    null = _Null(site, templates, noise, rest)
    p, made = compared(seen, null.drawn, settings.surrogates, seed)
    kind, step = divmod(int(best.place[0]), row.size)
    return Break(
        z=float(best.z[0]),
        p=float(p[0]),
        step=step,
        kind=KINDS[kind],
        size=float(best.size[0]),
        error=float(best.error[0]),
        dates=break_dates(row[0], templates, memory, int(best.place[0])),
        scale=_scale_break(scale, float(p[1])),
        memory=memory,
        surrogates=made,
    )


def compared(
    seen: Values,
    drawn: Callable[[int, Sequence[int]], Values],
    count: int,
    seed: Sequence[int],
) -> tuple[Values, int]:
    """P of some statistics; with more surrogates while one is not told from its limit.

    Parameters
    ----------
    seen : array of float, shape (k,)
    drawn : callable
        Given a number and a seed, that many surrogates' statistics, (number, k).
    count : int
        Surrogates to begin with. They are doubled, up to 4,999, while p at most three standard
        errors from `BREAK_ALPHA` leaves it to chance which side it is on.
    seed : sequence of int

    Returns
    -------
    array of float, shape (k,)
        (1 + number at least as large) / (1 + surrogates); NaN where `seen` is. A surrogate without
        a number counts as large.
    int
        Surrogates.
    """
    above = np.zeros(seen.size, dtype=np.int64)
    known = np.isfinite(seen)
    made, turn = 0, 0
    while True:
        more = max(count, made)
        if made:
            more = min(more, _MOST - made)
        null = drawn(more, [*seed, turn] if turn else seed)
        above += np.count_nonzero(~(null < seen), axis=0)
        made, turn = made + more, turn + 1
        p = (1 + above) / (1 + made)
        error = np.sqrt(BREAK_ALPHA * (1 - BREAK_ALPHA) / made)
        if made >= _MOST or not (np.abs(p - BREAK_ALPHA) < 3 * error)[known].any():
            return np.where(known, p, np.nan), made


def _scale_break(found: ScaleScan, p: float) -> ScaleBreak:
    return ScaleBreak(
        z=float(found.z[0]),
        p=p,
        step=int(found.place[0]),
        ratio=float(found.ratio[0]),
        error=float(found.error[0]),
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
        "surrogates": found.surrogates,
        "reason": found.reason,
        **_date_ends(found, axis),
        **_scale_columns(found.scale, axis),
    }


def _date_ends(found: Break, axis: Axis) -> dict[str, Any]:
    if found.dates[0] < 0:
        return {}
    first, last = found.dates
    return {"date_low": axis.dates[first], "date_high": axis.dates[last]}


def _scale_columns(scale: ScaleBreak, axis: Axis) -> dict[str, Any]:
    if scale.step < 0:
        return {"scale_found": False}
    return {
        "scale_date": axis.dates[scale.step],
        "scale": scale.ratio,
        "scale_low": scale.ratio * math.exp(-1.96 * scale.error),
        "scale_high": scale.ratio * math.exp(1.96 * scale.error),
        "scale_p": scale.p,
        "scale_found": scale.found,
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


@dataclass(frozen=True)
class _Null:
    """Surrogates of a site's mean, and what the scans see in them."""

    site: SiteMean
    templates: Values
    noise: Noise
    rest: Values
    """What was left of the site without its break."""

    def drawn(self, count: int, seed: Sequence[int]) -> Values:
        """Largest match with a break, and largest change of scale, (count, 2); NaN for none.

        Each is whitened by the memory that it has without the template it looks most like, as the
        site was: that memory is too low, and matches are too large by as much.
        """
        steps = common_steps(self.noise.innovations[np.newaxis])
        draws = draw(self.rest.size, count, seed, steps)
        made = surrogates(self.rest, self.noise, draws)
        left = apply_operator(self.site.operator, made, np.isfinite(self.rest))
        memory = _whitener(self.noise)
        taken = memory - rolling.ar1(self.rest)  # by season and trend; put back
        places = scan_breaks(left, self.templates, memory).place
        rests = without_breaks(left, self.templates, memory, places)
        own = np.array([rolling.ar1(row) for row in rests]) + taken
        own = np.where(np.isfinite(own), np.clip(own, -_LIMIT, _LIMIT), memory)
        scales = scan_scales(innovations(rests, own))
        return np.abs(np.stack([scan_breaks(left, self.templates, own).z, scales.z], axis=1))
