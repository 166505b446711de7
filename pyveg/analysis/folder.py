"""An analysis on disk: tables, figures, a report; and read back.

::

    <collection>/analysis.json               verdict, power, settings, seed, versions, config
    <collection>/tables/<name>.csv|.parquet
    <collection>/tables/columns.csv          what their columns mean, with units
    <collection>/figures/<name>.png|.svg
    <collection>/pictures/<date>.jpg         small RGB pictures
    <collection>/report.html
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Container, Mapping, Sequence
from datetime import date
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

from pyveg.analysis.analyse import Analysis
from pyveg.analysis.data.axis import Axis, axis_of
from pyveg.analysis.data.columns import ANALYSIS, PARTS, series_table
from pyveg.analysis.data.labels import short_label
from pyveg.analysis.data.series import Series
from pyveg.analysis.data.table import Table, to_csv
from pyveg.analysis.settings import AnalysisSettings
from pyveg.analysis.spatial.over_time import Snapshots
from pyveg.analysis.statement import Statement
from pyveg.analysis.temporal.climate import Climate
from pyveg.analysis.temporal.indicators import Temporal
from pyveg.analysis.temporal.power import Power
from pyveg.analysis.verdict import Verdict
from pyveg.core.errors import DataError, NotARunError
from pyveg.core.ports import Store
from pyveg.core.texts import uncell
from pyveg.core.values import read_json
from pyveg.earth.lattice import Lattice
from pyveg.earth.metrics import Metric, installed, metrics_for
from pyveg.earth.periods import Cadence
from pyveg.runs import outputs
from pyveg.runs.run import folders_with

FOLDER = outputs.ANALYSES
COLUMNS = "columns.csv"
"""What the columns of all tables of a folder mean, with their units."""
RECORD = "analysis.json"
REPORT = outputs.REPORT
FORMAT = 1
_AGAIN = "make it again with pyveg_gee_analysis"


def folder_name(collection: str) -> str:
    """Folder of a collection's analysis: its name, without what a path could not hold."""
    return re.sub(r"[^\w.-]+", "-", collection).strip("-.") or "no-collection"


def table_files(name: str, table: pd.DataFrame) -> dict[str, bytes]:
    """A table as CSV, and as Parquet where pyarrow is installed (``pyveg[analysis]``)."""
    files = {f"{name}.csv": to_csv(table)}
    if find_spec("pyarrow") is not None:
        stream = io.BytesIO()
        table.to_parquet(stream, index=False)
        files[f"{name}.parquet"] = stream.getvalue()
    return files


def columns_file(tables: Mapping[str, Table]) -> bytes:
    """What the columns of some tables mean, with their units, as CSV: a row for each of them."""
    rows = [
        {"table": name, "column": one.name, "unit": one.unit, "dtype": one.dtype,
         "meaning": one.meaning}
        for name, table in tables.items()
        for one in table.columns
    ]  # fmt: skip
    return to_csv(pd.DataFrame(rows))


def write_analysis(analysis: Analysis, store: Store, prefix: str = FOLDER) -> str:
    """Write everything but figures and report; `analysis.json` comes last.

    Returns
    -------
    str
        Folder that it was written to, a key of the Store.
    """
    folder = "/".join(part for part in (prefix, folder_name(analysis.series.collection)) if part)
    for name, table in analysis.tables().items():
        for file, data in table_files(name, table).items():
            store.write(f"{folder}/tables/{file}", data)
    series = series_table(analysis.series.table.columns, analysis.series.declared)
    columns = columns_file({**ANALYSIS, "series": series})
    store.write(f"{folder}/tables/{COLUMNS}", columns)
    for day, picture in analysis.snapshots.pictures.items():
        store.write(f"{folder}/pictures/{day}.jpg", picture)
    store.write(f"{folder}/{RECORD}", _record(analysis))
    return folder


def analyses_in(store: Store, prefix: str = "") -> list[str]:
    """Folders of the analyses that a Store holds under a prefix, in order."""
    return folders_with(store, RECORD, prefix)


def read_analysis(store: Store, folder: str) -> Analysis:
    """Read what `write_analysis` wrote.

    Raises
    ------
    NotARunError
        If there is no analysis in that folder.
    DataError
        If it is damaged, or from another version of pyveg.
    """
    base = f"{folder}/" if folder else ""
    if store.size(f"{base}{RECORD}") is None:
        raise NotARunError(
            f"there is no {RECORD} in {store.url}/{folder}", "make it with pyveg_gee_analysis"
        )
    try:
        record = read_json(store.read(f"{base}{RECORD}"))
        if record.get("format") != FORMAT:
            raise DataError(
                f"{store.url}/{base}{RECORD} is of another version of pyveg "
                f"({record.get('versions', {}).get('pyveg')})",
                _AGAIN,
            )
        declared = metrics_of(record)
        tables = _read_tables(store, f"{base}tables/", record["tables"], declared)
        prefix = f"{base}pictures/"
        keys = sorted(store.list(prefix))
        pictures = {key.removeprefix(prefix).removesuffix(".jpg"): store.read(key) for key in keys}
        return _analysis(record, tables, pictures, declared)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{store.url}/{base}{RECORD} is damaged: {error}", _AGAIN) from error


