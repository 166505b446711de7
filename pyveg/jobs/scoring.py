"""A config for one model over some images, from what a command line says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyveg.core.layout import COMBINE

ABOUT = "A model over some images; docs/scoring.md."
SCORE, JOIN = "ScoreImages", "CombineDetections"
NAME = "images"
"""Of the job, and of the folder that its shards are in."""


def make_settings(
    top: Mapping[str, Any], score: Mapping[str, Any], combine: Mapping[str, Any], name: str | None
) -> dict[str, Any]:
    """The settings of a config.

    Parameters
    ----------
    top : mapping
        Names at the top, such as ``output_location``; None where nothing was said.
    score, combine : mapping
        Settings of `ScoreImages` and `CombineDetections`; None or empty where nothing was said.
    name : str, optional
        Of the job.

    Examples
    --------
    >>> made = make_settings({}, {"images": ("photos",), "model": "demo"}, {"format": None}, None)
    >>> made["modules_to_use"]
    {'images': ['ScoreImages'], 'combine': ['CombineDetections']}
    >>> made["special_config"]
    {'images': {'images': ['photos'], 'model': 'demo'}}
    """
    chosen = name or NAME
    special = {chosen: _said(score), JOIN: _said(combine)}
    return {
        "name": chosen,
        **_said(top),
        "modules_to_use": {chosen: [SCORE], COMBINE: [JOIN]},
        "special_config": {part: said for part, said in special.items() if said},
    }


def _said(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the user has said, as plain data."""
    said = {key: value for key, value in given.items() if value is not None and value != ()}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in said.items()}
