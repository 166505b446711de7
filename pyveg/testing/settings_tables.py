"""The tables in the docs that tell what the code declares: settings, metrics, columns of tables.

``python -m pyveg.testing.settings_tables docs/*.md`` brings them up to date.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pyveg.analysis.data.columns import ANALYSIS, CALIBRATION, CAMPAIGN, ZOO_TABLES
from pyveg.analysis.data.table import Column, Table
from pyveg.analysis.settings import AnalysisSettings
from pyveg.core import params, registry
from pyveg.core.module import RETIRED, Settings
from pyveg.service.camera_trap.settings import CameraTrapSettings
from pyveg.service.config import ServiceConfig

MARK = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


def default_text(field: dataclasses.Field[Any]) -> str:
    """What a setting is where it is not given, as the docs say it."""
    if field.default is not dataclasses.MISSING:
        return f"`{params.plain(field.default)!r}`"
    if field.default_factory is not dataclasses.MISSING:
        return f"`{params.plain(field.default_factory())!r}`"
    return "must be given"


def _rows(cls: type, leave_out: set[str]) -> list[str]:
    """The class's own settings first, then those that it has in common with others."""
    bases = [base for base in cls.__mro__[1:] if dataclasses.is_dataclass(base)]
    common = {name for base in bases for name in params.names(base)}
    fields = {name: field for name, field in params.names(cls).items() if name not in leave_out}
    return [
        f"| `{name}` | {default_text(fields[name])} | {fields[name].metadata['doc']} |"
        for name in sorted(fields, key=common.__contains__)
    ]


def modules() -> str:
    """One table per Module."""
    common = set(params.names(Settings))
    parts = []
    for name in registry.known("module"):
        cls = registry.load("module", name)
        summary = cls.__doc__.strip().split("\n\n")[0].replace("\n    ", " ")
        rows = _rows(cls.Settings, common)
        head = ["| setting | default | meaning |", "|---|---|---|"] if rows else []
        parts.append("\n".join([f"### `{name}`", "", summary, "", *head, *rows]).strip() + "\n")
    return "\n".join(parts)


def source(name: str) -> str:
    """Settings of one Source."""
    return _table(registry.load("source", name).Settings)


def engine(name: str) -> str:
    """Settings of one engine."""
    return _table(registry.runner_class(name).Settings)


def _table(cls: type) -> str:
    rows = _rows(cls, set())
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows]) + "\n"


def retired() -> str:
    """Settings that mean nothing any more."""
    reasons = dict(RETIRED)
    for name in registry.known("module"):
        for setting, why in registry.load("module", name).retired.items():
            reasons[f"{setting}` of `{name}"] = why
    rows = [f"| `{name}` | {why} |" for name, why in sorted(reasons.items())]
    return "\n".join(["| setting | why |", "|---|---|", *rows]) + "\n"


def metrics() -> str:
    """What all Modules measure."""
    rows = [
        f"| `{metric.name}` | {metric.unit} | {metric.support} | {metric.meaning} "
        f"| {'yes' if metric.test == 'memory' else ''} | `{name}` |"
        for name in registry.known("module")
        for metric in getattr(registry.load("module", name), "metrics", ())
    ]
    head = [
        "| metric | unit | of a | meaning | tested | measured by |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def columns(tables: Mapping[str, Table]) -> str:
    """One table for all tables that have the same columns."""
    alike: dict[tuple[Column, ...], list[str]] = {}
    for name, table in tables.items():
        alike.setdefault(table.columns, []).append(name)
    parts = []
    for names in alike.values():
        table, called = tables[names[0]], [f"`{name}`" for name in names]
        rows = [
            f"| `{column.name}` | {column.unit} | {column.dtype} | {column.meaning} |"
            for column in table.columns
        ]
        head = ["| column | unit | dtype | meaning |", "|---|---|---|---|"]
        title = f"### {', '.join(called)}"
        about = f"A row per {table.row}: {table.holds}."
        parts.append("\n".join([title, "", about, "", *head, *rows]) + "\n")
    return "\n".join(parts)


def overview(tables: Mapping[str, Table]) -> str:
    """What tables there are."""
    rows = [f"| `{name}` | {table.row} | {table.holds} |" for name, table in tables.items()]
    return "\n".join(["| table | a row per | holds |", "|---|---|---|", *rows]) + "\n"


def updated(text: str) -> str:
    """Make the tables of a page anew."""
    makers: dict[str, Callable[[], str]] = {
        "modules": modules,
        "retired": retired,
        "analysis": partial(_table, AnalysisSettings),
        "metrics": metrics,
        "service": partial(_table, ServiceConfig),
        "camera_trap": partial(_table, CameraTrapSettings),
        "tables": partial(columns, ANALYSIS),
        "tables_of_an_analysis": partial(overview, ANALYSIS),
        "tables_of_many_places": partial(columns, CAMPAIGN),
        "tables_of_a_calibration": partial(columns, {**CALIBRATION, **ZOO_TABLES}),
    }
    makers |= {
        name: partial(source, name)
        for name in ("folder", "simulated", "earth_engine", "stac", "open_meteo")
    }
    makers |= {f"engine_{name}": partial(engine, name) for name in registry.known("runner")}
    return MARK.sub(lambda match: match[1] + makers[match[2]]() + match[3], text)


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        page.write_text(updated(page.read_text(encoding="utf-8")), encoding="utf-8")
