"""What an analysis begins with: the series of some results, and the run that has the images.

Series that are no run's, from a table of dates and values, come in here too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from pyveg.analysis.data.columns import SERIES
from pyveg.analysis.data.series import Series, make_series
from pyveg.core import registry
from pyveg.core.errors import ConfigError
from pyveg.core.ports import Store
from pyveg.runs.load import load_summary
from pyveg.runs.results import Results
from pyveg.runs.run import Run, is_run, open_run
from pyveg.runs.series_file import GivenSeries, is_series_file, read_series_file, series_of_frame

Given: TypeAlias = "str | Path | Store | Run | Results | pd.DataFrame | pd.Series[Any]"
"""What an analysis may be given."""


@dataclass(frozen=True)
class AnalysisInput:
    """The vegetation collections of some results, in order, and where they came from."""

    series: tuple[Series, ...]
    run: Run | None
    """None for a summary by itself."""
    source: str
    """Path or URL."""
    one_place: bool = True
    """Whether the series are of one place; those of a table may be of several."""

    def of_place(self) -> tuple[Series, ...]:
        """The series that lie beside each other; none where each is of another place."""
        return self.series if self.one_place else ()

    @property
    def collections(self) -> list[str]:
        """Names of the vegetation collections."""
        return [one.collection for one in self.series]

    def choose(self, collection: str | None = None) -> Series:
        """The series of a collection; it need not be named where there is one.

        Raises
        ------
        ConfigError
            If there are several collections and none was named, or it is not there.
        """
        if collection is not None:
            for one in self.series:
                if one.collection == collection:
                    return one
            raise ConfigError(
                f'there is no collection "{collection}" in these results',
                f"known: {self.collections}",
            )
        if len(self.series) > 1:
            raise ConfigError(
                f"these results hold {len(self.series)} collections: {', '.join(self.collections)}",
                "name one with collection",
            )
        return self.series[0] if self.series else _nothing()


def read_input(
    results: Given,
    *,
    swap_coordinates: bool = False,
    min_valid: float = 0.5,
) -> AnalysisInput:
    """Read results and put their series in order; see `pyveg.analyse` for parameters and errors."""
    if isinstance(results, pd.DataFrame | pd.Series):
        return _of_tables(series_of_frame(results), "")
    if isinstance(results, str | Path) and is_series_file(results):
        return _of_tables(read_series_file(results), str(results))
    run, source, tables = _read(results)
    if swap_coordinates:
        swap = {"latitude": "longitude", "longitude": "latitude"}
        tables = replace(tables, chips=tables.chips.rename(columns=swap))
    series = make_series(tables, min_valid=min_valid)
    return AnalysisInput(tuple(_with_doubts(one, run) for one in series), run, source)


def _with_doubts(series: Series, run: Run | None) -> Series:
    """With what the run found doubtful about its images."""
    if run is None or series.collection not in run.collections:
        return series
    doubts = run.doubts(series.collection)
    if not doubts:
        return series
    day, (first, *_) = next(iter(doubts.items()))
    dates = "date is" if len(doubts) == 1 else "dates are"
    told = f"{len(doubts)} {dates} doubtful, such as {day}: {first}"
    return replace(series, notes=(*series.notes, told))


def _of_tables(given: list[GivenSeries], source: str) -> AnalysisInput:
    """Series of places that are no run's; what was told of their table stands first in notes."""
    series = [
        replace(one, notes=(*each.notes, *one.notes))
        for each in given
        for one in make_series(each.results)
    ]
    return AnalysisInput(tuple(series), None, source, one_place=False)


def _read(results: str | Path | Store | Run | Results) -> tuple[Run | None, str, Results]:
    """The run, where there is one, where the results are, and their tables."""
    if isinstance(results, Results):
        return None, "", results
    if isinstance(results, Run):
        return results, results.url, results.results()
    if isinstance(results, str | Path):
        if str(results).endswith(".json"):
            return None, str(results), load_summary(results)
        results = registry.store_at(str(results))
    tables = load_summary(results)
    return (open_run(results) if is_run(results) else None), results.url, tables


def _nothing() -> Series:
    return Series("", SERIES.frame(), None, ("there is no vegetation in these results",))
