"""The text of a formula -> its statements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_STATEMENTS = 100
"""Statements that a formula may have."""
MOST_LEVELS = 100
"""Of an expression, as it is evaluated level by level. A limit of the emulator alone."""

_TOKEN = re.compile(
    r"(?P<space>\s+|//[^\n]*)"
    r"|(?P<number>\d+(?:\.\d*)?|\.\d+)"
    r'|(?P<text>"[^"\n]*")'
    r"|(?P<name>\$?[A-Za-z_]\w*)"
    r"|(?P<sign>&&|\|\||[<>=!]=|[-+*/<>=!?:;,.()])"
)
_COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")


class FormulaSyntaxError(Exception):
    """What is wrong with the text of a formula."""


@dataclass(frozen=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True)
class Text:
    """A text in quotes."""

    value: str


@dataclass(frozen=True)
class Name:
    """A variable, or a word that the service knows."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function and its arguments."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Method:
    """What is asked of a variable."""

    target: Expression
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True)
class Unary:
    """``-`` or ``!`` of something."""

    operator: str
    operand: Expression


@dataclass(frozen=True)
class Binary:
    """Two operands."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Choice:
    """``condition ? yes : no``."""

    condition: Expression
    yes: Expression
    no: Expression


Expression = Number | Text | Name | Call | Method | Unary | Binary | Choice


@dataclass(frozen=True)
class Assignment:
    """A statement: a variable gets a value."""

    name: str
    value: Expression


def parts(expression: Expression) -> Iterator[Expression]:
    """An expression and all those that it is made of."""
    yield expression
    for part in vars(expression).values():
        for inner in part if isinstance(part, tuple) else (part,):
            if not isinstance(inner, (str, float)):
                yield from parts(inner)


def _depth(expression: Expression) -> int:
    """How many levels an expression has; a sum of many numbers has one for each."""
    inner = [
        one
        for part in vars(expression).values()
        for one in (part if isinstance(part, tuple) else (part,))
        if not isinstance(one, (str, float))
    ]
    return 1 + max(map(_depth, inner), default=0)


def parse(formula: str) -> tuple[Assignment, ...]:
    """The statements of a formula.

    Raises
    ------
    FormulaSyntaxError
        If it is none.

    Examples
    --------
    >>> parse("$TargetDedicatedNodes = 2;")
    (Assignment(name='$TargetDedicatedNodes', value=Number(value=2.0)),)
    """
    parser = _Parser(list(_tokens(formula)))
    try:
        statements = tuple(parser.statements())
        deepest = max((_depth(one.value) for one in statements), default=0)
    except RecursionError:
        deepest = MOST_LEVELS + 1
    if deepest > MOST_LEVELS:
        raise FormulaSyntaxError(f"an expression of it has more than {MOST_LEVELS} levels")
    if len(statements) > MOST_STATEMENTS:
        raise FormulaSyntaxError(f"it has more than {MOST_STATEMENTS} statements")
    return statements


def _tokens(formula: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each."""
    place = 0
    while place < len(formula):
        match = _TOKEN.match(formula, place)
        if match is None:
            raise FormulaSyntaxError(f"the character {formula[place]!r} is not understood")
        place = match.end()
        if match.lastgroup and match.lastgroup != "space":
            yield match.lastgroup, match[0]
    yield "end", "the end"


class _Parser:
    """Descends from statements to numbers; each method takes what it understands."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._place = 0

    def statements(self) -> Iterator[Assignment]:
        while self._kind != "end":
            yield self._statement()
            if not self._took(";") and self._kind != "end":
                raise self._unexpected("a semicolon")
        if self._place == 0:
            raise FormulaSyntaxError("it is empty")

    @property
    def _kind(self) -> str:
        return self._tokens[self._place][0]

    @property
    def _text(self) -> str:
        return self._tokens[self._place][1]

    def _take(self) -> str:
        text = self._text
        self._place += 1
        return text

    def _took(self, *signs: str) -> str:
        """The sign, if one of these is next."""
        return self._take() if self._kind == "sign" and self._text in signs else ""

    def _expect(self, sign: str) -> None:
        if not self._took(sign):
            raise self._unexpected(repr(sign))

    def _unexpected(self, wanted: str) -> FormulaSyntaxError:
        return FormulaSyntaxError(f"{wanted} is expected in the place of {self._text!r}")

    def _statement(self) -> Assignment:
        if self._kind != "name":
            raise self._unexpected("a variable")
        name = self._take()
        self._expect("=")
        return Assignment(name, self._choice())

    def _choice(self) -> Expression:
        condition = self._either()
        if not self._took("?"):
            return condition
        yes = self._choice()
        self._expect(":")
        return Choice(condition, yes, self._choice())

    def _either(self) -> Expression:
        found = self._both()
        while sign := self._took("||"):
            found = Binary(sign, found, self._both())
        return found

    def _both(self) -> Expression:
        found = self._comparison()
        while sign := self._took("&&"):
            found = Binary(sign, found, self._comparison())
        return found

    def _comparison(self) -> Expression:
        found = self._sum()
        while sign := self._took(*_COMPARISONS):
            found = Binary(sign, found, self._sum())
        return found

    def _sum(self) -> Expression:
        found = self._product()
        while sign := self._took("+", "-"):
            found = Binary(sign, found, self._product())
        return found

    def _product(self) -> Expression:
        found = self._unary()
        while sign := self._took("*", "/"):
            found = Binary(sign, found, self._unary())
        return found

    def _unary(self) -> Expression:
        if sign := self._took("-", "!"):
            return Unary(sign, self._unary())
        found = self._primary()
        while self._took("."):
            if self._kind != "name":
                raise self._unexpected("a method")
            found = Method(found, self._take(), self._arguments())
        return found

    def _primary(self) -> Expression:
        if self._took("("):
            inner = self._choice()
            self._expect(")")
            return inner
        kind = self._kind
        if kind == "number":
            return Number(float(self._take()))
        if kind == "text":
            return Text(self._take()[1:-1])
        if kind != "name":
            raise self._unexpected("a value")
        name = self._take()
        return Call(name, self._arguments()) if self._text == "(" else Name(name)

    def _arguments(self) -> tuple[Expression, ...]:
        self._expect("(")
        found: list[Expression] = []
        while not self._took(")"):
            if found:
                self._expect(",")
            found.append(self._choice())
        return tuple(found)
