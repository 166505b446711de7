"""PredictImages: a program that says what a promoted model thinks of the images of a manifest."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

from pyveg.core import module, registry
from pyveg.core.errors import CommandError, ConfigError, KeyMissingError
from pyveg.core.layout import item_folder
from pyveg.core.module import Job, Planning, Shipment
from pyveg.core.params import setting
from pyveg.core.types import Item, Scope
from pyveg.core.values import read_json
from pyveg.modules.command import application as app
from pyveg.modules.command import settings as command_settings
from pyveg.modules.command.application import Member
from pyveg.modules.command.module import CommandModule
from pyveg.modules.training import data, program
from pyveg.modules.training.program import ProgramSettings
from pyveg.modules.training.promote import full, promoted_folder, put
from pyveg.training import promotion
from pyveg.training.catalogue import load_manifest

PREDICTIONS = "predictions.json"
MOUNT = "PREDICTIONS_CONTAINER_MOUNT_DIR"
"""Variable of the program: the folder that paths of the manifest begin at."""
_REFERENCE = "pyveg.training.predict_chips"


@dataclass(frozen=True, kw_only=True)
class PredictSettings(ProgramSettings):
    """Settings of `PredictImages` and `PredictManifest`."""

    manifest: str = setting(doc="JSON file of images and what they are of", results=False)
    outputs: tuple[str, ...] = setting((PREDICTIONS,), doc="patterns of what is kept")


class PredictImages(CommandModule[PredictSettings]):
    """Predict with the model that a `PromoteModel` before it has left.

    The program is called as ``python SCRIPT [OPTION]... --catalog-url FILE --save-path
    FOLDER/predictions.json --checkpoint-path FILE``, without a shell.
    """

    Settings: ClassVar[type[PredictSettings]] = PredictSettings
    role: ClassVar[module.Role] = "process"

    @classmethod
    def settled(
        cls, settings: PredictSettings, where: str, warn: Callable[[str], None]
    ) -> PredictSettings:
        """Paths in full, the command, and a manifest that can be read."""
        own = ["--catalog-url", "{input}", "--save-path", f"{{output_dir}}/{PREDICTIONS}"]
        made = program.settled(settings, own, _REFERENCE, settings.manifest, where)
        load_manifest(Path(made.inputs[0]))
        return command_settings.settled(made, where, warn)

    @classmethod
    def parts(cls, settings: PredictSettings) -> Iterator[tuple[str, str]]:
        """What runs the model, where the reference program does."""
        if not settings.script:
            yield "scorer", "onnx"

    def items(self, planning: Planning, settings: PredictSettings) -> Sequence[Item]:
        """Those of the training, each with the manifest for its input."""
        (item,) = super().items(planning, settings)
        packed = _members(settings)
        more = {"data": app.digest_of(packed) if packed else "", "images": settings.images}
        details = {**item.details, **more}
        return [Item(before.name, details) for before in planning.before or (item,)]

    def prepare(self, shipment: Shipment[PredictSettings]) -> Mapping[str, str]:
        """Send the images too, where it runs on another machine."""
        refused = super().prepare(replace(shipment, scope=_scope(shipment.scope)))
        digest = shipment.items[0].details["data"]
        if shipment.far and digest:
            data.send(shipment.store, _members(shipment.settings), digest)
        return refused

    def tidy(self, shipment: Shipment[PredictSettings]) -> None:
        """Remove the manifest that was sent."""
        super().tidy(replace(shipment, scope=_scope(shipment.scope)))

    def run(self, job: Job[PredictSettings]) -> None:
        """Predict.

        Raises
        ------
        CommandError
            If there is no model, the program fails, or leaves no predictions.
        """
        settings, details = job.settings, job.item.details
        folder = data.folder_of(job.store, details["data"], details["images"])
        with tempfile.TemporaryDirectory(prefix="pyveg-model-") as name:
            model = _model(job, Path(name))
            changed = replace(
                settings,
                command=(*settings.command, "--checkpoint-path", program.literal(str(model))),
                env={**settings.env, MOUNT: program.literal(str(folder))},
            )
            inner = replace(job, scope=_scope(job.scope), settings=changed)
            super().run(inner)
        _count(job)


class PredictManifest(PredictImages):
    """Predict with the model that is promoted when the run is planned."""

    @dataclass(frozen=True, kw_only=True)
    class Settings(PredictSettings):
        """Settings of `PredictManifest`."""

        models: str = setting("models", doc="folder or URL where models are kept", results=False)
        model: str = setting("chips", doc="name of the model there")

    role: ClassVar[module.Role] = "start"

    @classmethod
    def settled(cls, settings: Any, where: str, warn: Callable[[str], None]) -> Any:
        """With a model that is there."""
        promotion.check_name(settings.model, f"{where}: model")
        made = replace(settings, models=full(settings.models))
        _promoted(made)
        return super().settled(made, where, warn)

    def items(self, planning: Planning, settings: Any) -> Sequence[Item]:
        """The manifest; it knows the model."""
        (item,) = super().items(planning, settings)
        return [Item(item.name, {**item.details, "model": _promoted(settings).digest})]

    def prepare(self, shipment: Shipment[Any]) -> Mapping[str, str]:
        """Copy the model into the run."""
        refused = super().prepare(shipment)
        settings, (item,) = shipment.settings, shipment.items
        used = _promoted(settings)
        if used.digest != item.details["model"]:
            why = "another model was promoted since the run was planned; start it again"
            return {**refused, item.name: why}
        models = registry.store_at(settings.models)
        put(shipment.store, models, used, promoted_folder(shipment.scope, item))
        return refused


def predictions_key(scope: Scope, item: Item) -> str:
    """Where the predictions of a run are."""
    return f"{_scope(scope).root}/{item_folder(item.name)}/{PREDICTIONS}"


def _scope(scope: Scope) -> Scope:
    """Another folder than that of the training, whose Item has the same name."""
    name = f"{scope.sequence} predictions"
    return replace(scope, sequence=name, folder=f"{scope.root}/_predictions")


def _members(settings: PredictSettings) -> list[Member]:
    """Images of this machine; those with an address are fetched where they are looked at."""
    subjects = load_manifest(Path(settings.inputs[0]))
    files = [one.url for one in subjects if "://" not in one.url]
    odd = next((f for f in files if Path(f).is_absolute() or ".." in Path(f).parts), None)
    if odd is not None:
        raise ConfigError(
            f"{settings.inputs[0]}: {odd[:100]!r} is no path below the folder of images",
            'write paths below it, without ".."; or addresses',
        )
    return data.members(Path(settings.images), files, settings.inputs[0]) if files else []


def _promoted(settings: Any) -> promotion.Promoted:
    found = promotion.current(registry.store_at(settings.models), settings.model)
    if found is None:
        raise ConfigError(
            f'no model "{settings.model}" was promoted in {settings.models}', "train one first"
        )
    return found


def _model(job: Job[PredictSettings], folder: Path) -> Path:
    """The promoted model as a file of this machine, its record beside it."""
    there = promoted_folder(job.scope, job.item)
    try:
        about = read_json(job.store.read(f"{there}/promotion.json"))
        for name in about["files"]:
            (folder / unquote(name)).write_bytes(job.store.read(f"{there}/{name}"))
    except KeyMissingError as error:
        raise CommandError("no model was promoted", "train one first") from error
    return folder / unquote(str(about["files"][0]))


def _count(job: Job[PredictSettings]) -> None:
    """Note how many images were predicted, and how many could not be."""
    key = predictions_key(job.scope, job.item)
    try:
        found = read_json(job.store.read(key))
    except (KeyMissingError, ValueError):
        return  # a program of somebody else may write another format
    if isinstance(found, dict):
        job.notes["predictions"] = len(found.get("data", ()))
        job.notes["failures"] = len(found.get("failures", ()))