def _record(analysis: Analysis) -> bytes:
    axis = analysis.series.axis
    record = {
        "format": FORMAT,
        **analysis.record(),
        "axis": None if axis is None else _axis_record(axis),
        "tables": list(analysis.tables()),
    }
    text = json.dumps(_plain(record), indent=1, ensure_ascii=False)
    return f"{text}\n".encode()


def _axis_record(axis: Axis) -> dict[str, Any]:
    anchor = str(axis.lattice.anchor)
    return {"step": axis.cadence.text, "days": axis.days, "anchor": anchor, "first": axis.first}


def _axis(record: Mapping[str, Any], dates: pd.DatetimeIndex) -> Axis:
    """An axis as it was; earlier versions wrote down the length of a step, not where it begins."""
    if "step" in record:
        lattice = Lattice(Cadence.parse(record["step"]), date.fromisoformat(record["anchor"]))
        return Axis(dates, lattice, record["first"])
    days = max(1, round(record["days"]))
    return axis_of(
        Cadence(record["months"], "m") if record["months"] else Cadence(days, "d"), dates
    )


def _plain(value: Any) -> Any:
    """Without NumPy's types; NaN becomes null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def metrics_of(record: Mapping[str, Any]) -> Mapping[str, Metric]:
    """Metrics as an analysis knew them; an earlier version did not write them down."""
    known = [Metric.from_json(one) for one in record.get("metrics", ())]
    return {metric.name: metric for metric in known} or installed()


def _read_tables(
    store: Store, base: str, written: Container[str], declared: Mapping[str, Metric]
) -> dict[str, pd.DataFrame]:
    """All tables of an analysis, those that were not written without rows."""
    tables = {}
    for name, table in ANALYSIS.items():
        data = store.read(f"{base}{name}.csv") if name in written else b""
        tables[name] = (_series_of(data, declared) if name == "series" else table).read_csv(data)
    return tables


def _series_of(data: bytes, declared: Mapping[str, Metric]) -> Table:
    """The table of the series, with the metrics that its file has."""
    header = data.decode().partition("\n")[0]
    return series_table(map(uncell, next(csv.reader([header]), [])), declared)


def _analysis(
    record: Mapping[str, Any],
    tables: Mapping[str, pd.DataFrame],
    pictures: Mapping[str, bytes],
    declared: Mapping[str, Metric],
) -> Analysis:
    settings = AnalysisSettings(**{
        **record["settings"], "indicators": tuple(record["settings"]["indicators"])
    })  # fmt: skip
    controlled = None
    if record["climate"]["drivers"]:
        controlled = Temporal(
            tables["climate_trends"], tables["climate_indicators"], PARTS.frame(), settings
        )
    climate = record["climate"]
    tested = tables["trends"]["metric"].drop_duplicates().tolist()
    return Analysis(
        source=record["source"],
        series=_series(record, tables["series"], declared),
        temporal=Temporal(
            tables["trends"], tables["indicators"], tables["parts"], settings,
            tables["memory"], tables["breaks"], tables["sides"], tables["process"],
        ),
        climate=Climate(
            tables["climate"], controlled, tuple(climate["drivers"]), climate["reason"]
        ),
        levels=tables["levels"],
        sensitivity=tables["sensitivity"],
        rain=tables["rain_response"],
        recovery=tables["drought_recovery"],
        power=tuple(_power(one) for one in record["power"]),
        snapshots=Snapshots(
            tables["spatial"], tables["spatial_trends"], tables["spatial_tests"],
            tables["spectra"], tables["patch_laws"], pictures, record["images"]["reason"],
        ),
        agreement=tables["agreement"],
        verdict=_verdict(record, tested, declared),
        changes=tables["changes"],
        beside=tables["beside"],
        statement=Statement.from_record(record.get("statement", ())),
        settings=settings,
        config=record["config"],
        versions=record["versions"],
    )  # fmt: skip


def _verdict(
    record: Mapping[str, Any], tested: Sequence[str], declared: Mapping[str, Metric]
) -> Verdict:
    """What was said; an earlier version wrote names of columns where labels stand now."""
    usual = [metric.name for metric in metrics_for(declared, tested)]
    old = {} if "metrics" in record else {name: short_label(declared, name) for name in usual}

    def told(text: str) -> str:
        for name, label in old.items():
            text = re.sub(rf"\b{name}\b", label, text)
        return text

    said = record["verdict"]
    because, conditions = (tuple(map(told, said[part])) for part in ("because", "conditions"))
    return Verdict(said["level"], told(said["headline"]), because, conditions)


def _series(
    record: Mapping[str, Any], table: pd.DataFrame, declared: Mapping[str, Metric]
) -> Series:
    axis = None
    if record["axis"] is not None:
        dates = pd.DatetimeIndex(table.groupby("step")["date"].first())
        axis = _axis(record["axis"], dates)
    notes = tuple(record["notes"])
    return Series(record["collection"], table, axis, notes, record["metadata"], declared)


def _power(one: Mapping[str, Any]) -> Power:
    known = {name: value for name, value in one.items() if name != "text"}
    for name in ("power", "low", "high", "critical_tau"):
        known[name] = float("nan") if known[name] is None else known[name]
    return Power(**known)
