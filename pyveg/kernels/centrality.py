"""Subgraph centrality of binary chips and the feature vector built on it.

The True pixels of a chip are the nodes of a graph, neighbouring True pixels its edges. The
subgraph centrality of a pixel is its entry of ``diag(exp A)``, A the adjacency matrix
(Estrada & Rodriguez-Velazquez 2005, 10.1103/PhysRevE.71.056103). Mander et al. 2017
(10.1098/rsos.160443) rank pixels by it and follow V - E of the best ranked shares.

No eigenvalues are needed: ``SC_i = sum_n c_n(i) / n!`` with c_n(i) the number of closed walks of
n steps from pixel i, and A symmetric, so ``c_2m = |A^m e_i|^2`` and
``c_2m-1 = <A^m-1 e_i, A^m e_i>``. After m steps a walk is at most m pixels away: a stencil of
that radius around every pixel holds all its walks.

How far to walk. Write SC_i = int exp(x) d mu_i(x) with mu_i the spectral measure of pixel i,
positive, and r_N(x) the remainder of exp after x^N / N!. Whatever the mask, the relative error is
at most the maximum of |r_N(x)| / exp(x) over the spectrum:

* 4 neighbours: the graph is bipartite, odd c_n are 0, cosh replaces exp and |x| <= 4. Radius 14
  (N = 28): below 4^30 / 30! / cosh(4) * 1.02 = 1.7e-16 for any mask; 2e-17 inside a full one.
* 8 neighbours: -4 <= x <= 8, as (1 + 2 cos a)(1 + 2 cos b) - 1 is the spectrum of the endless grid
  and a mask is a principal part of it. Radius 21 (N = 42): the chance that a Poisson variable of
  mean 8 exceeds 42, 4.6e-18 (at the other end, x = -4, 6e-26).

Exactness (4 neighbours): a walk count is at most 3432^2 < 2^24 (exact in float32), c_28 at most
(28 over 14)^2 < 2^53 (exact in float64). Each c_2m is therefore the exact integer in whatever
order it is summed, and pixels of equal walk counts get bit-equal centralities on every machine.
With 8 neighbours the counts are rounded (float64), in an order that is the same everywhere.
"""

from __future__ import annotations

import math
import operator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["feature_vector", "feature_vector_metrics", "feature_vectors", "subgraph_centrality"]

_TIE = 1e-12  # relative; solver noise of a dense solver is 3e-14, true gaps start near 1e-9

_LANES = 32  # pixels that walk side by side (SIMD); the stencil of 32 still fits a 48 kB L1 cache
_REACH_4 = 14
_REACH_8 = 21
_PITCH_4 = (_REACH_4 + 2) * _LANES  # a stencil row: the sites and one of zeros
_PITCH_8 = (2 * _REACH_8 + 3) * _LANES  # the sites and two of zeros
_FACTORIALS = np.array([float(math.factorial(n)) for n in range(2 * _REACH_8 + 1)])


def subgraph_centrality(mask: NDArray[Any], *, diagonal: bool = False) -> NDArray[np.float64]:
    """Return diag(exp A) of the graph of the True pixels of a mask.

    Parameters
    ----------
    mask : array of bool or numbers, shape (H, W)
        Non-zero pixels are nodes. Any H and W, zero included.
    diagonal : bool
        Join 8 neighbours rather than 4.

    Returns
    -------
    array of float64, shape (H, W)
        Centrality (no unit, >= 1) of the nodes, 0.0 elsewhere; 1.0 for an isolated node. Relative
        error below 1e-15.

    Raises
    ------
    ValueError
        If the mask is not two-dimensional, not numeric or has NaN.

    References
    ----------
    Estrada & Rodriguez-Velazquez 2005, 10.1103/PhysRevE.71.056103.
    """
    return _centrality(_as_bool(mask, ndim=2), diagonal=diagonal)


def feature_vector(
    mask: NDArray[Any], *, num_quantiles: int = 20, diagonal: bool = False
) -> NDArray[np.float64]:
    """Return V - E of the best connected shares of a mask's pixels.

    The n True pixels are ranked by subgraph centrality, highest first. Element k is V - E of the
    subgraph induced by the first ``round(k * n / num_quantiles)`` of them, half to even; element 0
    is 0, and all n pixels are never counted.

    Ties: in the sorted order, a value within 1e-12 (relative) of the value before it belongs to
    the same group; inside a group pixels keep row-major order.

    Parameters
    ----------
    mask : array of bool or numbers, shape (H, W)
        Non-zero pixels are nodes.
    num_quantiles : int
        Number of shares, at least 2.
    diagonal : bool
        Join 8 neighbours rather than 4.

    Returns
    -------
    array of float64, shape (num_quantiles,)
        V - E in pixels (whole numbers); all zeros for an empty mask.

    Raises
    ------
    ValueError
        If the mask is not two-dimensional, not numeric or has NaN, or num_quantiles is below 2.

    References
    ----------
    Mander et al. 2017, 10.1098/rsos.160443.
    """
    return _vector(_as_bool(mask, ndim=2), _as_quantiles(num_quantiles), diagonal=diagonal)


