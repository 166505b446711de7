"""The processes train and predict: files and arguments of the caller, programs of the operator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import ConfigError
from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import prepare, start
from pyveg.runs.run import open_run
from pyveg.service.config import ServiceConfig, settled
from pyveg.service.processes import Processes
from pyveg.service.refusals import Refusal

TRAINER = """
import json, sys
from pathlib import Path
folder = Path(sys.argv[sys.argv.index("--save-dir") + 1])
(folder / "loss=0.5.ckpt").write_text(json.dumps(sys.argv[1:]))
"""


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    (tmp_path / "train.py").write_text(TRAINER)
    (tmp_path / "files").mkdir()
    (tmp_path / "files/a.png").write_text("an image")
    text = "id_str,file_loc,bare,patterned\na,a.png,0,1\n"
    (tmp_path / "files/c.csv").write_text(text)
    (tmp_path / "outside.csv").write_text(text)
    trainings = {"galaxy": {"train": {"script": "train.py", "options": ["--fast"]}}}
    config = ServiceConfig(trainings=trainings, input_locations=("files",))
    return Processes(settled(config, tmp_path))


def _inputs(folder: Path, **more: Any) -> dict[str, Any]:
    return {"training": "galaxy", "catalog": str(folder / "files/c.csv"), **more}


def test_options_of_callers_are_arguments(processes: Processes, tmp_path: Path) -> None:
    odd = ["../x", "; touch hacked", "$(touch hacked)"]
    process = processes.get("train")
    given = process.checked(_inputs(tmp_path, options=odd))
    top = {"output_location": str(tmp_path / "run"), "runner": "serial"}
    report = start(prepare(resolve({**process.make(given), **top})), picture=False)
    assert report.exit_code == 0, report.failures()
    said = json.loads(open_run(report.url).store.read("model/c.csv/loss%3D0.5.ckpt"))
    assert said[:4] == ["--fast", *odd]
    assert not list(tmp_path.rglob("hacked"))
    assert (tmp_path / "models/galaxy/current.json").is_file()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"training": "mine"}, "galaxy"),
        ({"catalog": "OUT"}, "in no place that callers may name"),
        ({"catalog": "/etc/passwd"}, "in no place that callers may name"),
        ({"manifest": "http://127.0.0.1/a"}, "in no place that callers may name"),
        ({"options": ["a\0b"]}, "NUL"),
        ({"script": "x.py"}, "unknown input"),
    ],
)
def test_what_callers_may_not_say(
    processes: Processes, tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    more = {name: str(tmp_path / "outside.csv") if v == "OUT" else v for name, v in more.items()}
    with pytest.raises(Refusal) as caught:
        processes.get("train").checked(_inputs(tmp_path, **more))
    assert caught.value.status == 422
    assert words in f"{caught.value}"


def test_no_training_is_no_process() -> None:
    with pytest.raises(Refusal, match="predict"):
        Processes(ServiceConfig()).get("predict")


def test_a_training_has_three_parts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="other parts"):
        settled(ServiceConfig(trainings={"a": {"scripts": {}}}), tmp_path)
