"""PromoteModel: the best checkpoint of a training becomes the model that is used."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

from pyveg.core import module, registry
from pyveg.core.errors import CommandError, ConfigError, KeyMissingError
from pyveg.core.layout import item_folder
from pyveg.core.module import Job, Planning
from pyveg.core.params import setting
from pyveg.core.ports import Store
from pyveg.core.tasks import digest
from pyveg.core.types import Item, Scope
from pyveg.core.values import read_json
from pyveg.training import promotion
from pyveg.training.promotion import LOSSES, Promoted


@dataclass(frozen=True, kw_only=True)
class PromoteSettings(module.Settings):
    """Settings of `PromoteModel`."""

    models: str = setting(
        "models", doc="folder or URL where models are kept, with their history", results=False
    )
    model: str = setting("chips", doc="name of the model there")


class PromoteModel(module.Module[PromoteSettings]):
    """Make the checkpoint of the least loss the one that is used, if it is better than that.

    The loss is what the program says in ``losses.json`` (name of a file -> loss), or the number
    in the file's name. The model that is used afterwards, this one or the former, is copied into
    the run, where predictions find it on every machine.
    """

    Settings = PromoteSettings

    @classmethod
    def settled(
        cls, settings: PromoteSettings, where: str, warn: Callable[[str], None]
    ) -> PromoteSettings:
        """The folder in full. It is done by this machine, whatever trains."""
        promotion.check_name(settings.model, f"{where}: model")
        if settings.run_mode != "local":
            warn("models are promoted by this machine, which reaches the folder of models")
        return replace(settings, models=full(settings.models), run_mode="local")

    def run(self, job: Job[PromoteSettings]) -> None:
        """Promote, or leave things as they are.

        Raises
        ------
        CommandError
            If the training left no checkpoint, or one whose loss is unknown.
        """
        store, keys = self.trained(job)
        names = list(keys)
        best, *_ = promotion.checkpoints(names, _losses(store, keys))
        files = {name: store.read(keys[name]) for name in promotion.belongings(best.name, names)}
        plain = {name.rpartition("/")[2]: data for name, data in files.items()}
        chosen = promotion.Checkpoint(best.name.rpartition("/")[2], best.loss)
        models = registry.store_at(job.settings.models)
        used, new = promotion.promote(models, job.settings.model, chosen, plain, store.url)
        put(job.store, models, used, promoted_folder(job.scope, job.item))
        job.notes.update(promoted=new, loss=best.loss, used=used.name, used_loss=used.loss)

    def trained(self, job: Job[Any]) -> tuple[Store, dict[str, str]]:
        """Where the files of the training are: their Store, and name -> key."""
        folder = f"{job.scope.root}/{item_folder(job.item.name)}/"
        return job.store, _named(job.store, folder)


class PromoteCheckpoints(PromoteModel):
    """Promote the best of checkpoints that are there already, as `PromoteModel` does after a run.

    They are those of a folder, or what the training of an earlier run has left.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings(PromoteSettings):
        """Settings of `PromoteCheckpoints`."""

        checkpoints: str = setting(doc="folder of checkpoints, or folder or URL of a run")
        below: str = setting("", doc="folder in it that the checkpoints are in")

    role: ClassVar[module.Role] = "start"

    @classmethod
    def settled(cls, settings: Any, where: str, warn: Callable[[str], None]) -> Any:
        """With a folder that is there."""
        made: Any = super().settled(settings, where, warn)
        folder = full(settings.checkpoints)
        if "://" not in folder and not Path(folder).is_dir():
            raise ConfigError(f"{where}: there is no folder {folder}", "name that of checkpoints")
        return replace(made, checkpoints=folder)

    def items(self, planning: Planning, settings: Any) -> Sequence[Item]:
        """One: the folder."""
        del planning
        return [Item(settings.checkpoints.rstrip("/").rpartition("/")[2] or "checkpoints")]

    def fingerprint(self, scope: Scope, item: Item, settings: Any) -> str:
        """Which files there are, how large each is, and what is said of their losses.

        Checkpoints of one model are all of a size, so sizes alone do not tell a new training.
        """
        del scope, item
        store, keys = _there(settings)
        files = sorted((name, store.size(key)) for name, key in keys.items())
        said = {name: store.read(keys[name]) for name, _ in files if _is_losses(name)}
        return digest([files, {name: sha256(data).hexdigest() for name, data in said.items()}])

    def trained(self, job: Job[Any]) -> tuple[Store, dict[str, str]]:
        """What is in the folder."""
        return _there(job.settings)


def promoted_folder(scope: Scope, item: Item) -> str:
    """Where the model that a run predicts with is in its Store."""
    return f"{scope.root}/_promoted/{item_folder(item.name)}"


def put(store: Store, models: Store, used: Promoted, folder: str) -> None:
    """Copy a promoted model into a run, its description last."""
    names = []
    for key in used.files:
        name = key.rpartition("/")[2]
        store.write(f"{folder}/{name}", models.read(key))
        names.append(name)
    about = {**used.to_json(), "files": names}
    store.write(f"{folder}/promotion.json", json.dumps(about, indent=1).encode())


def full(models: str) -> str:
    """A folder in full, or a URL as it is."""
    return models if "://" in models else str(Path(models).expanduser().absolute())


def _there(settings: Any) -> tuple[Store, dict[str, str]]:
    store = registry.store_at(settings.checkpoints)
    below = f"{settings.below.strip('/')}/" if settings.below else ""
    found = _named(store, below)
    # What a run has promoted or predicted lies beside what it has trained.
    return store, {name: key for name, key in found.items() if not name.startswith("_")}


def _named(store: Store, folder: str) -> dict[str, str]:
    """Name of a file below a folder -> its key."""
    return {unquote(key.removeprefix(folder)): key for key in store.list(folder)}


def _is_losses(name: str) -> bool:
    return name.rpartition("/")[2] == LOSSES


def _losses(store: Store, keys: Mapping[str, str]) -> dict[str, Any]:
    """What the program says of its checkpoints, by the name below its folder."""
    found: dict[str, Any] = {}
    for name, key in keys.items():
        if not _is_losses(name):
            continue
        try:
            said = read_json(store.read(key))
        except (ValueError, KeyMissingError) as error:
            raise CommandError(f"{name} is no JSON: {error}", "mend the program") from error
        if not isinstance(said, dict):
            raise CommandError(f"{name} is no table of losses", 'write {"a.ckpt": 0.31}')
        inside = name.removesuffix(LOSSES)
        found |= {inside + str(file): loss for file, loss in said.items()}
    return found
