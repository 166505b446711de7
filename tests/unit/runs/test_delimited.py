from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyveg.core.errors import DataError
from pyveg.runs.delimited import Cell, decimal_mark, number, read_table, table_of


@given(
    st.lists(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2), min_size=1, max_size=12),
    st.sampled_from(",;\t|"),
    st.sampled_from(".,"),
    st.booleans(),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_a_table_that_can_be_told_is_read_back_equal(  # noqa: PLR0917 - drawn by hypothesis
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[list[float]],
    separator: str,
    mark: str,
    extra: bool,
    encoding: str,
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(["place", "a", "b", *([""] * extra)])
    # Six decimals: such a number is never one with marks between thousands.
    written = [[f"{value:.6f}".replace(".", mark) for value in row] for row in rows]
    for number_, row in enumerate(written):
        writer.writerow([f"p{number_}", *row, *([""] * extra)])
    path = tmp_path_factory.mktemp("tables") / "a.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    table = read_table(path)
    assert table.columns == ("place", "a", "b")
    assert table.separator == separator
    cells = [*table.cells("a"), *table.cells("b")]
    assert decimal_mark(cells) == mark
    found = [number(cell, mark) for cell in cells]
    assert found == [round(row[i], 6) for i in (0, 1) for row in rows]


def _mark(*texts: str) -> str:
    return decimal_mark(
        [Cell(text, f'a.csv, line {i}, column "v"') for i, text in enumerate(texts)]
    )


@given(st.lists(st.tuples(st.integers(1, 999), st.integers(0, 999)), min_size=1, max_size=9),
       st.sampled_from(".,"))  # fmt: skip
def test_numbers_that_can_be_read_in_two_ways_are_refused(
    pairs: list[tuple[int, int]], mark: str
) -> None:
    texts = [f"{whole}{mark}{rest:03d}" for whole, rest in pairs]
    with pytest.raises(DataError, match="can be read in two ways"):
        _mark(*texts)
    # One number that tells is enough for all of them.
    assert _mark(*texts, f"0{mark}25") == mark
    assert _mark(*texts, f"1{mark}234{mark}567") == ("," if mark == "." else ".")


@pytest.mark.parametrize(
    ("text", "mark", "value"),
    [
        ("1,234.5", ".", 1234.5),
        ("1.234,5", ",", 1234.5),
        ("1 234,5", ",", 1234.5),
        ("1'234.5", ".", 1234.5),
        ("\u2212.5", ".", -0.5),
        ("+1e-3", ".", 0.001),
        ("5.", ".", 5.0),
        ("12", ".", 12.0),
    ],
)
def test_ways_to_write_a_number(text: str, mark: str, value: float) -> None:
    assert _mark(text) == mark
    assert number(Cell(text, "a"), mark) == value


@pytest.mark.parametrize(
    "text", ["0.08 deg", "1,2,3", "12.34.56", "1,23.4", "0x10", "1_000", "inf", "12%", "٣", "1e999"]
)
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(DataError, match=r"a\.csv, line 1, column .v.: .* is no number"):
        number(Cell(text, 'a.csv, line 1, column "v"'), _mark("0.5", text))


def test_marks_that_contradict_each_other() -> None:
    with pytest.raises(DataError, match=r"line 2, .*'0,5' has another decimal mark than '0\.25'"):
        _mark("0.25", "1", "0,5")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("# only a remark\n", "is empty"),
        ("date,value\n", "no rows"),
        ("value\n1\n2\n", "the heading has one cell"),
        ("date,value\n2016-01-31,0,5\n", "line 2 has 3 cells, and the heading 2"),
        ("2016-01-31,0.5\n2016-02-28,0.6\n", "0.5 is no heading"),
        ("date,value,Value\n2016-01-31,1,2\n", 'two columns "value"'),
        ('date,value\n2016-01-31,"0.5\n', "is no row"),
        ("a;b,c\n1;2,3\n", "separated by commas or semicolons"),
    ],
)
def test_tables_that_cannot_be_told(text: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        table_of(text, "a.csv")
    assert caught.value.wrong.startswith("a.csv")
    assert caught.value.cure


def test_what_spreadsheets_and_programs_add() -> None:
    table = table_of('sep=;\n"date";"rain (mm, total)";;\n2016-01-31;5;;\n;;;\n', "a.csv")
    assert table.columns == ("date", "rain (mm, total)")
    assert len(table.rows) == 1
    table = table_of("# made by hand\n\n,date,value\n0,2016-01-31,5\n", "a.csv")
    assert table.columns == ("column 1", "date", "value")
    assert table.cells("value")[0].where == 'a.csv, line 4, column "value"'
    table = table_of("date   value\n2016-01-31   0.5\n", "a.csv")
    assert table.cells("value")[0].text == "0.5"


@pytest.mark.parametrize(
    ("data", "words"),
    [("date;Größe\n1;2\n".encode("latin-1"), "not in UTF-8"), (b"a,b\n1,\0\n", "zero bytes")],
)
def test_files_that_are_no_text(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    with pytest.raises(DataError, match=words):
        read_table(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "missing.csv")
