"""The truncated Chebyshev series of exp, as coefficients of powers.

    exp(c + h t) = e^c (I_0(h) + 2 sum_k I_k(h) T_k(t)),   |t| <= 1,

with T_k the Chebyshev polynomials and I_k the modified Bessel functions of the first kind
(https://dlmf.nist.gov/10.35.E2). As |T_k| <= 1, cutting the series after degree N leaves an error
of at most 2 e^c sum_{k > N} I_k(h) on the whole interval [c - h, c + h].

All is computed in whole numbers: the powers of x in T_k cancel each other by more digits than
float64 has.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["powers_of_exp"]

_ONE = 1 << 256  # fractions are held as whole multiples of 1 / _ONE
_TERMS = 128  # of a power series; those left out are below 1 / _ONE for |x| <= 8


def powers_of_exp(low: int, high: int, degree: int) -> NDArray[np.float64]:
    """Coefficients of 1, x, x^2, ... in the Chebyshev series of exp on [low, high].

    Parameters
    ----------
    low, high : int
        Ends of the interval, from -8 to 8; high - low is a multiple of 4.
    degree : int
        Of the last T_k that is kept, from 1 to 40.

    Returns
    -------
    array of float64, shape (degree + 1,)
        Each coefficient is the exact one, rounded once. On [-h, h] those of even powers are the
        Chebyshev series of cosh.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 10.35.2 and 10.25.2.
    """
    if not -8 <= low < high <= 8 or (high - low) % 4:
        raise ValueError(
            "the ends must lie in [-8, 8], a multiple of 4 apart, the lower one first, "
            f"got {low} and {high}"
        )
    if not 1 <= degree <= 40:
        raise ValueError(f"degree must be from 1 to 40, got {degree}")
    centre, half = (low + high) // 2, (high - low) // 2
    series = [(2 if k else 1) * _bessel(k, half) * half ** (degree - k) for k in range(degree + 1)]
    sums = np.array(series, dtype=object) @ _polynomials(centre, half, degree) * _exp(centre)
    unit = half**degree * _ONE**2
    # int / int of Python rounds correctly, whatever the size of the two
    return np.array([one / unit for one in sums], dtype=np.float64)


def _exp(x: int) -> int:
    """exp(x) in units of 1 / _ONE."""
    return sum(x**n * _ONE // math.factorial(n) for n in range(_TERMS))


def _bessel(order: int, x: int) -> int:
    """I_order(x) in units of 1 / _ONE, x even (https://dlmf.nist.gov/10.25.E2)."""
    term = (x // 2) ** order * _ONE // math.factorial(order)
    total = 0
    for j in range(1, _TERMS):
        total += term
        term = term * (x // 2) ** 2 // (j * (j + order))
    return total


def _polynomials(centre: int, half: int, degree: int) -> NDArray[np.object_]:
    """Row k: coefficients of 1, x, x^2, ... in half^k T_k((x - centre) / half), whole numbers."""
    rows = np.zeros((degree + 1, degree + 1), dtype=object)
    rows[0, 0] = 1
    rows[1, :2] = -centre, 1
    for k in range(2, degree + 1):
        rows[k, 1:] = 2 * rows[k - 1, :-1]
        rows[k] -= 2 * centre * rows[k - 1] + half**2 * rows[k - 2]
    return rows
