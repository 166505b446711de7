"""Did a series change abruptly? A scan for a step, and for a jump that returns, at every date.

Season and trend are taken from a series before it is looked at, and they take part of a break with
them. So templates go through the same operator, and what is compared is what such a break leaves.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pyveg.kernels.medians import median_moving

__all__ = [
    "KINDS",
    "Scan",
    "break_dates",
    "break_templates",
    "innovations",
    "scan_breaks",
    "without_breaks",
]

Values = NDArray[np.float64]
Places = NDArray[np.int64]
Mask = NDArray[np.bool_]

KINDS = ("step", "pulse")
"""A step that stays, and a jump that returns exponentially."""
_CLIP = 4.0
"""Robust SD at which an innovation is cut: one stray value, however far out, is no break."""
_LEAST = 12
"""Innovations below which a series is not scanned."""
_EDGE = 3
"""Values that there must be before a break, and from it on."""
_DATE_DROP = 7.35
"""Fall of z^2 within which a date is in the interval: -2 log(1 - sqrt(0.95))."""
_TOGETHER = 8
"""Series that templates are read for at once: more do not fit into a core's own memory."""
_FAINT = 1e-6
"""Share of the largest template's power below which nothing of a template is left."""


class Scan(NamedTuple):
    """The best template of each series; shape (S,) each."""

    z: Values
    """Match with its sign: positive where the series jumps up. NaN where it was not scanned."""
    place: Places
    """Row of `break_templates`: kind * n + first step after the break; -1 where not scanned."""
    size: Values
    """Of the jump, in the unit of the series."""
    error: Values
    """Standard error of `size`, at this date."""


def break_templates(operator: NDArray[Any], decay: float) -> Values:
    """What is left of each break by the operator that takes season and trend away.

    Parameters
    ----------
    operator : array of float, shape (n, n)
        Transposed residual operator, as in `pyveg.kernels.decomposition.Prepared`: row i is what a
        1 at step i leaves.
    decay : float
        Steps in which a jump that returns falls to 1/e.

    Returns
    -------
    array of float64, shape (2 n, n)
        Row k: a step of 1 from step k on. Row n + k: a jump of 1 at step k that decays.

    Notes
    -----
    The operator is linear, so these are sums over its rows, made from the end backwards.
    """
    matrix = np.ascontiguousarray(operator, dtype=np.float64)
    return _templates(matrix, math.exp(-1.0 / decay))


def scan_breaks(residuals: NDArray[Any], templates: Values, memory: float | NDArray[Any]) -> Scan:
    """Find the break that each series looks most like.

    Parameters
    ----------
    residuals : array of float, shape (S, n)
        What the operator left; NaN where missing.
    templates : array of float64, shape (2 n, n)
        `break_templates` of that operator.
    memory : float or array of float, shape (S,)
        AR(1), inside (-1, 1), by which series and templates are whitened; of all or of each.

    Returns
    -------
    Scan
        The template with the largest |z|, z = g.w / (|g| s): w the innovations (across a gap too),
        cut at 4 s, g those of the template, s 1.4826 times the median of |w|. `size`, and which of
        the two kinds of break it is at that date, are by least squares on the innovations as they
        are. A break at a step without a value is one at the next
        step that has one; there are at least 3 values before it, and 3 from it on.
    """
    data = np.ascontiguousarray(residuals, dtype=np.float64)
    each = np.array(np.broadcast_to(memory, len(data)), dtype=np.float64)
    found = np.full((len(data), 4), np.nan)
    found[:, 1] = -1
    known = np.isfinite(data)
    # Surrogates share their gaps as a rule, and then much of the work.
    bounds = np.flatnonzero((known[1:] != known[:-1]).any(axis=1)) + 1
    for first, end in pairwise([0, *map(int, bounds), len(data)]):
        if first < end and known[first].sum() >= _LEAST:
            _scan_alike(data[first:end], each[first:end], templates, found[first:end])
    return Scan(found[:, 0], found[:, 1].astype(np.int64), found[:, 2], found[:, 3])


