"""The processes train and predict: files and arguments of the caller, programs of the operator."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pyveg.core.errors import ConfigError
from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import prepare, start
from pyveg.runs.run import open_run
from pyveg.service import child
from pyveg.service.config import ServiceConfig, settled
from pyveg.service.desk import Desk
from pyveg.service.processes import Processes
from pyveg.service.records import Caller
from pyveg.service.refusals import Refusal
from pyveg.service.states import JobState

TRAINER = """
import json, sys
from pathlib import Path
folder = Path(sys.argv[sys.argv.index("--save-dir") + 1])
(folder / "loss=0.5.ckpt").write_text(json.dumps(sys.argv[1:]))
(folder / "loss=0.31.ckpt").write_text("0.31")
(folder / "loss=1.05.ckpt").write_text("1.05")
"""
PREDICTOR = """
import json, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
found = {"data": {}, "model": open(given["--checkpoint-path"]).read()}
json.dump(found, open(given["--save-path"], "w"))
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
    assert report.exit_code == 0, (report.failures(), report.results)
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


def test_promotion_is_a_process_of_its_own(make_desk: Callable[..., Desk], tmp_path: Path) -> None:
    """What a job has trained is promoted later, by its owner, from its run alone."""
    (tmp_path / "app").mkdir()
    # By these names: a program called as the process is no config of the job
    (tmp_path / "app/train.py").write_text(TRAINER)
    (tmp_path / "app/predict.py").write_text(PREDICTOR)
    for name, text in (("c.csv", "id_str,file_loc,bare\na,a.png,1\n"), ("a.png", "an image")):
        (tmp_path / name).write_text(text)
    (tmp_path / "m.json").write_text('[["a.png", "{\\"subject_id\\": 1}"]]')
    parts = {"train": {"script": "app/train.py"}, "predict": {"script": "app/predict.py"}}
    desk = make_desk(runner="serial", trainings={"galaxy": parts}, input_locations=(".",))
    kim, ann, owner = Caller("kim"), Caller("ann"), Caller("op", admin=True)
    trained = {"training": "galaxy", "catalog": str(tmp_path / "c.csv")}

    def carried_out(process: str, inputs: dict[str, Any], state: JobState) -> str:
        job = desk.submit(kim, process, inputs).job
        order = {"process": job.process, "inputs": dict(job.inputs), "url": job.url}
        pipeline = child._pipeline(desk.config.job_folder(job.id), order, desk.config)
        report = start(prepare(pipeline, at=job.url), picture=False)
        assert (report.exit_code == 0) is (state is JobState.SUCCESSFUL), (
            report.failures(),
            report.results,
        )
        assert desk.jobs_table.move(job.id, JobState.RUNNING)
        assert desk.jobs_table.move(job.id, state)
        return job.id

    # A model that is damaged keeps the training from promoting; mended, it is promoted by itself
    models = tmp_path / "models/galaxy"
    models.mkdir(parents=True)
    (models / "current.json").write_text("damaged")
    job = carried_out("train", trained, JobState.FAILED)
    (models / "current.json").unlink()
    later = carried_out(
        "promote", {"job": job, "manifest": str(tmp_path / "m.json")}, JobState.SUCCESSFUL
    )
    current = json.loads((models / "current.json").read_text())
    assert (current["loss"], current["name"]) == (0.31, "loss=0.31.ckpt")
    assert job in current["run"]
    run = desk.jobs_table.get(later)
    assert run is not None
    [found] = Path(run.url).glob("model/_predictions/*/predictions.json")
    assert json.loads(found.read_text())["model"] == "0.31"
    waiting = desk.submit(kim, "train", trained).job.id
    for caller, inputs, status, words in (
        (kim, {"job": "none"}, 404, "no job none"),
        (ann, {"job": job}, 404, "no job"),
        (kim, {"job": later}, 422, "no training"),
        (kim, {"job": waiting}, 409, "is accepted"),
        (kim, {"job": job, "options": ["x"]}, 422, "options are those of a prediction"),
        (kim, {"job": job, "manifest": "/etc/passwd"}, 422, "in no place that callers may name"),
        (kim, {"job": job, "checkpoints": "/tmp"}, 422, "unknown input"),
        (owner, {"job": job}, None, ""),
    ):
        if status is None:
            assert desk.submit(caller, "promote", inputs).new
            continue
        with pytest.raises(Refusal) as caught:
            desk.submit(caller, "promote", inputs)
        assert (caught.value.status, words in str(caught.value)) == (status, True), inputs


def test_bad_catalogues_end_their_job_with_the_reason(
    make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    """The reference trainer; what is promoted stays, and what would predict is blocked."""
    head = "id_str,file_loc,bare,patterned\n"
    (tmp_path / "m.json").write_text('[["a/a.png", "{\\"subject_id\\": 1}"]]')
    for part in "ab":
        (tmp_path / part).mkdir()
        Image.new("L", (50, 50), 7).save(tmp_path / part / f"{part}.png")
    desk = make_desk(runner="serial", trainings={"chips": {}}, input_locations=(".",))
    path = tmp_path / "c.csv"
    given = {"training": "chips", "catalog": str(path), "manifest": str(tmp_path / "m.json")}

    def reasons(text: str) -> list[tuple[str, str]]:
        path.write_text(text)
        job = desk.submit(Caller("kim"), "train", given).job
        order = {"process": job.process, "inputs": dict(job.inputs), "url": job.url}
        try:
            pipeline = child._pipeline(desk.config.job_folder(job.id), order, desk.config)
            report = start(prepare(pipeline, at=job.url), picture=False)
        except ConfigError as error:  # before anything runs
            return [("refused", str(error))]
        return [(str(one.state), one.reason) for one in report.results.values()]

    for text, words in (
        ("id_str,bare,patterned\na,1,0\n", 'no column "file_loc"'),
        (f"{head}a,a/a.png,nan,1\n", "'nan' is no count"),
        (f"{head}a,../x.png,1,0\n", "leaves the folder"),
    ):
        [(state, said)] = reasons(text)
        assert (state, words in said) == ("refused", True), said
    states = reasons(f"{head}a,a/a.png,1,0\nb,b/b.png,1,0\n")
    assert [state for state, _ in states] == ["failed", "blocked", "blocked"]
    assert '0 folders have images of "patterned"' in states[0][1]
    assert all("ChipTrainer" in said for _, said in states[1:])
    assert not (tmp_path / "models/chips/current.json").exists()
