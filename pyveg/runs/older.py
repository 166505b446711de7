"""Runs that earlier versions of pyveg 2 left, read as if this one had made them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyveg.core.pipeline import FORMAT
from pyveg.core.types import Scope

SCOPE_WITH_FIELDS = 1
"""Format in which a Scope had a place, a collection and a date range as fields."""


def readable(pipeline: Mapping[str, Any]) -> Mapping[str, Any]:
    """The Pipeline of a run in today's form; one of an unknown format as it is.

    Parameters
    ----------
    pipeline : mapping
        As `run.json` has it.
    """
    if pipeline["format"] != SCOPE_WITH_FIELDS:
        return pipeline
    sequences = [
        {**sequence, "scope": vars(_scope(sequence["scope"]))} for sequence in pipeline["sequences"]
    ]
    return {**pipeline, "format": FORMAT, "sequences": sequences}


def _scope(old: Mapping[str, Any]) -> Scope:
    name, place = old["sequence"], old["place"]
    if not place:
        return Scope(name)
    collection = {"collection": old["collection"]} if old["collection"] else {}
    label = f"{place['longitude']}_{place['latitude']}"
    return Scope(
        sequence=name,
        folder=f"gee_{label}_{name.replace('/', '-')}",
        subject={"place": place, **collection},
        extent=old["date_range"] or {},
    )