def without_breaks(
    residuals: NDArray[Any], templates: Values, memory: float, places: NDArray[Any]
) -> Values:
    """Take a template from each series, as large as least squares on its innovations say.

    Parameters
    ----------
    residuals : array of float, shape (S, n)
    templates : array of float64, shape (2 n, n)
    memory : float
    places : array of int, shape (S,)
        Row of the template; a series stays as it is where it is -1, or nothing is left of the
        template where the series has values.

    Returns
    -------
    array of float64, shape (S, n)
    """
    data = np.array(residuals, dtype=np.float64, order="C")
    _take_out(data, templates, memory, np.ascontiguousarray(places, dtype=np.int64))
    return data


def break_dates(
    residual: NDArray[Any], templates: Values, memory: float, place: int
) -> tuple[int, int]:
    """First and last step at which a break may have been: its 95 % confidence interval.

    Parameters
    ----------
    residual : array of float, shape (n,)
    templates : array of float64, shape (2 n, n)
    memory : float
    place : int
        Row of the template that was found.

    Returns
    -------
    tuple of int
        The ends of the range of steps at which a break of that kind has z^2 within 7.4 of that
        of the best: -2 log(1 - sqrt(0.95)), for a likelihood that falls off on either side by
        itself (Siegmund 1988, 10.2307/1403360).
    """
    data = np.ascontiguousarray(residual, dtype=np.float64)
    steps, inside = _places(data)
    z = _profile(data, templates, steps, inside, memory)
    n = data.size
    kind = place // n
    mine = z[kind * n : (kind + 1) * n] ** 2
    likely = np.flatnonzero(mine >= z[place] ** 2 - _DATE_DROP)
    return int(likely[0]), int(likely[-1])


def innovations(residuals: NDArray[Any], memory: NDArray[Any]) -> Values:
    """What is new in each value of AR(1) series with gaps, of equal spread.

    Parameters
    ----------
    residuals : array of float, shape (S, n)
        NaN where missing.
    memory : array of float, shape (S,)
        AR(1) of each, inside (-1, 1).

    Returns
    -------
    array of float64, shape (S, n)
        NaN where missing.
    """
    data = np.ascontiguousarray(residuals, dtype=np.float64)
    return _innovations(data, np.ascontiguousarray(memory, dtype=np.float64))


def _scan_alike(data: Values, memory: Values, templates: Values, found: Values) -> None:
    """Fill rows of `Scan` of series with the same gaps."""
    steps, inside = _places(data[0])
    rows = np.ascontiguousarray(templates[:, steps].T)
    crossed = np.zeros_like(rows)
    crossed[1:] = rows[1:] * rows[:-1]
    squares = rows * rows
    for first in range(0, len(data), _TOGETHER):
        some = slice(first, first + _TOGETHER)
        w, weights, scales = _white(data[some], memory[some], steps)
        matches, powers = _matches(w, weights, scales, memory[some], rows, squares, crossed)
        _fits(matches, powers, w, weights, scales, templates, steps, inside, found[some])


def _places(row: Values) -> tuple[Places, Mask]:
    """Known steps, and templates with enough values before the break and from it on."""
    known = np.isfinite(row)
    steps = np.flatnonzero(known)
    known[steps[:_EDGE]] = known[steps[-_EDGE + 1 :]] = False
    return steps, np.concatenate((known, known))


@njit(cache=True, nogil=True)
def _innovations(data: Values, memory: Values) -> Values:
    out = np.empty(data.shape)
    for s in range(data.shape[0]):
        steps = _known(data[s])
        weights, scales = _whitening(steps, memory[s])
        white = _whitened(data[s], steps, weights, scales)
        for t in range(data.shape[1]):
            out[s, t] = math.nan
        for i in range(steps.size):
            out[s, steps[i]] = white[i]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _profile(row: Values, templates: Values, steps: Places, inside: Mask, memory: float) -> Values:
    """Z of every template; 0 where it cannot be."""
    weights, scales = _whitening(steps, memory)
    white, powers = _white_templates(templates, steps, weights, scales)
    w = _whitened(row, steps, weights, scales)
    scale = _scale(w)
    _cut(w, _CLIP * scale)
    out, least = np.zeros(powers.size), _FAINT * _largest(powers, inside)
    for k in range(powers.size):
        if inside[k] and powers[k] > least:
            out[k] = _product(white[k], w) / (math.sqrt(powers[k]) * scale)
    return out


