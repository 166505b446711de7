"""Walk counts and the polynomial of them against whole numbers and exact fractions."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from pyveg.kernels import walks

Mask = NDArray[np.bool_]

STEPS_4 = [(0, 1), (1, 0), (0, -1), (-1, 0)]
STEPS_8 = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
ROUNDING = 2.0**-53  # of one operation, relative
# largest error that cutting the series may cause in exp and, relative, in a centrality
CUT = {False: (6.39e-17, 8.3e-17), True: (1.72e-16, 2.3e-16)}

diagonals = pytest.mark.parametrize("diagonal", [False, True])


def noise(height: int, width: int, cover: float, seed: int = 1) -> Mask:
    return np.random.default_rng(seed).random((height, width)) < cover


MASKS = {
    "full": np.ones((29, 31), bool),
    "noise": noise(27, 26, 0.8),
    "thin": noise(30, 30, 0.55, seed=2),
    "line": np.ones((1, 45), bool),
    "bar": np.ones((40, 2), bool),
    "pair": np.array([[True, True, False, True]]),
}
various = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())


def closed_walks(mask: Mask, pixel: tuple[int, int], steps: int, *, diagonal: bool) -> list[int]:
    """Closed walks of 0 .. steps steps from a pixel, step by step, in Python's whole numbers."""
    height, width = mask.shape
    inside = np.pad(mask, 1).astype(int).astype(object)
    counts = np.zeros_like(inside)
    start = pixel[0] + 1, pixel[1] + 1
    counts[start] = 1
    closed = [1]
    for _ in range(steps):
        after = np.zeros_like(counts)
        for dy, dx in STEPS_8 if diagonal else STEPS_4:
            after[1:-1, 1:-1] += counts[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        counts = after * inside
        closed.append(int(counts[start]))
    return closed


def some_pixels(mask: Mask, number: int = 8) -> list[tuple[int, int]]:
    """The middle pixel, the first one and others at random."""
    nodes = np.argwhere(mask)
    picked = np.random.default_rng(3).integers(0, len(nodes), number)
    return [(int(y), int(x)) for y, x in nodes[[len(nodes) // 2, 0, *picked]]]


def series(*, diagonal: bool) -> list[Fraction]:
    """The coefficients in use, as exact numbers."""
    found = walks._SERIES_8 if diagonal else walks._SERIES_4
    powers = [Fraction(float(one)) for one in found]
    return powers if diagonal else [c if n % 2 == 0 else Fraction(0) for n, c in enumerate(powers)]


def exp(x: Fraction) -> Fraction:
    return sum((x**n / math.factorial(n) for n in range(90)), Fraction(0))


def exactly(closed: list[int]) -> Fraction:
    """Subgraph centrality by the Taylor series, without rounding."""
    return sum((Fraction(c, math.factorial(n)) for n, c in enumerate(closed)), Fraction(0))


# the polynomial


def test_the_first_coefficient_is_one() -> None:
    assert series(diagonal=False)[0] == series(diagonal=True)[0] == 1


def test_only_two_small_coefficients_are_negative() -> None:
    assert all(c > 0 for c in series(diagonal=False)[::2])
    powers = series(diagonal=True)
    assert [n for n, c in enumerate(powers) if c < 0] == [25, 27]
    assert all(-powers[n] * 8**n < exp(Fraction(8)) / 10**6 for n in (25, 27))


@diagonals
def test_the_polynomial_is_exp_within_the_bound(diagonal: bool) -> None:
    powers = series(diagonal=diagonal)
    bound = 2 * CUT[diagonal][0]  # twice, as the first coefficient is set to 1
    for step in range(-160, 321 if diagonal else 161):
        x = Fraction(step, 40)
        terms = [c * x**n for n, c in enumerate(powers)]
        expected = exp(x) if diagonal else (exp(x) + exp(-x)) / 2
        rounding = ROUNDING * float(sum(map(abs, terms)))
        assert abs(float(sum(terms) - expected)) < bound + rounding


def test_cosh_is_met_to_the_last_bit() -> None:
    powers = series(diagonal=False)
    errors = []
    for step in range(-160, 161):
        x = Fraction(step, 40)
        cosh = (exp(x) + exp(-x)) / 2
        value = sum((c * x**n for n, c in enumerate(powers)), Fraction(0))
        errors.append(abs(float((value - cosh) / cosh)))
    assert max(errors) < 1.2e-16


@diagonals
@various
def test_centralities_of_exact_counts_are_within_the_bound(mask: Mask, diagonal: bool) -> None:
    powers = series(diagonal=diagonal)
    for pixel in some_pixels(mask):
        closed = closed_walks(mask, pixel, 60, diagonal=diagonal)
        expected = exactly(closed)
        terms = [a * c for a, c in zip(powers, closed, strict=False)]
        rounding = ROUNDING * float(sum(map(abs, terms)) / expected)
        assert abs(float(sum(terms) / expected - 1)) < CUT[diagonal][1] + rounding


# the counts


@various
def test_walk_counts_with_four_neighbours_are_exact(
    mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = some_pixels(mask)
    expected = {pixel: closed_walks(mask, pixel, 22, diagonal=False) for pixel in pixels}
    for steps in range(0, 23, 2):
        # a polynomial of one term leaves the counts of that number of steps
        monkeypatch.setattr(walks, "_SERIES_4", np.eye(23)[steps])
        counts = walks.diagonal_of_exp(mask, diagonal=False)
        assert [counts[pixel] for pixel in pixels] == [expected[p][steps] for p in pixels]


@various
def test_walk_counts_with_eight_neighbours(mask: Mask, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = some_pixels(mask)
    expected = {pixel: closed_walks(mask, pixel, 28, diagonal=True) for pixel in pixels}
    for steps in range(29):
        monkeypatch.setattr(walks, "_SERIES_8", np.eye(29)[steps])
        counts = walks.diagonal_of_exp(mask, diagonal=True)
        exact = np.array([expected[pixel][steps] for pixel in pixels], dtype=np.float64)
        found = np.array([counts[pixel] for pixel in pixels])
        np.testing.assert_allclose(found, exact, rtol=0 if steps < 16 else 1e-15, atol=0)


def test_counts_are_largest_in_the_middle_of_a_full_mask() -> None:
    # the limits that the module's exactness rests on
    closed = closed_walks(np.ones((25, 25), bool), (12, 12), 22, diagonal=False)
    assert closed[22] == math.comb(22, 11) ** 2 < 2**53
    assert math.comb(11, 5) ** 2 < 2**24


@diagonals
@various
def test_centralities_are_exact_to_the_last_bits(mask: Mask, diagonal: bool) -> None:
    centrality = walks.diagonal_of_exp(mask, diagonal=diagonal)
    for pixel in some_pixels(mask):
        expected = float(exactly(closed_walks(mask, pixel, 60, diagonal=diagonal)))
        assert centrality[pixel] == pytest.approx(expected, rel=1e-15, abs=0)


@diagonals
@pytest.mark.parametrize("shape", [(5, 5), (1, 31), (2, 32), (3, 33), (40, 1), (21, 64)])
def test_every_pixel_of_a_full_mask_of_any_size_is_counted(
    shape: tuple[int, int], diagonal: bool
) -> None:
    mask = np.ones(shape, bool)
    centrality = walks.diagonal_of_exp(mask, diagonal=diagonal)
    # a box is a product of lines: the walks of its corner are those of every other corner
    corners = [centrality[y, x] for y, x in itertools.product((0, -1), repeat=2)]
    expected = float(exactly(closed_walks(mask, (0, 0), 60, diagonal=diagonal)))
    np.testing.assert_allclose(corners, expected, rtol=1e-15, atol=0)
    assert (centrality > 1).all()