def feature_vectors(
    masks: NDArray[Any], *, num_quantiles: int = 20, diagonal: bool = False, n_threads: int = 1
) -> NDArray[np.float64]:
    """Return the feature vector of every chip of a stack; see `feature_vector`.

    Parameters
    ----------
    masks : array of bool or numbers, shape (N, H, W)
        Non-zero pixels are nodes.
    num_quantiles : int
        Number of shares, at least 2.
    diagonal : bool
        Join 8 neighbours rather than 4.
    n_threads : int
        Chips worked on at once, at least 1. The result does not depend on it.

    Returns
    -------
    array of float64, shape (N, num_quantiles)
        One feature vector a row.

    Raises
    ------
    ValueError
        If masks is not three-dimensional, not numeric or has NaN, num_quantiles is below 2 or
        n_threads below 1.
    """
    chips = _as_bool(masks, ndim=3)
    quantiles = _as_quantiles(num_quantiles)
    if n_threads < 1:
        raise ValueError(f"n_threads must be at least 1, got {n_threads}")
    vectors = np.zeros((len(chips), quantiles))

    def work(chip: int) -> None:
        vectors[chip] = _vector(chips[chip], quantiles, diagonal=diagonal)

    if n_threads == 1:
        for chip in range(len(chips)):
            work(chip)
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(work, range(len(chips))))
    return vectors


