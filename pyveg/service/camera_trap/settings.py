"""What the operator says of the API: ``camera_trap`` in ``service_config.py``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pyveg.core import params
from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.params import setting
from pyveg.service.builtin.score_images import ID
from pyveg.service.config import ServiceConfig

OPEN = "*"
"""In place of a file of keys: everybody may use the sibling."""


@dataclass(frozen=True, kw_only=True)
class CameraTrapSettings:
    """Settings of the API of camera traps."""

    allow_list: str = setting(
        doc='JSON file {"CALLER": "INSTANCE"} of callers that may submit and cancel; read again '
        "when it changes"
    )
    default_model_version: str = setting(
        doc="the one of scoring_models that jobs are for where they name none"
    )
    model_versions: tuple[str, ...] = setting(
        (), doc="those of scoring_models that jobs may name; all where empty"
    )
    instance: str = setting("default", doc="name of this instance; callers of others are refused")
    max_active: int = setting(300, doc="jobs that may wait or run at once", low=1, high=1_000_000)
    format: Literal["1.1", "1.6"] = setting(
        "1.1", doc="version of the results format where a job names none"
    )
    output_days: float = setting(180.0, doc="days that a link to results holds", low=0.01)
    list_jobs: bool = setting(
        False,
        doc="whether /all_jobs tells the ids of active jobs; whoever has one can read the job",
    )
    sync_keys: str = setting(
        "",
        doc='file of keys of /v1/camera-trap/sync/detect, one a line; "*" asks for none; where it '
        "is left out nobody may use that path",
    )


def settings_of(config: ServiceConfig) -> CameraTrapSettings | None:
    """The settings of the API; None where it is not offered.

    Raises
    ------
    ConfigError
        If a setting is wrong.
    """
    if not config.camera_trap:
        return None
    given: dict[str, Any] = dict(config.camera_trap)
    made = params.build(CameraTrapSettings, given, "camera_trap")
    for name in (made.default_model_version, *made.model_versions):
        if name not in config.scoring_models:
            raise UnknownNameError("model", name, config.scoring_models, "camera_trap")
    if made.model_versions and made.default_model_version not in made.model_versions:
        raise ConfigError(
            "camera_trap: default_model_version is none of model_versions", "name it there too"
        )
    if ID not in config.offered:
        raise ConfigError(f"camera_trap needs the process {ID}", f'add "{ID}" to offered')
    return made


def versions(settings: CameraTrapSettings, config: ServiceConfig) -> list[str]:
    """The models that jobs may name, sorted."""
    return sorted(settings.model_versions or config.scoring_models)
