"""What the client sends -> inputs of a process; nothing of it reaches a shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pyveg.core import registry
from pyveg.core.errors import ConfigError, PyvegError
from pyveg.core.tasks import digest
from pyveg.core.texts import brief
from pyveg.service.bajor.settings import BajorSettings
from pyveg.service.config import ServiceConfig
from pyveg.training.catalogue import read_manifest

MOST = 50_000_000
"""Bytes of a manifest."""
WORKFLOW = "cosmic_dawn"
"""What the client means where it names no workflow."""
SCRIPTS = ("training_script_path", "prediction_script_path", "promote_script_path")
OPTIONS = {
    "run_opts": "",
    "workflow_name": WORKFLOW,
    "container_image_name": None,
    "pretrained_checkpoint_url": None,
    **dict.fromkeys(SCRIPTS),
}
"""All that ``opts`` may have, and what each is where it is left out."""


class WrongInputError(Exception):
    """A field that is wrong.

    Parameters
    ----------
    place : tuple of str
        Where it is in the body.
    what : str
    """

    def __init__(self, place: tuple[str, ...], what: str) -> None:
        super().__init__(what)
        self.place = place


def options_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a request, with those that were left out.

    Raises
    ------
    WrongInputError
    """
    given = body.get("opts") or {}
    if not isinstance(given, dict):
        raise WrongInputError(("opts",), "value is not a valid dict")
    for name, value in given.items():
        if name not in OPTIONS:
            raise WrongInputError(("opts", brief(name)), "extra fields not permitted")
        if value is not None and not isinstance(value, str):
            raise WrongInputError(("opts", name), "str type expected")
    return {**OPTIONS, **{name: value for name, value in given.items() if value is not None}}


def inputs_of(
    kind: str, body: Mapping[str, Any], options: Mapping[str, Any], config: ServiceConfig,
    settings: BajorSettings,
) -> dict[str, Any]:  # fmt: skip
    """Inputs of the process that a request is for.

    Parameters
    ----------
    kind : {"training", "prediction"}
    body, options : mapping
    config : ServiceConfig
    settings : BajorSettings

    Raises
    ------
    WrongInputError
    """
    training = settings.workflows.get(options["workflow_name"], "")
    if not training and options["workflow_name"] != WORKFLOW:
        raise WrongInputError(("opts", "workflow_name"), "no such workflow is offered")
    training = training or settings.training
    _check_named(options, settings, config.trainings[training])
    try:
        arguments = shlex.split(options["run_opts"])
    except ValueError as error:
        raise WrongInputError(("opts", "run_opts"), f"cannot be divided: {error}") from None
    found: dict[str, Any] = {"training": training, "options": arguments}
    if kind == "training":
        path = _text(body, "manifest_path").lstrip("/")
        return {**found, "catalog": str(_below(Path(settings.catalogs), path))}
    return {**found, "manifest": str(_fetched(_text(body, "manifest_url"), config, settings))}


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if value is None:
        raise WrongInputError((name,), "field required")
    if not isinstance(value, str) or not value:
        raise WrongInputError((name,), "str type expected")
    return value


def _check_named(
    options: Mapping[str, Any], settings: BajorSettings, training: Mapping[str, Any]
) -> None:
    """Programs and images are the operator's: a name is fine where it says what is so anyway."""
    image = options["container_image_name"]
    if image is not None and image not in settings.container_images:
        raise WrongInputError(("opts", "container_image_name"), "this image is not on the list")
    own = {Path(str(part.get("script", ""))).name for part in training.values()} - {""}
    for name in SCRIPTS:
        if options[name] is not None and options[name] not in own:
            raise WrongInputError(("opts", name), "this script is not on the list")
    if options["pretrained_checkpoint_url"] is not None:
        checkpoint = Path(str(training["train"].get("checkpoint", ""))).name
        if Path(urlsplit(options["pretrained_checkpoint_url"]).path).name != checkpoint:
            raise WrongInputError(
                ("opts", "pretrained_checkpoint_url"), "this checkpoint is not on the list"
            )


def _below(folder: Path, path: str) -> Path:
    found = folder / path
    fine = "\0" not in path and found.resolve().is_relative_to(folder.resolve())
    if not fine or ".." in Path(path).parts or not found.is_file():
        raise WrongInputError(("manifest_path",), "there is no such file")
    return found


def _fetched(url: str, config: ServiceConfig, settings: BajorSettings) -> Path:
    """A manifest as a file; hosts in private networks are refused unless they are listed.

    Its images must have addresses: a caller names no file of the service.
    """
    if not url.startswith(("http://", "https://")):
        raise WrongInputError(("manifest_url",), "invalid or missing URL scheme")
    try:
        inputs = registry.open_inputs([url], settings.private_hosts)
        (item,) = inputs.items()
        with inputs.open(item) as stream:
            data = stream.read(MOST + 1)
        if len(data) > MOST:
            raise ConfigError(f"it has more than {MOST} bytes", "divide it")
        subjects = read_manifest(data, "the manifest")
    except (PyvegError, ValueError) as error:
        wrong = error.wrong if isinstance(error, PyvegError) else str(error)
        raise WrongInputError(("manifest_url",), wrong) from None
    if not all(one.url.startswith(("http://", "https://")) for one in subjects):
        raise WrongInputError(("manifest_url",), "an image has no address of http or https")
    folder = config.folder / "manifests"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{digest([data.decode('utf-8', 'replace')])[:32]}.json"
    partial = path.with_suffix(f".{id(data)}.part")
    partial.write_bytes(data)
    partial.replace(path)
    return path