def feature_vector_metrics(vector: NDArray[Any]) -> dict[str, float]:
    """Return the five summary numbers of a feature vector.

    Parameters
    ----------
    vector : array of numbers, shape (n,)
        A feature vector, n >= 1.

    Returns
    -------
    dict of str to float
        ``offset`` last minus first; ``slope`` offset / n; ``offset50`` last minus element n // 2;
        ``mean``; ``std`` (population). All in pixels (V - E).

    Raises
    ------
    ValueError
        If vector is not one-dimensional or has no element.

    References
    ----------
    Mander et al. 2017, 10.1098/rsos.160443.
    """
    values = np.asarray(vector, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"a feature vector has one axis and an element, got shape {values.shape}")
    offset = float(values[-1] - values[0])
    return {
        "slope": offset / values.size,
        "offset": offset,
        "offset50": float(values[-1] - values[values.size // 2]),
        "mean": float(values.mean()),
        "std": float(values.std()),
    }


def _as_bool(mask: NDArray[Any], *, ndim: int) -> NDArray[np.bool_]:
    """Return mask as an array of bool with the wanted number of axes, or say what is wrong."""
    array = np.asarray(mask)
    axes = "(H, W)" if ndim == 2 else "(N, H, W)"
    if array.ndim != ndim:
        raise ValueError(f"expected an array of shape {axes}, got shape {array.shape}")
    if array.dtype.kind not in "biuf":
        raise ValueError(f"expected bool or numbers, got dtype {array.dtype}")
    if array.dtype.kind == "f" and bool(np.isnan(array).any()):
        raise ValueError("a mask must not hold NaN: decide first what its missing pixels are")
    return array.astype(np.bool_)


def _as_quantiles(num_quantiles: int) -> int:
    """Return num_quantiles if it is a whole number from 2 up."""
    quantiles = operator.index(num_quantiles)
    if quantiles < 2:
        raise ValueError(f"num_quantiles must be at least 2, got {quantiles}")
    return quantiles


def _vector(mask: NDArray[np.bool_], quantiles: int, *, diagonal: bool) -> NDArray[np.float64]:
    """Feature vector of a checked mask."""
    pixels = np.flatnonzero(mask)
    centrality = _centrality(mask, diagonal=diagonal).ravel()[pixels]
    ranks = np.full(mask.size, pixels.size, dtype=np.int64)
    ranks[pixels[_ranking(centrality)]] = np.arange(pixels.size)
    edges = _edges_within(ranks.reshape(mask.shape), pixels.size, diagonal=diagonal)
    taken = _shares(pixels.size, quantiles)
    return (taken - edges[taken]).astype(np.float64)


def _ranking(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Order of values, highest first, ties (see `feature_vector`) by index."""
    order = np.argsort(-values)
    ranked = values[order]
    group = np.zeros(values.size, dtype=np.int64)
    np.cumsum(ranked[:-1] - ranked[1:] > _TIE * ranked[:-1], out=group[1:])
    ranking: NDArray[np.int64] = np.sort(group * values.size + order) % max(values.size, 1)
    return ranking


def _shares(n: int, quantiles: int) -> NDArray[np.int64]:
    """round(k * n / quantiles) for k = 0 .. quantiles - 1, half to even, in whole numbers."""
    whole, rest = np.divmod(np.arange(quantiles, dtype=np.int64) * n, quantiles)
    up = (2 * rest > quantiles) | ((2 * rest == quantiles) & (whole % 2 == 1))
    shares: NDArray[np.int64] = whole + up
    return shares


def _edges_within(ranks: NDArray[np.int64], n: int, *, diagonal: bool) -> NDArray[np.int64]:
    """Edges among the first p ranked pixels, for p = 0 .. n; pixels outside have rank n.

    An edge enters with the later of its two ends, so one count over all edges is enough.
    """
    pairs = [(ranks[:, :-1], ranks[:, 1:]), (ranks[:-1], ranks[1:])]
    if diagonal:
        pairs += [(ranks[:-1, :-1], ranks[1:, 1:]), (ranks[:-1, 1:], ranks[1:, :-1])]
    later = np.concatenate([np.maximum(one, other).ravel() for one, other in pairs])
    edges = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(later, minlength=n + 1)[:n], out=edges[1:])
    return edges


def _centrality(mask: NDArray[np.bool_], *, diagonal: bool) -> NDArray[np.float64]:
    """Subgraph centrality of a checked mask.

    The mask is laid out in one line, a zero column after each row and zero rows around: no walk
    passes a zero, so a displacement is one fixed distance in that line, and pixels that follow
    each other, row ends included, can walk side by side.
    """
    height, width = mask.shape
    reach = _REACH_8 if diagonal else _REACH_4
    stride = width + 1
    size = height * stride
    lanes = -(-size // _LANES) * _LANES
    lead = reach * (stride + 1)
    line = np.zeros(lead + lanes + lead, dtype=np.float32)
    line[lead : lead + size].reshape(height, stride)[:, :width] = mask
    centrality = np.zeros(lanes)
    if diagonal:
        _series_8(line, lead, _offsets_8(stride), _FACTORIALS, centrality)
    else:
        _series_4(line, lead, _offsets_4(stride), _FACTORIALS, centrality)
    return np.ascontiguousarray(centrality[:size].reshape(height, stride)[:, :width])


def _offsets_4(stride: int) -> NDArray[np.int64]:
    """Distance in the line of stencil site (row, column), 4 neighbours.

    The diamond of sites is turned by 45 degrees: dy = (u - v) / 2, dx = (u + v) / 2, u = -14 .. 14
    along the rows, v of the parity of u along the columns.
    """
    u = np.arange(-_REACH_4, _REACH_4 + 1, dtype=np.int64)[:, None]
    v = 2 * np.arange(_REACH_4 + 1, dtype=np.int64) - _REACH_4 + (u + _REACH_4) % 2
    offsets: NDArray[np.int64] = (u - v) // 2 * stride + (u + v) // 2
    return offsets


def _offsets_8(stride: int) -> NDArray[np.int64]:
    """Distance in the line of stencil site (row, column), 8 neighbours."""
    step = np.arange(-_REACH_8, _REACH_8 + 1, dtype=np.int64)
    offsets: NDArray[np.int64] = step[:, None] * stride + step
    return offsets


@njit(cache=True, nogil=True)
def _load(line: Any, start: int, offsets: Any, near: Any) -> bool:
    """Copy the mask around the lanes from start into near; False if no lane is a node."""
    nodes = np.float32(0)
    for lane in range(_LANES):
        nodes += line[start + lane]
    if nodes == 0:
        return False
    for row in range(offsets.shape[0]):
        for column in range(offsets.shape[1]):
            first = start + offsets[row, column]
            target = near[row, column * _LANES : (column + 1) * _LANES]
            source = line[first : first + _LANES]
            for lane in range(_LANES):
                target[lane] = source[lane]
    return True


@njit(cache=True, nogil=True)
def _fold(sums: Any, sites: int, closed: Any) -> None:
    """Add up the sites of sums, lane by lane, into closed; leave sums zero."""
    while sites > 1:
        half = (sites + 1) // 2
        ahead = sums[half * _LANES : sites * _LANES]
        for x in range(ahead.size):
            sums[x] += ahead[x]
        ahead[:] = 0.0
        sites = half
    for lane in range(_LANES):
        closed[lane] = sums[lane]
        sums[lane] = 0.0


@njit(cache=True, nogil=True)
def _step_4(walks: Any, near: Any) -> None:
    """Walk one step in a stencil row; in place, as only sites ahead are read."""
    for x in range(near.size):
        here = walks[x] + walks[x + _LANES]
        walks[x] = (here + (walks[x + _PITCH_4] + walks[x + _PITCH_4 + _LANES])) * near[x]


@njit(cache=True, nogil=True)
def _square_4(walks: Any, sums: Any) -> None:
    """Add the squares of four stencil rows to sums."""
    for x in range(sums.size):
        a = np.float64(walks[x])
        b = np.float64(walks[x + _PITCH_4])
        c = np.float64(walks[x + 2 * _PITCH_4])
        d = np.float64(walks[x + 3 * _PITCH_4])
        sums[x] += (a * a + b * b) + (c * c + d * d)


@njit(cache=True, nogil=True)
def _series_4(line: Any, lead: int, offsets: Any, factorials: Any, centrality: Any) -> None:
    """Centrality of every pixel of a line, 4 neighbours.

    A site of step m has m + 1 sources on each axis, u and v each going up or down by one. The
    stencil of step m lies at rows and columns R - m .. R, so that it grows towards the front.
    """
    reach = _REACH_4
    near = np.empty((2 * reach + 1, (reach + 1) * _LANES), np.float32)
    walks = np.empty((reach + 5) * _PITCH_4, np.float32)
    sums = np.zeros((reach + 1) * _LANES, np.float64)
    closed = np.zeros((reach + 1, _LANES), np.float64)
    for start in range(0, centrality.size, _LANES):
        if not _load(line, lead + start, offsets, near):
            continue
        walks[:] = 0
        for lane in range(_LANES):
            node = line[lead + start + lane]
            walks[reach * (_PITCH_4 + _LANES) + lane] = node
            closed[0, lane] = node
        for m in range(1, reach + 1):
            origin = (reach - m) * (_PITCH_4 + _LANES)
            column = (reach - m) // 2 * _LANES
            width = (m + 1) * _LANES
            for a in range(m + 1):
                row = near[reach - m + 2 * a, column : column + width]
                _step_4(walks[origin + a * _PITCH_4 :], row)
            for a in range(0, m + 1, 4):
                _square_4(walks[origin + a * _PITCH_4 :], sums[:width])
            _fold(sums, m + 1, closed[m])
        for m in range(reach, -1, -1):
            for lane in range(_LANES):
                centrality[start + lane] += closed[m, lane] / factorials[2 * m]


@njit(cache=True, nogil=True)
def _step_8(walks: Any, near: Any, even: Any, odd: Any) -> None:
    """Walk one step in a stencil row, in place, and add the products of new and old counts."""
    for x in range(near.size):
        y = x + _PITCH_8
        z = y + _PITCH_8
        here = walks[y + _LANES]
        top = walks[x] + walks[x + _LANES] + walks[x + 2 * _LANES]
        end = walks[z] + walks[z + _LANES] + walks[z + 2 * _LANES]
        count = (top + end + (walks[y] + walks[y + 2 * _LANES])) * near[x]
        walks[x] = count
        even[x] += count * count
        odd[x] += count * here


@njit(cache=True, nogil=True)
def _series_8(line: Any, lead: int, offsets: Any, factorials: Any, centrality: Any) -> None:
    """Centrality of every pixel of a line, 8 neighbours; stencil as in `_series_4`, not turned."""
    reach = _REACH_8
    near = np.empty((2 * reach + 1, (2 * reach + 1) * _LANES), np.float32)
    walks = np.empty((2 * reach + 3) * _PITCH_8, np.float64)
    even = np.zeros((2 * reach + 1) * _LANES, np.float64)
    odd = np.zeros((2 * reach + 1) * _LANES, np.float64)
    closed = np.zeros((2 * reach + 1, _LANES), np.float64)
    for start in range(0, centrality.size, _LANES):
        if not _load(line, lead + start, offsets, near):
            continue
        walks[:] = 0
        for lane in range(_LANES):
            node = line[lead + start + lane]
            walks[2 * reach * (_PITCH_8 + _LANES) + lane] = node
            closed[0, lane] = node
        for m in range(1, reach + 1):
            origin = 2 * (reach - m) * (_PITCH_8 + _LANES)
            column = (reach - m) * _LANES
            width = (2 * m + 1) * _LANES
            for a in range(2 * m + 1):
                row = near[reach - m + a, column : column + width]
                _step_8(walks[origin + a * _PITCH_8 :], row, even[:width], odd[:width])
            _fold(even, 2 * m + 1, closed[2 * m])
            _fold(odd, 2 * m + 1, closed[2 * m - 1])
        for n in range(2 * reach, -1, -1):
            for lane in range(_LANES):
                centrality[start + lane] += closed[n, lane] / factorials[n]
