"""The process ``predict``: what a promoted model thinks of the images of a manifest."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from pyveg.core.params import setting
from pyveg.service.builtin.train import OPTIONS, check_given, settings_of
from pyveg.service.config import ServiceConfig
from pyveg.service.processes import Process, Settings

ID = "predict"


def process(config: ServiceConfig) -> Process | None:
    """The process; None where the operator lists no training."""
    if not config.trainings:
        return None

    def make(given: Any) -> Settings:
        return settings_of(config, ID, given)

    return Process(
        id=ID,
        title="Predict with the promoted model",
        description="Predicts the images of a manifest with the model that is promoted now.",
        inputs=_inputs(tuple(config.trainings)),
        make=make,
        check=lambda given: check_given(given, config),
    )


def _inputs(names: tuple[str, ...]) -> type:
    doc = "JSON file of images to predict, in a place that the operator allows"
    made = [
        ("training", Literal[names], setting(doc="which model")),
        ("manifest", str, setting(doc=doc)),
        ("options", tuple[str, ...], OPTIONS),
    ]
    return dataclasses.make_dataclass("PredictInputs", made, frozen=True, kw_only=True)
