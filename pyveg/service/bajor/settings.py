"""What the operator says of the API: ``bajor`` in ``service_config.py``."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from pyveg.core import params
from pyveg.core.errors import ConfigError, UnknownNameError
from pyveg.core.params import setting
from pyveg.service.config import ServiceConfig


@dataclass(frozen=True, kw_only=True)
class BajorSettings:
    """Settings of the API of BaJoR."""

    training: str = setting(doc="the training that jobs are of where they name no workflow")
    workflows: dict[str, str] = setting({}, doc="workflow_name -> name of a training")
    catalogs: str = setting(doc="folder that manifest_path of a training is below")
    username: str = setting("bajor", doc="name that clients give by HTTP Basic")
    password_variable: str = setting(
        "PYVEG_BAJOR_PASSWORD", doc="variable of the environment that has the password"
    )
    max_training: int = setting(2, doc="trainings that may wait or run at once", low=1)
    max_prediction: int = setting(2, doc="predictions that may wait or run at once", low=1)
    container_images: tuple[str, ...] = setting(
        (), doc="images that jobs may name, those of the pools; they choose nothing"
    )
    private_hosts: tuple[str, ...] = setting(
        (), doc="hosts in private networks that manifests may be fetched from"
    )


@dataclass(frozen=True)
class Access:
    """The settings, and the password, which is in none of them."""

    settings: BajorSettings
    password: str = field(repr=False)


def access_of(config: ServiceConfig) -> Access | None:
    """Who may use the API, and how; None where it is not offered.

    Raises
    ------
    ConfigError
        If a setting is wrong, or there is no password: there is no default one.
    """
    if not config.bajor:
        return None
    given: dict[str, Any] = dict(config.bajor)
    settings = params.build(BajorSettings, given, "bajor")
    for name in (settings.training, *settings.workflows.values()):
        if name not in config.trainings:
            raise UnknownNameError("training", name, config.trainings, "bajor")
    password = os.environ.get(settings.password_variable, "")
    if len(password) < 8:
        raise ConfigError(
            f"bajor: the variable {settings.password_variable} has no password of 8 characters",
            "set it in the environment of the service",
        )
    return Access(settings, password)
