from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pytest

from pyveg.analysis.data.table import Column, Dtype, Table, to_csv

TREES = Table(
    "tree",
    "what is known of trees",
    (
        Column("tree", "str", "its name"),
        Column("height", "float64", "above the ground", "m"),
        Column("rings", "int64", "of its trunk"),
        Column("branches", "Int64", "that were counted"),
        Column("alive", "bool", "whether it has leaves"),
        Column("native", "boolean", "whether it grows wild here"),
        Column("seen", "datetime64[ns]", "when"),
    ),
)
ROWS = [
    {"tree": "acacia", "height": 0.1 + 0.2, "rings": 7, "branches": 3, "alive": True,
     "native": True, "seen": pd.Timestamp("2020-02-29")},
    {"tree": None, "rings": 2**60, "branches": np.nan, "alive": False, "native": None,
     "height": 1e-300, "seen": "2021-01-01", "colour": "green"},
    {"tree": "NA", "height": np.nan, "rings": 0, "alive": False},
]  # fmt: skip


def test_a_table_has_its_columns_and_dtypes_whatever_is_given() -> None:
    table = TREES.frame(ROWS)
    assert list(table.columns) == TREES.names
    assert [str(table[name].dtype) for name in TREES.names[1:]] == [
        column.dtype for column in TREES.columns[1:]
    ]
    assert table["tree"].tolist() == ["acacia", "", "NA"]
    assert table["rings"].tolist() == [7, 2**60, 0]
    assert table["native"].isna().tolist() == [False, True, True]
    assert table["seen"].isna().tolist() == [False, False, True]


def test_without_rows_it_has_them_too() -> None:
    for empty in (TREES.frame(), TREES.joined([]), TREES.joined([TREES.frame()])):
        pd.testing.assert_frame_equal(empty, TREES.frame(ROWS).iloc[:0])


def test_what_was_written_is_read_to_the_last_bit() -> None:
    table = TREES.frame(ROWS)
    data = table.to_csv(index=False).encode()
    pd.testing.assert_frame_equal(TREES.read_csv(data), table, check_exact=True)
    pd.testing.assert_frame_equal(TREES.read_csv(b"\n"), TREES.frame())


def test_any_double_survives_a_csv_file() -> None:
    bits = np.random.default_rng(0).integers(0, 2**63, 20_000, dtype=np.int64)
    numbers = bits.view(np.float64)
    one = Table("number", "numbers", (Column("value", "float64", "any"),))
    table = one.frame(pd.DataFrame({"value": numbers[np.isfinite(numbers)]}))
    found = one.read_csv(table.to_csv(index=False).encode())
    pd.testing.assert_frame_equal(found, table, check_exact=True)


@pytest.mark.parametrize(
    ("dtype", "value"), [("int64", np.nan), ("int64", 1.5), ("float64", "x"), ("Int64", 1.5)]
)
def test_what_cannot_be_is_refused(dtype: Dtype, value: object) -> None:
    one = Table("value", "values", (Column("value", dtype, "any"),))
    with pytest.raises((ValueError, TypeError)):
        one.frame([{"value": value}])


def test_parts_get_what_they_have_in_common() -> None:
    parts = [pd.DataFrame(ROWS[:1]), pd.DataFrame(), pd.DataFrame(ROWS[2:])]
    table = TREES.joined(parts, tree="oak")
    assert table["tree"].tolist() == ["oak", "oak"]
    assert table.index.tolist() == [0, 1]


def test_more_columns_go_where_they_are_wanted() -> None:
    crown = Column("crown", "float64", "its width", "m")
    assert TREES.extended([crown], after="height").names[:3] == ["tree", "height", "crown"]
    assert TREES.extended([crown]).names[-1] == "crown"
    assert "crown" not in TREES.names


FORMULAS = ["=1+1", "+x", "-x", "@a", "\uff1d1", "'=a", "''@a", "'plain", "", "-3.5", "a=1"]


def test_no_text_is_a_formula_to_a_spreadsheet_and_all_are_read_back() -> None:
    columns = (Column("metric", "str", "any"), Column("=v", "float64", "any"))
    table = Table("row", "rows", columns)
    rows = table.frame([{"metric": text, "=v": -1.5} for text in FORMULAS])
    data = to_csv(rows)
    cells = [cell for row in csv.reader(io.StringIO(data.decode())) for cell in row]
    begin = [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\uff1d"))]
    assert set(begin) == {"-1.5", "-3.5"}
    pd.testing.assert_frame_equal(table.read_csv(data), rows)
