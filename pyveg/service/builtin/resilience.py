"""The process ``resilience``: the main job, for a place and a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pyveg.configs import demo
from pyveg.configs.collections import data_collections
from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.params import setting
from pyveg.service.config import ServiceConfig
from pyveg.service.processes import Process, Settings

ID = "resilience"
_OF_TYPE = {"vegetation": "SimulatedSentinel2", "weather": "SimulatedWeather"}
"""Type of data -> a collection of the demo that has the usual Modules for it."""


def process(config: ServiceConfig) -> Process | None:
    """The process, with the collections that the operator allows; None where there are none."""
    if not config.collections:
        return None
    records = {**data_collections, **config.data_collections}
    for name in config.collections:
        if name not in records:
            raise UnknownNameError("collection", name, records, "collections")
    run_mode = config.of(ID).run_mode
    return Process(
        id=ID,
        title="Early-warning signals of vegetation at a place",
        description=(
            "Fetches imagery and weather of a square region, measures the vegetation of each "
            "date, joins the results, and analyses them where that is asked for."
        ),
        inputs=_inputs(config.collections),
        make=lambda given: _settings(given, records, run_mode),
        check=_check,
        version="1",
        filename=Path(demo.__file__).name,
    )


def _inputs(collections: tuple[str, ...]) -> type:
    """The typed inputs; which collections there are to choose from is the operator's word."""
    # Literal takes its values when the program runs, as they come from the config.
    names = tuple[Literal[collections], ...]  # type: ignore[valid-type]
    made = [
        (
            "longitude",
            float,
            setting(doc="of the middle of the region, degrees east", low=-180, high=180),
        ),
        (
            "latitude",
            float,
            setting(doc="of the middle of the region, degrees north", low=-90, high=90),
        ),
        (
            "region_size",
            float,
            setting(demo.region_size, doc="side of the square region, degrees", low=1e-6, high=20),
        ),
        ("start_date", date, setting(doc="first day")),
        ("end_date", date, setting(doc="the day after the last")),
        ("collections", names, setting(collections, doc="data collections to use")),
        (
            "analysis",
            bool,
            setting(demo.analysis, doc="whether the results are analysed, with a report"),
        ),
    ]
    return dataclasses.make_dataclass("ResilienceInputs", made, frozen=True, kw_only=True)


def _check(given: Any) -> None:
    if not given.collections:
        raise ConfigError("inputs: collections is empty", "name at least one")
    if not given.start_date < given.end_date:
        raise ConfigError(
            f"inputs: end_date = {given.end_date} is not after start_date = {given.start_date}",
            "give the first day, and the day after the last",
        )


def _settings(
    given: Any, records: Mapping[str, Mapping[str, Any]], run_mode: str | None
) -> Settings:
    """The settings of a config for these inputs."""
    used = {name: records[name] for name in given.collections}
    special: dict[str, dict[str, Any]] = {}
    for name, record in used.items():
        # The simulated place is the one of the demo, with what happens there.
        special[name] = dict(demo.special_config.get(name, {}))
        if run_mode is not None:
            special[name]["run_mode"] = run_mode
        if record.get("data_type") not in _OF_TYPE:
            raise ConfigError(
                f"the collection {name} has no data_type that resilience knows",
                f"write one of {', '.join(_OF_TYPE)} into its record",
            )
    modules = {
        name: list(demo.modules_to_use[_OF_TYPE[record["data_type"]]])
        for name, record in used.items()
    }
    return {
        "name": ID,
        "coordinates": (given.longitude, given.latitude),
        "region_size": given.region_size,
        "date_range": [str(given.start_date), str(given.end_date)],
        "data_collections": dict(used),
        "collections_to_use": list(used),
        "modules_to_use": {**modules, "combine": demo.modules_to_use["combine"]},
        "special_config": {name: chosen for name, chosen in special.items() if chosen},
        "analysis": given.analysis,
    }
