"""Formulas that people write, such as ``2.5 * (N - R) / (N + 2.4 * R + 1)``, on arrays.

A formula is data, and often somebody else's: it is read as a tree of a few operations, and nothing
else that Python can do is in reach of it.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "max": np.maximum,
    "min": np.minimum,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
}
"""What a formula may call; min and max take two numbers."""
_TWO = frozenset({"max", "min"})
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
LONGEST = 1000
"""Characters of a formula."""


def tree_of(formula: str) -> ast.expr:
    """Read and check a formula.

    Raises
    ------
    ValueError
        If it is none, or does more than a formula may.
    """
    if len(formula) > LONGEST:
        raise ValueError(f"it has more than {LONGEST} characters")
    try:
        tree = ast.parse(formula.strip(), mode="eval").body
        _check(tree)
    except SyntaxError as error:
        raise ValueError(f"{error.msg} at character {error.offset}") from None
    except (RecursionError, MemoryError):
        raise ValueError("it is nested too deeply") from None
    return tree


def _check(node: ast.expr) -> None:
    """Refuse whatever is no number, name, operation or known function."""
    if isinstance(node, ast.Name):
        return
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        _check(node.left)
        _check(node.right)
    elif isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        _check(node.operand)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        _check_call(node.func.id, node.args)
    else:
        raise ValueError(f'"{ast.unparse(node)}" is no number, name, + - * / ** or function')


def _check_call(name: str, arguments: list[ast.expr]) -> None:
    if name not in FUNCTIONS:
        raise ValueError(f'there is no function "{name}", only {", ".join(FUNCTIONS)}')
    wanted = 2 if name in _TWO else 1
    if len(arguments) != wanted:
        raise ValueError(f"{name} takes {wanted} number{'s' * (wanted > 1)}")
    for argument in arguments:
        _check(argument)


def names_in(formula: str) -> tuple[str, ...]:
    """Names that a formula is made of, in their order.

    Examples
    --------
    >>> names_in("(N - R) / (N + R)")
    ('N', 'R')
    """
    tree = tree_of(formula)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called]
    found.sort(key=lambda node: node.col_offset)
    return tuple(dict.fromkeys(node.id for node in found))


def with_values(formula: str, known: Mapping[str, float | str]) -> str:
    """A formula with numbers, or formulas, in the place of some names.

    Examples
    --------
    >>> with_values("g * (N - R) / (N + L)", {"g": 2.5, "L": 1.0})
    '2.5 * (N - R) / (N + 1.0)'
    """

    class Replace(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            node.args = [self.visit(argument) for argument in node.args]
            return node

        def visit_Name(self, node: ast.Name) -> ast.AST:
            value = known.get(node.id)
            if value is None:
                return node
            return tree_of(value) if isinstance(value, str) else tree_of(repr(float(value)))

    return ast.unparse(Replace().visit(tree_of(formula)))


def evaluate(formula: str, values: Mapping[str, NDArray[Any]]) -> Values:
    """The values of a formula, pixel by pixel, in float64.

    Parameters
    ----------
    formula : str
    values : mapping of str to ndarray of numbers
        Name -> array; all of one shape.

    Returns
    -------
    ndarray of float64
        NaN where it has no finite value, such as after a division by zero.

    Raises
    ------
    ValueError
        If it is no formula, or has a name that `values` has not.

    Examples
    --------
    >>> evaluate("(N - R) / (N + R)", {"N": np.array([3, 0]), "R": np.array([1, 0])})
    array([0.5, nan])
    """
    arrays = {name: np.asarray(array, np.float64) for name, array in values.items()}
    tree = tree_of(formula)
    with np.errstate(all="ignore"):
        found = _value(tree, arrays)
    shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    whole = np.broadcast_to(np.asarray(found, np.float64), shape)
    return np.where(np.isfinite(whole), whole, np.nan)


def _value(node: ast.expr, arrays: Mapping[str, Values]) -> Any:
    if isinstance(node, ast.Constant):
        return np.float64(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.Name):
        if node.id not in arrays:
            raise ValueError(f'nothing is known of "{node.id}"')
        return arrays[node.id]
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, arrays), _value(node.right, arrays)
        return _BINARY[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp):
        return _UNARY[type(node.op)](_value(node.operand, arrays))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return FUNCTIONS[node.func.id](*(_value(one, arrays) for one in node.args))
    raise ValueError(f'"{ast.unparse(node)}" is no part of a formula')


def scale_free(formula: str) -> bool:
    """Whether it gives the same in every unit of its names, as NDVI does.

    Examples
    --------
    >>> scale_free("(N - R) / (N + R)"), scale_free("(N - R) / (N + R + 0.5)")
    (True, False)
    """
    dice = np.random.default_rng(0)
    values = {name: dice.uniform(0.05, 0.6, 64) for name in names_in(formula)}
    if not values:
        return True
    once = evaluate(formula, values)
    again = evaluate(formula, {name: 1e4 * array for name, array in values.items()})
    return bool(np.allclose(once, again, rtol=1e-9, atol=1e-12, equal_nan=True))
