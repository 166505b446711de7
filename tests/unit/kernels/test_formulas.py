from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.kernels.formulas import LONGEST, evaluate, names_in, scale_free, tree_of, with_values

NUMBERS = st.floats(0.01, 100).map(lambda x: round(x, 4))


def _formulas() -> st.SearchStrategy[str]:
    """Formulas of the names a and b, and of numbers."""
    leaf = st.one_of(st.sampled_from(["a", "b"]), NUMBERS.map(repr))

    def deeper(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        two = st.tuples(inner, st.sampled_from("+-*/"), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        )
        one = st.tuples(st.sampled_from(["abs", "tanh", "-"]), inner)
        return st.one_of(two, one.map(lambda t: f"{t[0]}({t[1]})"))

    return st.recursive(leaf, deeper, max_leaves=12)


@given(_formulas(), NUMBERS, NUMBERS)
def test_it_is_what_python_makes_of_it(formula: str, a: float, b: float) -> None:
    arrays = {"a": np.full((2, 3), a), "b": np.full((2, 3), b)}
    found = evaluate(formula, arrays)
    assert found.shape == (2, 3)
    try:
        expected = eval(formula, {"abs": abs, "tanh": math.tanh, "a": a, "b": b})
    except ZeroDivisionError:
        assert np.isnan(found).all()
        return
    assert found == pytest.approx(np.full((2, 3), expected), rel=1e-9, nan_ok=True)


@given(_formulas(), NUMBERS, NUMBERS)
def test_names_can_be_filled_in(formula: str, a: float, b: float) -> None:
    arrays = {"a": np.array([a]), "b": np.array([b])}
    filled = with_values(formula, {"b": b})
    assert "b" not in names_in(filled)
    assert evaluate(filled, arrays) == pytest.approx(evaluate(formula, arrays), nan_ok=True)


@pytest.mark.parametrize(
    "formula",
    [
        "",
        "N -",
        "N R",
        "N = R",
        "import os",
        "__import__('os').system('true')",
        "N.dtype",
        "N[0]",
        "lambda: 0",
        "[N for N in R]",
        "'text' * 3",
        "True + N",
        "N if R else N",
        "N < R",
        "N // R",
        "N @ R",
        "sqrt(N, R)",
        "max(N)",
        "open(N)",
        "sqrt(x=N)",
        "1j * N",
        "N; R",
        "(" * 500 + "N" + ")" * 500,
        "N + " * LONGEST + "N",
    ],
)
def test_nothing_else_of_python_is_a_formula(formula: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - many sentences
        tree_of(formula)


def test_powers_of_numbers_take_no_time() -> None:
    assert np.isnan(evaluate("9 ** 9 ** 9 ** 9 * a", {"a": np.ones(2)})).all()


def test_what_is_not_known_is_named() -> None:
    with pytest.raises(ValueError, match='nothing is known of "S1"'):
        evaluate("N - S1", {"N": np.ones(2)})


@pytest.mark.parametrize(
    ("formula", "free"),
    [
        ("(N - R) / (N + R)", True),
        ("N / G - 1.0", True),
        ("tanh(((N - R) / (N + R)) ** 2)", True),
        ("2.5 * (N - R) / (N + 2.4 * R + 1)", False),
        ("N - R", False),
        ("(N - R) / (N + R) * N", False),
    ],
)
def test_whether_the_unit_matters(formula: str, free: bool) -> None:
    assert scale_free(formula) is free
