"""Closed walks on the graph of a mask, counted exactly: the diagonal of exp(A), A its adjacency.

No eigenvalues are needed: ``SC_i = sum_n a_n c_n(i)`` with c_n(i) the number of closed walks of
n steps from pixel i and a_n the coefficients of a polynomial that stands for exp on the spectrum
of A. A is symmetric, so ``c_2m = |A^m e_i|^2`` and ``c_2m-1 = <A^m-1 e_i, A^m e_i>``. After m
steps a walk is at most m pixels away: a stencil of that radius around every pixel holds all its
walks, and a polynomial of degree N needs a radius of N / 2.

Which polynomial. The Taylor series is accurate at 0 and spends its walks on that; the Chebyshev
series, `pyveg.kernels.chebyshev`, spreads its error over the whole spectrum and reaches the same
accuracy with fewer. Two remarks bound its error for any mask:

* |T_k| <= 1, so the rest r(x) that is cut off is at most 2 e^c sum_{k > N} I_k(h) for every x.
  a_0 is set to exactly 1, which moves the error from r(x) to r(x) - r(0), at most twice as much:
  an isolated pixel has SC = 1 without any error.
* ``SC_i = int exp(x) d mu_i(x)`` with mu_i the spectral measure of pixel i, of total 1. A pixel
  with a neighbour has c_2m >= 1, so SC_i >= cosh(1) = 1.54, and the relative error is at most
  2 max |r| / 1.54.

How far to walk.

* 4 neighbours: the graph is bipartite, odd c_n are 0, cosh replaces exp and |x| <= 4. Radius 11
  (N = 22): max |r| = 6.4e-17, relative error below 8.3e-17 (Taylor: radius 14 for 1.7e-16). All
  coefficients are positive.
* 8 neighbours: -4 <= x <= 8, as (1 + 2 cos a)(1 + 2 cos b) - 1 is the spectrum of the endless grid
  and a mask is a principal part of it. Radius 14 (N = 28): max |r| = 1.72e-16, relative error
  below 2.3e-16 (Taylor: radius 20 for 1.3e-16). Two small coefficients, a_25 and a_27, are
  negative; their terms are below 1e-6 of the sum and cancel nothing.

Exactness (4 neighbours): a walk count is at most 462^2 < 2^24 (exact in float32), c_22 at most
(22 over 11)^2 < 2^53 (exact in float64). Each c_2m is therefore the exact integer in whatever
order it is summed, and pixels of equal walk counts get bit-equal centralities on every machine.
With 8 neighbours the counts are rounded (float64), in an order that is the same everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pyveg.kernels.chebyshev import powers_of_exp

__all__ = ["diagonal_of_exp"]

_LANES = 32  # pixels that walk side by side (SIMD); the stencil of 32 fits a 32 kB L1 cache
_REACH_4 = 11
_REACH_8 = 14
_PITCH_4 = (_REACH_4 + 2) * _LANES  # a stencil row: the sites and one of zeros
_PITCH_8 = (2 * _REACH_8 + 3) * _LANES  # the sites and two of zeros
_NEAR_4 = (_REACH_4 + 1) * _LANES  # a row of the mask around a stencil
_NEAR_8 = (2 * _REACH_8 + 1) * _LANES
_SERIES_4 = powers_of_exp(-4, 4, 2 * _REACH_4)  # of its even powers: cosh
_SERIES_8 = powers_of_exp(-4, 8, 2 * _REACH_8)
_SERIES_4[0] = _SERIES_8[0] = 1.0


def diagonal_of_exp(mask: NDArray[np.bool_], *, diagonal: bool) -> NDArray[np.float64]:
    """Subgraph centrality of the True pixels of a mask.

    Parameters
    ----------
    mask : array of bool, shape (H, W)
    diagonal : bool
        Join 8 neighbours rather than 4.

    Returns
    -------
    array of float64, shape (H, W)
        0.0 outside the mask.

    Notes
    -----
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
        _series_8(line, _offsets_8(stride).ravel(), _SERIES_8, centrality)
    else:
        sums = np.zeros((2, _PITCH_4))  # here, as numba would compile for 0.15 s to make them
        _series_4(line, _offsets_4(stride).ravel(), _SERIES_4, sums, centrality)
    return np.ascontiguousarray(centrality[:size].reshape(height, stride)[:, :width])