@njit(cache=True, nogil=True)
def _templates(operator: Values, kept: float) -> Values:
    n = operator.shape[0]
    out = np.zeros((2 * n, n))
    for k in range(n - 1, -1, -1):
        for t in range(n):
            out[k, t] = operator[k, t]
            out[n + k, t] = operator[k, t]
            if k + 1 < n:
                out[k, t] += out[k + 1, t]
                out[n + k, t] += kept * out[n + k + 1, t]
    return out


@njit(cache=True, nogil=True)
def _known(row: Values) -> Places:
    """Steps with a value."""
    places, count = np.empty(row.size, dtype=np.int64), 0
    for t in range(row.size):
        if math.isfinite(row[t]):
            places[count] = t
            count += 1
    return places[:count]


@njit(cache=True, nogil=True)
def _whitening(steps: Places, memory: float) -> Any:
    """For each known step the weight of the known one before it, and 1 / SD of what is new.

    Of an AR(1) process with gaps, exactly: nothing is lost where a value is missing.
    """
    weights, scales = np.zeros(steps.size), np.ones(steps.size)
    for i in range(steps.size):
        share = 0.0 if i == 0 else memory ** (steps[i] - steps[i - 1])
        weights[i] = share
        scales[i] = math.sqrt((1.0 - memory * memory) / (1.0 - share * share))
    return weights, scales


@njit(cache=True, nogil=True)
def _whitened(row: Values, steps: Places, weights: Values, scales: Values) -> Values:
    out = np.empty(steps.size)
    for i in range(steps.size):
        before = row[steps[i - 1]] if i else 0.0
        out[i] = (row[steps[i]] - weights[i] * before) * scales[i]
    return out


@njit(cache=True, nogil=True)
def _scale(innovations: Values) -> float:
    """Robust SD about 0; 0 where there are too few."""
    if innovations.size < _LEAST:
        return 0.0
    sizes = np.empty(innovations.size)
    for i in range(sizes.size):
        sizes[i] = abs(innovations[i])
    return 1.4826 * float(median_moving(sizes))


@njit(cache=True, nogil=True)
def _cut(innovations: Values, limit: float) -> None:
    for i in range(innovations.size):
        innovations[i] = min(max(innovations[i], -limit), limit)


@njit(cache=True, nogil=True)
def _white_templates(templates: Values, steps: Places, weights: Values, scales: Values) -> Any:
    """Templates (k, known steps) and their powers."""
    count = templates.shape[0]
    white, powers = np.empty((count, steps.size)), np.zeros(count)
    for k in range(count):
        row = _whitened(templates[k], steps, weights, scales)
        for i in range(row.size):
            white[k, i] = row[i]
            powers[k] += row[i] * row[i]
    return white, powers


