r"""Reference prediction: score the images of a manifest with a promoted classifier.

::

    python -m pyveg.training.predict_chips --checkpoint-path model.onnx \
        --catalog-url manifest.json --save-path predictions.json

The file has, for each subject and frame, the probability of the last class to four digits and those
of all classes to three. Images that cannot be looked at are named in ``failures``, with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pyveg.core import registry
from pyveg.core.errors import DataError, PyvegError
from pyveg.core.scorer import Scorer
from pyveg.training.catalogue import Subject, load_manifest
from pyveg.training.reading import UnreadableError, chip_of, fetch

MOUNT = "PREDICTIONS_CONTAINER_MOUNT_DIR"
"""Variable with the folder that paths of a manifest begin at; that of the manifest without it."""
SCHEMA = {"version": 1, "type": "zooniverse/subject_assistant"}
_LEAST = 0.001
"""Confidence below which a scorer need not tell of a class; it is 0 then."""


def predict(subjects: Iterable[Subject], scorer: Scorer, folder: Path) -> dict[str, Any]:
    """Score some images.

    Parameters
    ----------
    subjects : iterable of Subject
    scorer : Scorer
        Its categories are the classes.
    folder : Path
        Where paths begin.

    Returns
    -------
    dict
        ``schema``, ``data`` and ``failures``.
    """
    numbers = sorted(scorer.categories, key=int)
    data: dict[str, dict[str, Any]] = {}
    failures = []
    for subject in subjects:
        frame = str(subject.about.get("frame_id", "0"))
        try:
            (found,) = scorer.score([chip_of(fetch(subject.url, folder))])
        except UnreadableError as error:
            failures.append({"subject_id": subject.id, "image": subject.url, "reason": str(error)})
            continue
        known = {one.category: one.confidence for one in found}
        shares = [known.get(number, 0.0) for number in numbers]
        values = [round(shares[-1], 4), [round(share, 3) for share in shares]]
        data.setdefault(subject.id, {})[frame] = values
    names = [scorer.categories[number] for number in numbers]
    return {"schema": {**SCHEMA, "classes": names}, "data": data, "failures": failures}


def main(arguments: Sequence[str] | None = None) -> int:
    """Predict, as a command line says."""
    parser = argparse.ArgumentParser(description="Score the images of a manifest.")
    parser.add_argument("--checkpoint-path", required=True, help="the model, an ONNX file")
    parser.add_argument("--catalog-url", required=True, help="manifest, a JSON file")
    parser.add_argument("--save-path", required=True, help="file for predictions")
    given = parser.parse_args(arguments)
    manifest, into = Path(given.catalog_url), Path(given.save_path)
    try:
        kind = registry.scorer_class("onnx")
        model = kind.find(given.checkpoint_path)
        scorer = kind(model.where, model.record, _LEAST)
        folder = Path(os.environ.get(MOUNT) or manifest.absolute().parent)
        found = predict(load_manifest(manifest), scorer, folder)
        if not found["data"]:
            first = found["failures"][0]["reason"]
            raise DataError(f"no image of the manifest can be looked at: {first}")
        into.write_text(json.dumps(found, indent=1), encoding="utf-8")
    except (PyvegError, OSError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    sys.stdout.write(f"{len(found['data'])} subjects, {len(found['failures'])} failures\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
