"""The demo detector as it comes: what is not as it was is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pyveg import npm
from pyveg.core.errors import MissingPackageError, RunError
from pyveg.scorers import demo
from pyveg.scorers.record import read_record


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
