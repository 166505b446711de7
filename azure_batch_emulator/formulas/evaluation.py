"""What a formula says, given what was measured."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from azure_batch_emulator.formulas import functions
from azure_batch_emulator.formulas.samples import Interval, Variable
from azure_batch_emulator.formulas.syntax import (
    Assignment,
    Binary,
    Call,
    Choice,
    Expression,
    Method,
    Name,
    Number,
    Text,
    Unary,
    parts,
)

Vector = tuple[float, ...]
Value = float | Vector | str | Interval | Variable

DEDICATED, LOW_PRIORITY = "$TargetDedicatedNodes", "$TargetLowPriorityNodes"
DEALLOCATION = "$NodeDeallocationOption"
ALIASES = {"$TargetDedicated": DEDICATED, "$TargetLowPriority": LOW_PRIORITY}
OPTIONS = ("requeue", "terminate", "taskcompletion", "retaineddata")
"""What may become of the tasks of nodes that go."""
INTERVALS = {
    "TimeInterval_Zero": 0.0,
    "TimeInterval_100ns": 1e-7,
    "TimeInterval_Microsecond": 1e-6,
    "TimeInterval_Millisecond": 1e-3,
    "TimeInterval_Second": 1.0,
    "TimeInterval_Minute": 60.0,
    "TimeInterval_Hour": 3600.0,
    "TimeInterval_Day": 86_400.0,
    "TimeInterval_Week": 604_800.0,
    "TimeInterval_Year": 31_536_000.0,
}
NOT_MEASURED = frozenset(
    f"${name}"
    for name in (
        "CPUPercent", "WallClockSeconds", "MemoryBytes", "DiskBytes", "DiskReadBytes",
        "DiskWriteBytes", "DiskReadOps", "DiskWriteOps", "NetworkInBytes", "NetworkOutBytes",
    )
)  # fmt: skip
"""Variables of the service that need a real machine."""


class FormulaError(Exception):
    """Why a formula has no result."""


def not_evaluated(statements: Iterable[Assignment]) -> str:
    """What of a formula the service knows and the emulator does not; empty for nothing."""
    for statement in statements:
        for part in parts(statement.value):
            match part:
                case Name(name) if name in NOT_MEASURED or name == "retaineddata":
                    return f"the word {name}"
                case Call(name) if name in functions.NOT_EVALUATED:
                    return f"the function {name}"
                case Method(_, name) if name in {"GetSamplePeriod", "HistoryBeginTime"}:
                    return f"the method {name}"
                case _:
                    pass
    return ""


def evaluate(
    statements: Iterable[Assignment],
    measured: Mapping[str, Variable],
    variables: Mapping[str, Value],
) -> dict[str, Value]:
    """All variables that a formula has set, and those that were set before it.

    Parameters
    ----------
    statements : iterable of Assignment
    measured : mapping
        The variables that the service measures, by their names with ``$``.
    variables : mapping
        What the targets are before.

    Raises
    ------
    FormulaError
        If a name is unknown, or values do not go together.
    """
    found = dict(variables)
    for statement in statements:
        name = ALIASES.get(statement.name, statement.name)
        if name in measured or name in NOT_MEASURED:
            raise FormulaError(f"{name} cannot be set")
        value = _Evaluator(measured, found).value(statement.value)
        found[name] = _plain(value) if isinstance(value, Variable) else value
    return found


def _fail(text: str) -> NoReturn:
    raise FormulaError(text)


def _plain(value: Value) -> Value:
    """A variable that is asked for nothing stands for its newest sample."""
    if not isinstance(value, Variable):
        return value
    return _fail("there is no sample yet") if value.newest is None else value.newest


class _Evaluator:
    """The value of each kind of expression."""

    def __init__(self, measured: Mapping[str, Variable], variables: Mapping[str, Value]) -> None:
        self._measured, self._variables = measured, variables

    def value(self, node: Expression) -> Value:
        found: Value
        match node:
            case Number(found) | Text(found):
                pass
            case Name(name):
                found = self._named(name)
            case Unary(sign, operand):
                found = _unary(sign, _plain(self.value(operand)))
            case Binary(sign, left, right):
                found = _binary(sign, _plain(self.value(left)), _plain(self.value(right)))
            case Choice(condition, yes, no):
                found = self.value(yes if _number(self.value(condition)) else no)
            case Call(name, arguments):
                found = _call(name, self._values(arguments))
            case Method(target, name, arguments):
                asked = self.value(target)
                if not isinstance(asked, Variable):
                    _fail(f"{name} is asked of something that is not measured")
                found = _method(asked, name, self._values(arguments))
        return found

    def _values(self, nodes: Iterable[Expression]) -> list[Value]:
        return [_plain(self.value(node)) for node in nodes]

    def _named(self, name: str) -> Value:
        name = ALIASES.get(name, name)
        if name in self._variables:
            return self._variables[name]
        if name in self._measured:
            return self._measured[name]
        if name in INTERVALS:
            return Interval(INTERVALS[name])
        if name in OPTIONS:
            return name
        return _fail(f"the variable {name} is not known")


def _number(value: Value) -> float:
    value = _plain(value)
    return value if isinstance(value, float) else _fail("a number is expected")


def _interval(value: Value) -> Interval:
    return value if isinstance(value, Interval) else _fail("a time interval is expected")


_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_COMPARISON: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}


def _unary(sign: str, value: Value) -> Value:
    if isinstance(value, Interval) and sign == "-":
        return Interval(-value.seconds)
    number = _number(value)
    return -number if sign == "-" else float(not number)


def _binary(sign: str, left: Value, right: Value) -> Value:
    if sign in {"&&", "||"}:
        truths = bool(_number(left)), bool(_number(right))
        return float(all(truths) if sign == "&&" else any(truths))
    if sign in _COMPARISON:
        return float(_COMPARISON[sign](*_alike(left, right)))
    act = _ARITHMETIC[sign]
    try:
        if isinstance(left, Interval) or isinstance(right, Interval):
            return _of_intervals(sign, left, right)
        if isinstance(left, tuple):
            return _of_vectors(act, left, right)
        return act(_number(left), _number(right))
    except ZeroDivisionError:
        return _fail("division by zero")


def _alike(left: Value, right: Value) -> tuple[object, object]:
    """Two values that can be compared."""
    if isinstance(left, Interval) and isinstance(right, Interval):
        return left.seconds, right.seconds
    if isinstance(left, str) and isinstance(right, str):
        return left, right
    return _number(left), _number(right)


def _of_intervals(sign: str, left: Value, right: Value) -> Interval:
    if sign in {"+", "-"}:
        return Interval(_ARITHMETIC[sign](_interval(left).seconds, _interval(right).seconds))
    if sign == "*" and isinstance(right, Interval):
        return Interval(_number(left) * right.seconds)
    return Interval(_ARITHMETIC[sign](_interval(left).seconds, _number(right)))


def _of_vectors(act: Callable[[float, float], float], left: Vector, right: Value) -> Vector:
    others = right if isinstance(right, tuple) else (_number(right),) * len(left)
    if len(left) != len(others):
        _fail("two vectors differ in length")
    return tuple(map(act, left, others))


def _call(name: str, arguments: Sequence[Value]) -> Value:
    if name == "val":
        if len(arguments) != 2 or not isinstance(arguments[0], tuple):
            _fail("val takes a vector and a place in it")
        vector, place = arguments[0], int(_number(arguments[1]))
        return vector[place] if 0 <= place < len(vector) else _fail(f"val: no element {place}")
    if name not in functions.OF_VECTORS:
        _fail(f"the function {name} is not known")
    vector = tuple(number for one in arguments for number in _numbers(one))
    try:
        return functions.OF_VECTORS[name](vector)
    except (ValueError, statistics.StatisticsError):
        return _fail(f"{name} has no value for {list(vector)}")


def _numbers(value: Value) -> Vector:
    return value if isinstance(value, tuple) else (_number(value),)


def _method(variable: Variable, name: str, arguments: Sequence[Value]) -> Value:
    if name == "Count" and not arguments:
        return float(len(variable.samples))
    if name == "GetSample" and len(arguments) == 1 and isinstance(arguments[0], float):
        return variable.last(arguments[0])
    if name == "GetSample" and arguments:
        return _sampled(variable, arguments)
    if name == "GetSamplePercent" and arguments:
        start, end, rest = _frame(arguments)
        return _fail(f"{name} has too many arguments") if rest else variable.percent(start, end)
    return _fail(f"the method {name} is not known, or not with these arguments")


def _frame(arguments: Sequence[Value]) -> tuple[Interval, Interval, Sequence[Value]]:
    """The time frame that arguments begin with, and those behind it."""
    start, rest = _interval(arguments[0]), arguments[1:]
    if rest and isinstance(rest[0], Interval):
        return start, rest[0], rest[1:]
    return start, Interval(0.0), rest


def _sampled(variable: Variable, arguments: Sequence[Value]) -> Vector:
    start, end, rest = _frame(arguments)
    if len(rest) > 1:
        _fail("GetSample has too many arguments")
    found = variable.percent(start, end)
    if rest and found < _number(rest[0]):
        _fail(f"of the samples {_number(rest[0]):g}% are wanted and {found:g}% are there")
    return variable.between(start, end)
