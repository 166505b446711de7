"""Configs of a training, a promotion and a prediction, from what a command line or caller says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ABOUT = "A model is trained, promoted and used; docs/training.md."
REFERENCE, TRAIN = "ChipTrainer", "TrainModel"
PROMOTE, PROMOTE_ALONE = "PromoteModel", "PromoteCheckpoints"
PREDICT, PREDICT_ALONE = "PredictImages", "PredictManifest"


def make_settings(
    top: Mapping[str, Any],
    train: Mapping[str, Any],
    promote: Mapping[str, Any],
    predict: Mapping[str, Any],
    name: str | None = None,
) -> dict[str, Any]:
    """The settings of a config.

    Parameters
    ----------
    top : mapping
        Names at the top, such as ``output_location``; None where nothing was said.
    train, promote, predict : mapping
        Settings of the Modules. Without ``catalog`` nothing is trained, and the model that is
        there is used; with ``checkpoints`` the best of those is promoted. Without ``manifest``
        nothing is predicted.
    name : str, optional
        Of the job, and of the folder in the run.

    Examples
    --------
    >>> make_settings({}, {"catalog": "c.csv"}, {"model": "chips"}, {})["modules_to_use"]
    {'model': ['ChipTrainer', 'PromoteModel']}
    """
    chosen = name or "model"
    modules: dict[str, Mapping[str, Any]] = {}
    if train.get("catalog"):
        modules[TRAIN if train.get("script") else REFERENCE] = train
        modules[PROMOTE] = promote
    elif promote.get("checkpoints"):
        modules[PROMOTE_ALONE] = promote
    if modules and predict.get("manifest"):
        modules[PREDICT] = predict
    elif not modules:
        modules[PREDICT_ALONE] = {**promote, **predict}
    special = {module: _said(given) for module, given in modules.items()}
    return {
        "name": chosen,
        **_said(top),
        "modules_to_use": {chosen: list(modules)},
        "special_config": {module: said for module, said in special.items() if said},
    }


def manifest_of_folder(folder: Path, endings: tuple[str, ...]) -> str:
    """A manifest of all images in a folder, each a subject by its path.

    Parameters
    ----------
    folder : Path
    endings : tuple of str
        Of the files that are images, in small letters.
    """
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name.lower().endswith(endings)
    )
    return json.dumps([[name, json.dumps({"subject_id": name, "frame_id": 0})] for name in names])


def _said(given: Mapping[str, Any]) -> dict[str, Any]:
    said = {key: value for key, value in given.items() if value not in (None, (), "")}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in said.items()}
