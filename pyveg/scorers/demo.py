"""A real detector to try scoring with: small, free (Apache-2.0), and no camera-trap model.

It is the SSD MobileNet of MediaPipe Objectron, which was made for boots, cups and chairs in rooms.
Its file is part of an npm package; pyveg has none of it, and fetches it when it is first asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from filelock import FileLock

from pyveg import npm
from pyveg.caches import cache_folder
from pyveg.core.errors import MissingPackageError, RunError
from pyveg.core.registry import is_installed
from pyveg.scorers.tflite_to_onnx import OPSET, REVISION, convert

NAME = "demo"
PACKAGE, VERSION = "@mediapipe/objectron", "0.4.1675468480"
_FILE = "objectron_solution_packed_assets.data"
_LABELS, _MODEL = slice(0, 184), slice(184, 9_987_912)
"""Places of the names of classes and of the network in that file."""
_DIGEST = "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6"
_OUTPUTS = {"raw_outputs/box_encodings": "boxes", "raw_outputs/class_predictions": "logits"}
_CATEGORIES = {
    "Cattle": "1",
    "Cat": "1",
    "Dog": "1",
    "Person": "2",
    "Bicycle": "3",
    "Vehicle": "3",
    "Car": "3",
}


def demo_model() -> Path:
    """The detector as an ``.onnx`` file in the cache, with its record beside it.

    Raises
    ------
    MissingPackageError
        If what converts it is not installed.
    RunError
        If it cannot be fetched, or is not the file that it was.
    """
    folder = cache_folder() / f"demo-detector-{_DIGEST[:12]}-{OPSET}-{REVISION}"
    model = folder / "demo.onnx"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not (folder / "complete").is_file():
            _make(model)
            (folder / "complete").touch()
    return model


def _make(model: Path) -> None:
    if not (is_installed("onnx") and is_installed("tflite")):
        raise MissingPackageError(f'the model "{NAME}"', "pyveg[demo-model]")
    data = (npm.installed(PACKAGE, VERSION) / _FILE).read_bytes()
    network = data[_MODEL]
    if hashlib.sha256(network).hexdigest() != _DIGEST:
        raise RunError(
            f"{_FILE} of {PACKAGE}@{VERSION} is not the file that it was",
            f"remove {cache_folder()} and try again; if that does not help, tell us",
        )
    _write(model, convert(network, _OUTPUTS))
    record = _record(data[_LABELS].decode("ascii").split("\n")[:-1])
    _write(model.with_suffix(".json"), json.dumps(record, indent=1).encode())


def _record(classes: list[str]) -> dict[str, object]:
    return {
        "detector": "objectron_ssd_mobilenetv2_oidv4",
        "input": {"size": [300, 300], "layout": "NHWC", "scale": [1 / 127.5, -1.0]},
        "head": "ssd",
        "overlap": 0.3,
        "outputs": ["boxes", "logits"],
        "anchors": {"grids": [19, 10, 5, 3, 2, 1], "smallest": 0.2, "largest": 0.95},
        "classes": classes,
        "categories": _CATEGORIES,
        "category_names": {"1": "animal", "2": "person", "3": "vehicle"},
    }


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(path)
