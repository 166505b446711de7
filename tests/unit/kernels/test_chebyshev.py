"""The Chebyshev series of exp against exact fractions and SciPy's Bessel functions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.special import iv

from pyveg.kernels.chebyshev import powers_of_exp

TERMS = 90  # of Taylor series; the next one is below 1e-60 for |x| <= 8

intervals = pytest.mark.parametrize(
    ("low", "high", "degree"), [(-4, 4, 22), (-4, 8, 28), (-2, 2, 1), (0, 8, 9), (-8, -4, 40)]
)


def exp(x: Fraction) -> Fraction:
    return sum((x**n / math.factorial(n) for n in range(TERMS)), Fraction(0))


def times(one: list[Fraction], other: list[Fraction]) -> list[Fraction]:
    product = [Fraction(0)] * (len(one) + len(other) - 1)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            product[i + j] += a * b
    return product


def chebyshev_weights(centre: int, half: int, degree: int) -> list[Fraction]:
    """Weights of T_0 .. T_degree, from the Taylor series in t and t^n = 2^(1-n) sum C(n, j) T_n-2j.

    No Bessel function takes part.
    """
    weights = [Fraction(0)] * (degree + 1)
    for n in range(TERMS):
        taylor = exp(Fraction(centre)) * Fraction(half) ** n / math.factorial(n)
        for k in range(n % 2, min(n, degree) + 1, 2):
            share = Fraction(math.comb(n, (n - k) // 2) * (2 if k else 1), 2**n)
            weights[k] += taylor * share
    return weights


def exact_powers(low: int, high: int, degree: int) -> list[Fraction]:
    """Coefficients of the powers of x, term by term."""
    centre, half = (low + high) // 2, (high - low) // 2
    t = [Fraction(-centre, half), Fraction(1, half)]
    polynomials = [[Fraction(1)], t]
    while len(polynomials) <= degree:
        here = [2 * c for c in times(t, polynomials[-1])]
        for i, c in enumerate(polynomials[-2]):
            here[i] -= c
        polynomials.append(here)
    powers = [Fraction(0)] * (degree + 1)
    for weight, polynomial in zip(
        chebyshev_weights(centre, half, degree), polynomials, strict=True
    ):
        for i, c in enumerate(polynomial):
            powers[i] += weight * c
    return powers


def value(powers: list[Fraction], x: Fraction) -> Fraction:
    total = Fraction(0)
    for coefficient in reversed(powers):
        total = total * x + coefficient
    return total


def tail(low: int, high: int, degree: int) -> float:
    """2 e^c sum_{k > degree} I_k(h), the bound of the error."""
    centre, half = (low + high) / 2, (high - low) / 2
    return float(2 * math.exp(centre) * iv(np.arange(degree + 1, degree + 60), half).sum())


def grid(low: int, high: int, steps: int = 240) -> list[Fraction]:
    return [low + Fraction((high - low) * i, steps) for i in range(steps + 1)]


@intervals
def test_each_coefficient_is_the_exact_one_rounded_once(low: int, high: int, degree: int) -> None:
    powers = powers_of_exp(low, high, degree)
    assert powers.dtype == np.float64
    assert powers.tolist() == [float(one) for one in exact_powers(low, high, degree)]


@intervals
def test_the_error_is_within_the_bound_and_reaches_half_of_it(
    low: int, high: int, degree: int
) -> None:
    powers = exact_powers(low, high, degree)
    largest = max(abs(value(powers, x) - exp(x)) for x in grid(low, high))
    bound = tail(low, high, degree)
    assert bound / 2 < largest < bound * (1 + 1e-12)


def test_even_powers_are_the_series_of_cosh() -> None:
    # sum of even T_k alone: 2 I_2k(4) for k > 11 are left out
    even = [c if n % 2 == 0 else Fraction(0) for n, c in enumerate(exact_powers(-4, 4, 22))]
    bound = float(2 * iv(np.arange(24, 80, 2), 4).sum())
    largest = max(abs(value(even, x) - (exp(x) + exp(-x)) / 2) for x in grid(-4, 4))
    assert 6.3e-17 < largest < bound * (1 + 1e-12) < 6.4e-17


@pytest.mark.parametrize("ends", [(-4, 5), (4, -4), (0, 0), (-12, 4), (0, 12)])
def test_other_intervals_are_refused(ends: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="ends must lie in"):
        powers_of_exp(*ends, 5)


@pytest.mark.parametrize("degree", [0, -1, 41])
def test_other_degrees_are_refused(degree: int) -> None:
    with pytest.raises(ValueError, match="degree must be from 1 to 40"):
        powers_of_exp(-4, 4, degree)