def _offsets_4(stride: int) -> NDArray[np.int64]:
    """Distance in the line of stencil site (row, column), 4 neighbours.

    The diamond of sites is turned by 45 degrees: dy = (u - v) / 2, dx = (u + v) / 2, u = -11 .. 11
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
    for site in range(offsets.size):
        first = start + offsets[site]
        source = line[first : first + _LANES]
        target = near[site * _LANES : (site + 1) * _LANES]
        # not _LANES: LLVM unrolls a loop of known length into single copies, twice as slow
        for lane in range(source.size):
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
def _step_4(walks: Any, near: Any, width: int) -> None:
    """Walk one step in four stencil rows; in place, as only sites ahead are read.

    Four at once share what they read: each row is a source of two. Squares are not taken here, as
    the float64 in them would halve the number of lanes of every instruction.
    """
    for x in range(width):
        a = walks[x] + walks[x + _LANES]
        b = walks[x + _PITCH_4] + walks[x + _PITCH_4 + _LANES]
        c = walks[x + 2 * _PITCH_4] + walks[x + 2 * _PITCH_4 + _LANES]
        d = walks[x + 3 * _PITCH_4] + walks[x + 3 * _PITCH_4 + _LANES]
        e = walks[x + 4 * _PITCH_4] + walks[x + 4 * _PITCH_4 + _LANES]
        walks[x] = (a + b) * near[x]
        walks[x + _PITCH_4] = (b + c) * near[x + 2 * _NEAR_4]
        walks[x + 2 * _PITCH_4] = (c + d) * near[x + 4 * _NEAR_4]
        walks[x + 3 * _PITCH_4] = (d + e) * near[x + 6 * _NEAR_4]


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
def _series_4(line: Any, offsets: Any, coefficients: Any, sums: Any, centrality: Any) -> None:
    """Centrality of every pixel of a line, 4 neighbours.

    A site of step m has m + 1 sources on each axis, u and v each going up or down by one. The
    stencil of step m lies at rows and columns R - m .. R, so that it grows towards the front.
    Rows are worked on by fours: those beyond the last one are zero, and so is the mask there.
    """
    reach = _REACH_4
    near = np.zeros((2 * reach + 7) * _NEAR_4, np.float32)
    walks = np.zeros((reach + 6) * _PITCH_4, np.float32)
    columns, closed = sums[0], sums[1]
    lead = (line.size - centrality.size) // 2
    for start in range(0, centrality.size, _LANES):
        if not _load(line, lead + start, offsets, near):
            continue
        walks[: (reach + 1) * _PITCH_4] = 0
        for lane in range(_LANES):
            node = line[lead + start + lane]
            walks[reach * (_PITCH_4 + _LANES) + lane] = node
            closed[lane] = node
        for m in range(1, reach + 1):
            width = (m + 1) * _LANES
            for a in range(0, m + 1, 4):
                rows = walks[(reach - m + a) * _PITCH_4 + (reach - m) * _LANES :]
                around = (reach - m + 2 * a) * _NEAR_4 + (reach - m) // 2 * _LANES
                _step_4(rows, near[around:], width)
                _square_4(rows, columns[:width])
            _fold(columns, m + 1, closed[m * _LANES :])
        for m in range(reach, -1, -1):
            for lane in range(_LANES):
                centrality[start + lane] += coefficients[2 * m] * closed[m * _LANES + lane]


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
def _series_8(line: Any, offsets: Any, coefficients: Any, centrality: Any) -> None:
    """Centrality of every pixel of a line, 8 neighbours; stencil as in `_series_4`, not turned."""
    reach = _REACH_8
    near = np.zeros((2 * reach + 1) * _NEAR_8, np.float32)
    walks = np.zeros((2 * reach + 3) * _PITCH_8, np.float64)
    even = np.zeros((2 * reach + 1) * _LANES, np.float64)
    odd = np.zeros((2 * reach + 1) * _LANES, np.float64)
    closed = np.zeros((2 * reach + 1) * _LANES, np.float64)
    lead = (line.size - centrality.size) // 2
    for start in range(0, centrality.size, _LANES):
        if not _load(line, lead + start, offsets, near):
            continue
        walks[:] = 0
        for lane in range(_LANES):
            node = line[lead + start + lane]
            walks[2 * reach * (_PITCH_8 + _LANES) + lane] = node
            closed[lane] = node
        for m in range(1, reach + 1):
            origin = 2 * (reach - m) * (_PITCH_8 + _LANES)
            width = (2 * m + 1) * _LANES
            for a in range(2 * m + 1):
                around = (reach - m + a) * _NEAR_8 + (reach - m) * _LANES
                row = near[around : around + width]
                _step_8(walks[origin + a * _PITCH_8 :], row, even[:width], odd[:width])
            _fold(even, 2 * m + 1, closed[2 * m * _LANES :])
            _fold(odd, 2 * m + 1, closed[(2 * m - 1) * _LANES :])
        for n in range(2 * reach, -1, -1):
            for lane in range(_LANES):
                centrality[start + lane] += coefficients[n] * closed[n * _LANES + lane]