@njit(cache=True, nogil=True, error_model="numpy")
def _fits(  # noqa: PLR0917 - compiled functions take positions
    matches: Values,
    powers: Values,
    innovations: Values,
    weights: Values,
    scales: Values,
    templates: Values,
    steps: Places,
    inside: Mask,
    found: Values,
) -> None:
    """Fill z, place, size and error of series with the same gaps; left alone where none fits."""
    for s in range(matches.shape[0]):
        w = innovations[s]
        scale = _scale(w)
        k = _best(matches[s], powers[s], inside) if scale > 0.0 else -1
        if k < 0:
            continue
        g = _whitened(templates[k], steps, weights[s], scales[s])
        cut = w.copy()
        _cut(cut, _CLIP * scale)
        found[s, 0] = _product(g, cut) / (math.sqrt(_product(g, g)) * scale)
        other = (k + inside.size // 2) % inside.size
        if powers[s, other] > _FAINT * _largest(powers[s], inside):
            h = _whitened(templates[other], steps, weights[s], scales[s])
            if _fit(h, w) > _fit(g, w):
                k, g = other, h
        power = _product(g, g)
        found[s, 1], found[s, 2], found[s, 3] = k, _product(g, w) / power, scale / math.sqrt(power)


@njit(cache=True, nogil=True)
def _white(data: Values, memory: Values, steps: Places) -> Any:
    """Innovations of series with the same gaps, and the weights and scales that made them."""
    shape = (data.shape[0], steps.size)
    white, before, spreads = np.empty(shape), np.empty(shape), np.empty(shape)
    for s in range(shape[0]):
        weights, scales = _whitening(steps, memory[s])
        w = _whitened(data[s], steps, weights, scales)
        for i in range(steps.size):
            white[s, i], before[s, i], spreads[s, i] = w[i], weights[i], scales[i]
    return white, before, spreads


@njit(cache=True, nogil=True, error_model="numpy")
def _matches(  # noqa: PLR0917 - compiled functions take positions
    w: Values,
    weights: Values,
    scales: Values,
    memory: Values,
    rows: Values,
    squares: Values,
    crossed: Values,
) -> Any:
    """Products of whitened templates with cut innovations, and powers of these templates, (s, k).

    `rows` are templates at the known steps, (m, k), `squares` theirs, `crossed` their products
    with the step before. A product of whitened templates is one of plain templates with
    innovations that were whitened backwards, so no template is whitened: that would be most of the
    work, for each series again.
    """
    count, m = w.shape
    back, own, cross = np.zeros((count, m)), np.zeros((count, m)), np.zeros((count, m))
    for s in range(count):
        limit = _CLIP * _scale(w[s])
        for i in range(m):
            value = min(max(w[s, i], -limit), limit) * scales[s, i]
            square = scales[s, i] * scales[s, i]
            back[s, i] += value
            own[s, i] += square
            if i:
                back[s, i - 1] -= weights[s, i] * value
                own[s, i - 1] += weights[s, i] * weights[s, i] * square
                cross[s, i] = -2.0 * weights[s, i] * square
    matches, powers = np.zeros((count, rows.shape[1])), np.zeros((count, rows.shape[1]))
    for i in range(m):
        for s in range(count):
            _add(matches[s], rows[i], back[s, i])
        for s in range(count):
            if s and memory[s] == memory[s - 1]:
                continue
            _add(powers[s], squares[i], own[s, i])
            _add(powers[s], crossed[i], cross[s, i])
    for s in range(1, count):
        if memory[s] == memory[s - 1]:
            _add(powers[s], powers[s - 1], 1.0)
    return matches, powers


@njit(cache=True, nogil=True)
def _add(to: Values, row: Values, factor: float) -> None:
    for k in range(to.size):
        to[k] += factor * row[k]


@njit(cache=True, nogil=True)
def _largest(powers: Values, inside: Mask) -> float:
    largest = 0.0
    for k in range(powers.size):
        if inside[k] and powers[k] > largest:
            largest = powers[k]
    return largest


@njit(cache=True, nogil=True, error_model="numpy")
def _best(matches: Values, powers: Values, inside: Mask) -> int:
    """Template with the largest match of either sign; -1 where nothing of any is left."""
    place, largest = -1, -1.0
    least = _FAINT * _largest(powers, inside)
    for k in range(powers.size):
        if inside[k] and powers[k] > least:
            match = abs(matches[k]) / math.sqrt(powers[k])
            if match > largest:
                place, largest = k, match
    return place


@njit(cache=True, nogil=True, error_model="numpy")
def _fit(template: Values, w: Values) -> float:
    """Match with innovations as they are: the cut takes what a step and a pulse differ in most."""
    return abs(_product(template, w)) / math.sqrt(_product(template, template))


@njit(cache=True, nogil=True)
def _product(one: Values, other: Values) -> float:
    total = 0.0
    for i in range(one.size):
        total += one[i] * other[i]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _take_out(data: Values, templates: Values, memory: float, places: Places) -> None:
    for s in range(data.shape[0]):
        if places[s] < 0:
            continue
        template = templates[places[s]]
        steps = _known(data[s])
        weights, scales = _whitening(steps, memory)
        g = _whitened(template, steps, weights, scales)
        power = _product(g, g)
        # What rounding leaves of a template that the operator takes whole is no template.
        if power > 1e-18:
            share = _product(g, _whitened(data[s], steps, weights, scales)) / power
            for t in range(data.shape[1]):
                data[s, t] -= share * template[t]
