"""What a table is: its columns with their types, declared once and kept wherever it is made."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from pyveg.core.texts import cell, uncell

Dtype = Literal["int64", "Int64", "float64", "bool", "boolean", "str", "datetime64[ns]"]
"""As pandas names them; "Int64" and "boolean" are those that can be missing."""
_VERSION = tuple(map(int, pd.__version__.split(".")[:2]))
_EXACT: Any = {"float_precision": "round_trip"} if _VERSION < (3, 1) else {}
"""Floats as they were written, to the last bit; later versions of pandas read them so anyway."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    name : str
    dtype : Dtype
        A float is NaN where it is missing, a date NaT, a text empty.
    meaning : str
        One phrase without a full stop.
    unit : str
        Empty for texts, marks and numbers without a unit.
    """

    name: str
    dtype: Dtype
    meaning: str
    unit: str = ""

    def cast(self, values: pd.Series) -> pd.Series:
        """Values with the dtype of this column.

        Raises
        ------
        ValueError, TypeError
            If they cannot have it.
        """
        if self.dtype == "str":
            known = values.astype(object).where(values.notna(), "") if values.hasnans else values
            return known.astype(str)
        if self.dtype == "datetime64[ns]":
            return pd.to_datetime(values).astype(self.dtype)
        if self.dtype == "int64":  # by way of a type that refuses to cut a number
            return values.astype("Int64").astype(self.dtype)
        return values.astype(self.dtype)


@dataclass(frozen=True)
class Table:
    """A table, as every analysis makes it.

    Parameters
    ----------
    row : str
        What one row is about.
    holds : str
        What is in it: one phrase without a full stop.
    columns : tuple of Column
        In their order.

    Examples
    --------
    >>> tree = Column("tree", "str", "its name")
    >>> height = Column("height", "float64", "above the ground", "m")
    >>> heights = Table("tree", "how high trees are", (tree, height))
    >>> heights.frame([{"tree": "acacia"}])
         tree  height
    0  acacia     NaN
    """

    row: str
    holds: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """Of the columns, in their order."""
        return [column.name for column in self.columns]

    def blank(self) -> dict[str, Any]:
        """A row with nothing known."""
        return dict.fromkeys(self.names, np.nan)

    def frame(self, rows: pd.DataFrame | Iterable[Mapping[Any, Any]] = ()) -> pd.DataFrame:
        """A table with exactly these columns and their dtypes.

        Parameters
        ----------
        rows : DataFrame or iterable of mapping
            What they do not have is missing, and what else they have is left out.
        """
        given = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
        whole = given.reindex(columns=self.names)
        cast = {column.name: column.cast(whole[column.name]) for column in self.columns}
        return pd.DataFrame(cast, index=whole.index)

    def joined(self, parts: Iterable[pd.DataFrame], **common: Any) -> pd.DataFrame:
        """Parts one below the other, with the same values in some columns."""
        known = [part for part in parts if len(part)]
        if not known:
            return self.frame()
        return self.frame(pd.concat(known, ignore_index=True).assign(**common))

    def extended(self, more: Iterable[Column], *, after: str = "") -> Table:
        """With some columns more, behind the named one or at the end."""
        place = self.names.index(after) + 1 if after else len(self.columns)
        columns = (*self.columns[:place], *more, *self.columns[place:])
        return replace(self, columns=columns)

    def read_csv(self, data: bytes) -> pd.DataFrame:
        """Read the bytes of a CSV file that holds such a table.

        Raises
        ------
        ValueError
            If it holds something else.
        """
        if not data.strip():  # an earlier version wrote nothing of a table without rows
            return self.frame()
        texts = {column.name: str for column in self.columns if column.dtype == "str"}
        table = pd.read_csv(
            io.BytesIO(data),
            keep_default_na=False,
            na_values=[""],
            dtype=texts,
            **_EXACT,
        )
        table.columns = table.columns.map(uncell)
        for name in texts.keys() & set(table.columns):
            table[name] = _each(table[name], uncell)
        return self.frame(table)


def to_csv(table: pd.DataFrame) -> bytes:
    r"""A table as CSV, in which no text is a formula to a spreadsheet.

    Names of metrics and collections may be anyone's. `Table.read_csv` gives them back.

    Examples
    --------
    >>> to_csv(pd.DataFrame({"metric": ["=1+1", "ndvi"], "tau": [-0.5, 1.0]}))
    b"metric,tau\n'=1+1,-0.5\nndvi,1.0\n"
    """
    safe = table.rename(columns=lambda name: cell(str(name)))
    texts = [name for name in safe.columns if pd.api.types.is_string_dtype(safe[name])]
    safe = safe.assign(**{name: _each(safe[name], cell) for name in texts})
    return safe.to_csv(index=False, lineterminator="\n").encode("utf-8", "backslashreplace")


def _each(values: pd.Series, change: Callable[[str], str]) -> pd.Series:
    """Texts of a column changed, each only once; what is missing stays so."""
    changed = {text: change(text) for text in values.unique() if isinstance(text, str)}
    if all(text == made for text, made in changed.items()):
        return values
    return values.map(lambda text: changed.get(text, text))
