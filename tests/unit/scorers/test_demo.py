"""The demo detector as it comes: what is not as it was is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import skimage.data

from pyveg import npm
from pyveg.core.errors import MissingPackageError, RunError
from pyveg.kernels.boxes import iou
from pyveg.scorers import demo
from pyveg.scorers.heads import input_of
from pyveg.scorers.onnx import OnnxScorer
from pyveg.scorers.record import checked_record, read_record


def test_it_is_made_once() -> None:
    first = demo.demo_model()
    changed = first.stat().st_mtime_ns
    assert demo.demo_model() == first
    assert first.stat().st_mtime_ns == changed
    record = read_record(first.with_suffix(".json"))
    assert record["classes"][0] == "???"
    assert set(record["categories"]) < set(record["classes"])
    assert len(record["classes"]) == 24
    assert sorted(path.name for path in first.parent.glob("*.part")) == []


def test_a_file_that_is_another_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "objectron_solution_packed_assets.data").write_bytes(b"x" * 10_000_000)
    monkeypatch.setenv("PYVEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(npm, "installed", lambda *_: tmp_path)
    with pytest.raises(RunError, match="is not the file that it was"):
        demo.demo_model()
    assert not list((tmp_path / "cache").rglob("*.onnx"))


def test_what_converts_it_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYVEG_CACHE", str(tmp_path))
    monkeypatch.setattr(demo, "is_installed", lambda name: name != "tflite")
    with pytest.raises(MissingPackageError, match="demo-model"):
        demo.demo_model()


def test_what_npm_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYVEG_CACHE", str(tmp_path))
    script = "import sys; sys.exit('404 no such package')"
    monkeypatch.setattr(npm, "_npm", lambda: [sys.executable, "-c", script])
    monkeypatch.setattr(npm, "node", lambda: sys.executable)
    with pytest.raises(RunError, match="it said: 404 no such package"):
        npm.installed("@nobody/nothing", "1.0.0")
    assert not (npm.folder_of("@nobody/nothing", "1.0.0", tmp_path) / "complete").exists()
    asked = json.loads((tmp_path / "nobody-nothing-1.0.0/package.json").read_text())
    assert asked["private"] is True


LITERT = {
    "chelsea": (1911, 8, (0.00525, -0.28475, 0.23638, -0.09199), 1.71279,
                (0.56545, 0.42906, 0.74549, 0.06219)),
    "astronaut": (1859, 4, (0.12772, -2.72814, 0.2106, 1.86391), 0.37276,
                  (-0.0666, 0.33452, 0.70357, -1.69442)),
}  # fmt: skip
"""What the network itself gives by LiteRT 2.3: anchor and class that are surest, the encoding of
its box and its logit, and the encoding of anchor 100."""
BOXES = {"chelsea": (0.007, 0.003, 0.94, 0.999), "astronaut": (0.041, 0.032, 0.708, 0.991)}
"""Left, top, right and bottom of these, from the encodings above and the anchors of SSD; the cat
fills its picture, and the astronaut's portrait most of hers."""


@pytest.mark.parametrize("name", LITERT)
def test_what_was_converted_gives_what_the_network_gives(name: str) -> None:
    anchor, kind, code, logit, hundredth = LITERT[name]
    path = demo.demo_model()
    plain = read_record(path.with_suffix(".json"))
    image = getattr(skimage.data, name)()
    values = input_of([image], checked_record(plain, "demo").input)
    session = onnxruntime.InferenceSession(path)
    codes, logits = session.run(["boxes", "logits"], {"images": values})
    np.testing.assert_allclose(codes[0, anchor], code, atol=1e-4)
    np.testing.assert_allclose(codes[0, 100], hundredth, atol=1e-4)
    assert logits[0, anchor, kind] == pytest.approx(logit, abs=1e-4)
    assert logits[0, :, 1:].max() == logits[0, anchor, kind]
    first = OnnxScorer(str(path), plain, 0.3).score([image])[0][0]
    left, top, width, height = first.box
    found = np.array([[left, top, left + width, top + height]])
    assert iou(found, np.array([BOXES[name]]))[0, 0] > 0.98
