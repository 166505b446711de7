"""The process ``train``: a trainer that the operator lists, on a catalogue of the caller."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pyveg.core.errors import ConfigError
from pyveg.core.params import setting
from pyveg.jobs.training import make_settings
from pyveg.service.builtin.run_command import check_files
from pyveg.service.config import ServiceConfig
from pyveg.service.processes import Process, Settings

ID = "train"
NAME = "model"
"""Of the folder in the run."""
CATALOG = setting(doc="CSV file of labelled images, in a place that the operator allows")
OPTIONS = setting((), doc="arguments of the program, each as it is; no shell sees them")


def process(config: ServiceConfig) -> Process | None:
    """The process; None where the operator lists no training: a caller names no program."""
    if not config.trainings:
        return None

    def make(given: Any) -> Settings:
        return settings_of(config, ID, given)

    return Process(
        id=ID,
        title="Train a model, promote it, predict with it",
        description=(
            "Runs a trainer that the operator lists on a catalogue of images. The best checkpoint "
            "is promoted if it is better than the present model; with a manifest, the model then "
            "predicts."
        ),
        inputs=_inputs(tuple(config.trainings)),
        make=make,
        check=lambda given: check_given(given, config),
    )


def _inputs(names: tuple[str, ...]) -> type:
    made = [
        ("training", Literal[names], setting(doc="which trainer and model")),
        ("catalog", str, CATALOG),
        ("manifest", str, setting("", doc="JSON file of images to predict afterwards")),
        ("options", tuple[str, ...], OPTIONS),
    ]
    return dataclasses.make_dataclass("TrainInputs", made, frozen=True, kw_only=True)


def check_given(given: Any, config: ServiceConfig) -> None:
    """Refuse files outside of the places that the operator allows, and ones that are not there.

    Raises
    ------
    ConfigError
    """
    names = [getattr(given, part, "") for part in ("catalog", "manifest")]
    files = [name for name in names if name]
    check_files(files, [*config.input_locations, *config.bajor_folders])
    for file in files:
        if not Path(file).is_file():
            raise ConfigError(f"inputs: there is no file {file}", "name one that is there")
    if any("\0" in text for text in given.options):
        raise ConfigError("inputs: an option holds a NUL", "leave it out")


def settings_of(config: ServiceConfig, process: str, given: Any) -> Settings:
    """The settings of a config for the inputs of ``train`` or ``predict``.

    What the caller says are files and arguments; programs and models are the operator's.
    """
    listed: Mapping[str, Any] = config.trainings[given.training]
    mode = config.of(process).run_mode
    where = {} if mode is None else {"run_mode": mode}
    train, predict = dict(listed.get("train", {})), dict(listed.get("predict", {}))
    catalog = getattr(given, "catalog", "")
    own = train if catalog else predict
    own["options"] = (*own.get("options", ()), *given.options)
    return make_settings(
        {},
        {**train, **where, "catalog": catalog},
        dict(listed.get("promote", {})),
        {**predict, **where, "manifest": given.manifest},
        NAME,
    )
