"""Reference trainer: fit the classifier of chips to a catalogue, and leave its checkpoints.

::

    python -m pyveg.training.train_chips --catalog chips/catalogue.csv --save-dir model

Some classifiers are fitted that differ in how strongly large weights are penalised. Each is judged
on folders of images that it has not seen: all images of a folder are on one side, since pictures of
one place are alike. ``losses.json`` has the loss of each, ``training.json`` its accuracy and the
images that could not be read.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.core.errors import DataError, PyvegError
from pyveg.training import texture
from pyveg.training.catalogue import Catalogue, load_catalogue
from pyveg.training.promotion import LOSSES
from pyveg.training.reading import UnreadableError, chip_of, fetch

STRENGTHS = (0.01, 0.1, 1.0, 10.0)
MOUNT = "TRAINING_CONTAINER_MOUNT_DIR"
"""Variable with the folder that paths of a catalogue begin at; that of the catalogue without it."""
REPORT = "training.json"
_HELD_OUT = 4
"""One in so many folders of each label is held out."""


@dataclass(frozen=True)
class Examples:
    """Images that could be read, in the order of the catalogue."""

    features: texture.Array
    labels: NDArray[np.int_]
    groups: tuple[str, ...]
    """Folder of each."""
    classes: tuple[str, str]
    failures: tuple[dict[str, str], ...]
    """``id`` and ``reason`` of those that could not."""


def read_examples(catalogue: Catalogue, folder: Path) -> Examples:
    """Read the images of a catalogue of two labels.

    Parameters
    ----------
    catalogue : Catalogue
    folder : Path
        Where its paths begin.

    Raises
    ------
    DataError
        If it has not two labels, or fewer than two folders of either can be read.
    """
    if len(catalogue.labels) != 2:
        raise DataError(
            f"the catalogue has {len(catalogue.labels)} labels, and this trainer takes two",
            "give two columns of counts, or train with a script of your own",
        )
    found: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    groups: list[str] = []
    failures: list[dict[str, str]] = []
    for row in catalogue.rows:
        if row.counts[0] == row.counts[1]:
            failures.append({"id": row.id, "reason": "its labels have equal counts"})
            continue
        try:
            found.append(chip_of(fetch(row.file, folder)))
        except UnreadableError as error:
            failures.append({"id": row.id, "reason": str(error)})
            continue
        labels.append(int(np.argmax(row.counts)))
        parent = str(PurePosixPath(row.file).parent)
        groups.append(row.id if parent == "." else parent)
    first, second = catalogue.labels
    for number, name in enumerate(catalogue.labels):
        there = {group for group, label in zip(groups, labels, strict=True) if label == number}
        if len(there) < 2:
            why = f"; first of {len(failures)}: {failures[0]['reason']}" if failures else ""
            raise DataError(
                f'{len(there)} folders have images of "{name}" that can be used{why}',
                "give images of at least two places for each label",
            )
    known = texture.features(np.stack(found))
    return Examples(known, np.array(labels), tuple(groups), (first, second), tuple(failures))


def held_out(examples: Examples) -> NDArray[np.bool_]:
    """Which images are kept for judging: those of one in four folders of each label."""
    chosen: set[str] = set()
    for label in (0, 1):
        pairs = zip(examples.groups, examples.labels, strict=True)
        there = sorted({group for group, own in pairs if own == label})
        chosen |= set(there[1::_HELD_OUT])
    return np.array([group in chosen for group in examples.groups])


def train(catalogue: Catalogue, folder: Path, into: Path) -> dict[str, Any]:
    """Fit, judge and write all checkpoints.

    Parameters
    ----------
    catalogue : Catalogue
    folder : Path
        Of the images.
    into : Path
        Where checkpoints go.

    Returns
    -------
    dict
        What ``training.json`` holds.

    Raises
    ------
    DataError
        If nothing can be learned from the catalogue.
    """
    examples = read_examples(catalogue, folder)
    out = held_out(examples)
    for part, name in ((~out, "to learn from"), (out, "to judge by")):
        if len(set(examples.labels[part].tolist())) < 2:
            raise DataError(
                f"the images {name} have one label alone",
                "keep images of different labels in different folders, one per place",
            )
    losses: dict[str, float] = {}
    accuracy: dict[str, float] = {}
    for strength in STRENGTHS:
        model = texture.fit(
            examples.features[~out], examples.labels[~out], examples.classes, strength
        )
        logits = examples.features[out] @ model.weights + model.bias
        given = 1 / (1 + np.exp(-logits))
        loss = texture.log_loss(given, examples.labels[out])
        name = f"texture-C{strength:g}-loss={loss:.6f}.onnx"
        if not math.isfinite(loss):
            raise DataError("the loss is not finite", "look at the images of the catalogue")
        losses[name] = loss
        accuracy[name] = float(((given > 0.5) == examples.labels[out]).mean())
        _write(into / name, model)
    report = {
        "images": len(examples.labels),
        "held_out": int(out.sum()),
        "accuracy": accuracy,
        "failures": list(examples.failures),
    }
    (into / LOSSES).write_text(json.dumps(losses, indent=1), encoding="utf-8")
    (into / REPORT).write_text(json.dumps(report, indent=1), encoding="utf-8")
    return report


def _write(path: Path, model: texture.Texture) -> None:
    path.write_bytes(texture.to_onnx(model))
    record = texture.record_of(model, path.stem)
    path.with_name(f"{path.stem}.json").write_text(json.dumps(record, indent=1), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, as a command line says."""
    parser = argparse.ArgumentParser(description="Train a classifier of chips.")
    parser.add_argument("--catalog", required=True, help="CSV file of labelled images")
    parser.add_argument("--save-dir", required=True, help="folder for checkpoints")
    parser.add_argument(
        "--checkpoint", default="", help="not used: a regression has one best fit, from anywhere"
    )
    given = parser.parse_args(arguments)
    catalogue, into = Path(given.catalog), Path(given.save_dir)
    try:
        into.mkdir(parents=True, exist_ok=True)
        folder = Path(os.environ.get(MOUNT) or catalogue.absolute().parent)
        report = train(load_catalogue(catalogue), folder, into)
    except PyvegError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    best = max(report["accuracy"].values())
    sys.stdout.write(
        f"{report['images']} images, {len(report['failures'])} left out; "
        f"accuracy on {report['held_out']} held out: {best:.3f}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
