"""TrainModel: a program that learns from a catalogue of images and leaves checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from pyveg.core.errors import ConfigError
from pyveg.core.module import Job, Planning, Shipment
from pyveg.core.params import setting
from pyveg.core.types import Item
from pyveg.modules.command import application as app
from pyveg.modules.command import settings as command_settings
from pyveg.modules.command.application import Member
from pyveg.modules.command.module import CommandModule
from pyveg.modules.training import data, program
from pyveg.modules.training.program import ProgramSettings
from pyveg.training.catalogue import load_catalogue

MOUNT = "TRAINING_CONTAINER_MOUNT_DIR"
"""Variable of the program: the folder that paths of the catalogue begin at."""
_CHECKPOINT = ".checkpoint"
"""Folder of the checkpoint to begin from, beside the images."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings(ProgramSettings):
    """Settings of `TrainModel` and `ChipTrainer`."""

    catalog: str = setting(doc="CSV file of labelled images", results=False)
    checkpoint: str = setting("", doc="file of a model to begin from", results=False)


class TrainModel(CommandModule[TrainSettings]):
    """Run a program that trains a model; all that it leaves in its folder is kept.

    It is called as ``python SCRIPT [OPTION]... --checkpoint FILE --catalog FILE --save-dir FOLDER``
    without a shell.
    """

    Settings: ClassVar[type[TrainSettings]] = TrainSettings
    reference: ClassVar[str] = ""
    """Module that is run where no script is named; empty where one must be."""

    @classmethod
    def settled(
        cls, settings: TrainSettings, where: str, warn: Callable[[str], None]
    ) -> TrainSettings:
        """Paths in full, the command, and a catalogue that can be read."""
        own = ["--catalog", "{input}", "--save-dir", "{output_dir}"]
        made = program.settled(settings, own, cls.reference, settings.catalog, where)
        load_catalogue(Path(made.inputs[0]))
        if settings.checkpoint:
            file = Path(settings.checkpoint).expanduser().absolute()
            if not file.is_file():
                raise ConfigError(f"{where}: there is no checkpoint {file}", "name a file")
            made = replace(made, checkpoint=str(file))
        return command_settings.settled(made, where, warn)

    def items(self, planning: Planning, settings: TrainSettings) -> Sequence[Item]:
        """One: the catalogue; it knows the digest of its images."""
        (item,) = super().items(planning, settings)
        more = {"data": app.digest_of(_members(settings)), "images": settings.images}
        return [Item(item.name, {**item.details, **more})]

    def prepare(self, shipment: Shipment[TrainSettings]) -> Mapping[str, str]:
        """Send the images too, where it runs on another machine."""
        refused = super().prepare(shipment)
        if shipment.far:
            (item,) = shipment.items
            data.send(shipment.store, _members(shipment.settings), item.details["data"])
        return refused

    def run(self, job: Job[TrainSettings]) -> None:
        """Train.

        Raises
        ------
        CommandError
            If the program fails, or leaves nothing.
        """
        settings, details = job.settings, job.item.details
        folder = data.folder_of(job.store, details["data"], details["images"])
        checkpoint = _checkpoint(settings, folder)
        changed = replace(
            settings,
            command=(*settings.command, "--checkpoint", program.literal(checkpoint)),
            env={**settings.env, MOUNT: program.literal(str(folder))},
        )
        super().run(replace(job, settings=changed))


class ChipTrainer(TrainModel):
    """Train the reference classifier: whether a chip of 50 x 50 pixels is patterned or bare."""

    reference = "pyveg.training.train_chips"

    @classmethod
    def parts(cls, settings: TrainSettings) -> Iterator[tuple[str, str]]:
        """Itself, since what it needs is an extra."""
        del settings
        yield "module", "ChipTrainer"


def _members(settings: TrainSettings) -> list[Member]:
    catalogue = load_catalogue(Path(settings.inputs[0]))
    found = data.members(
        Path(settings.images), (row.file for row in catalogue.rows), settings.inputs[0]
    )
    if settings.checkpoint:
        path = Path(settings.checkpoint)
        found.append(Member(f"{_CHECKPOINT}/{path.name}", False, path.read_bytes))
    return found


def _checkpoint(settings: TrainSettings, folder: Path) -> str:
    """The checkpoint on this machine; empty where there is none."""
    if not settings.checkpoint:
        return ""
    sent = folder / _CHECKPOINT / Path(settings.checkpoint).name
    return str(sent) if sent.is_file() else settings.checkpoint
