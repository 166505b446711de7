"""Results that are about to be analysed: their series, and the Store that has the images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pyveg.analysis.data.series import Series, make_series
from pyveg.core import registry
from pyveg.core.errors import ConfigError
from pyveg.core.ports import Store
from pyveg.runs.results import Results, load_summary


@dataclass(frozen=True)
class Opened:
    """The vegetation collections of some results, in order, and where they came from."""

    series: tuple[Series, ...]
    store: Store | None
    """Of the run; None for a summary by itself."""
    source: str
    """Path or URL."""

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
                f'there is no collection "{collection}" in these results; known: {self.collections}'
            )
        if len(self.series) > 1:
            raise ConfigError(
                f"these results hold {len(self.series)} collections: "
                f"{', '.join(self.collections)}; name one with collection"
            )
        return self.series[0] if self.series else _nothing()


def open_results(
    results: str | Path | Store | Results,
    *,
    swap_coordinates: bool = False,
    min_valid: float = 0.5,
) -> Opened:
    """Read results and put their series in order; see `pyveg.analyse` for parameters and errors."""
    store, found = _read(results)
    if swap_coordinates:
        swap = {"latitude": "longitude", "longitude": "latitude"}
        found = Results(found.chips.rename(columns=swap), found.weather, found.metadata)
    source = store.url if store else str(results) if isinstance(results, str | Path) else ""
    return Opened(tuple(make_series(found, min_valid=min_valid)), store, source)


def _read(results: str | Path | Store | Results) -> tuple[Store | None, Results]:
    if isinstance(results, Results):
        return None, results
    if isinstance(results, str | Path):
        if str(results).endswith(".json"):
            return None, load_summary(results)
        results = registry.store_at(str(results))
    return results, load_summary(results)


def _nothing() -> Series:
    empty = pd.DataFrame(columns=["step", "date", "chip"])
    return Series("", empty, None, ("there is no vegetation in these results",))
