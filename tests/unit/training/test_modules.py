"""Train, promote and predict as one Pipeline, with programs that know nothing of pyveg."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pyveg.core.errors import ConfigError
from pyveg.core.report import RunReport
from pyveg.core.tasks import State
from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import prepare, start
from pyveg.jobs.training import make_settings, manifest_of_folder
from pyveg.photos import ENDINGS
from pyveg.runs.run import open_run
from pyveg.storage.local import LocalStore
from pyveg.training import promotion

TRAINER = """
import json, os, sys
from pathlib import Path
given = sys.argv[1:]
folder = Path(given[given.index("--save-dir") + 1])
options = given[: given.index("--catalog")]
losses = [text for text in options if text.replace(".", "").isdigit()]
for loss in losses:
    (folder / f"epoch=1-loss={float(loss):.2f}.ckpt").write_text(loss)
(folder / "said.json").write_text(json.dumps([given, os.environ["TRAINING_CONTAINER_MOUNT_DIR"]]))
if "fail" in options:
    sys.exit("the loss is not finite")
"""
PREDICTOR = """
import json, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
model = open(given["--checkpoint-path"]).read()
subjects = json.load(open(given["--catalog-url"]))
found = {json.loads(about)["subject_id"]: {"0": [float(model), []]} for _, about in subjects}
json.dump({"data": found, "failures": []}, open(given["--save-path"], "w"))
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two programs, one image, a catalogue and a manifest."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYVEG_CACHE", str(tmp_path / "cache"))
    (tmp_path / "app").mkdir()
    (tmp_path / "app/train.py").write_text(TRAINER)
    (tmp_path / "app/predict.py").write_text(PREDICTOR)
    (tmp_path / "a.png").write_bytes(b"an image to programs that do not look")
    (tmp_path / "catalogue.csv").write_text("id_str,file_loc,bare,patterned\na,a.png,0,3\n")
    (tmp_path / "manifest.json").write_text(manifest_of_folder(tmp_path, ENDINGS))
    return tmp_path


def _settings(*options: str, predict: bool = True, **train: Any) -> dict[str, Any]:
    given = {"catalog": "catalogue.csv", "script": "app/train.py", "options": options, **train}
    after = {"manifest": "manifest.json", "script": "app/predict.py"} if predict else {}
    top = {"output_location": "run", "runner": "serial"}
    return make_settings(top, given, {"model": "galaxy"}, after)


def _run(settings: dict[str, Any]) -> RunReport:
    return start(prepare(resolve(settings)), picture=False)


def _states(report: RunReport) -> list[State]:
    return [result.state for result in report.results.values()]


def _predicted(report: RunReport) -> float:
    store = open_run(report.url).store
    found = json.loads(store.read("model/_predictions/catalogue.csv/predictions.json"))
    value: float = found["data"]["a.png"]["0"][0]
    return value


def test_the_least_of_31_50_and_105_is_promoted_and_used_and_stays_until_a_better_one(
    desk: Path,
) -> None:
    assert _predicted(_run(_settings(".50", "1.05", ".31"))) == 0.31
    models = LocalStore(desk / "models")
    first = promotion.current(models, "galaxy")
    assert first is not None
    assert (first.loss, first.name) == (0.31, "epoch=1-loss=0.31.ckpt")
    worse = _run(_settings(".40"))
    assert _predicted(worse) == 0.31  # the one that is used, and not the one that was trained
    assert promotion.current(models, "galaxy") == first
    assert _predicted(_run(_settings(".30"))) == 0.30
    lines = models.read("galaxy/history.jsonl").decode().splitlines()
    assert [json.loads(line)["loss"] for line in lines] == [0.31, 0.30]
    assert models.read(first.files[0]) == b".31"  # the former one is kept


def test_a_training_that_fails_promotes_nothing_and_blocks_its_prediction(desk: Path) -> None:
    report = _run(_settings(".31", "fail"))
    assert _states(report) == [State.FAILED, State.BLOCKED, State.BLOCKED]
    reasons = [result.reason for result in report.results.values()]
    assert "the loss is not finite" in reasons[0]
    assert all("TrainModel" in reason for reason in reasons[1:])
    assert not (desk / "models").exists()


@pytest.mark.parametrize("loss", ["nan", "none"])
def test_a_checkpoint_without_a_loss_is_not_promoted(desk: Path, loss: str) -> None:
    text = TRAINER + f'\n(folder / "last-{loss}.ckpt").write_text("")\n'
    (desk / "app/train.py").write_text(text)
    report = _run(_settings(".31"))
    assert _states(report) == [State.SUCCEEDED, State.FAILED, State.BLOCKED]
    assert "no loss that can be compared" in [r.reason for r in report.results.values()][1]
    assert not list((desk / "models").glob("*/current.json"))


def test_options_arrive_as_they_are_and_run_nothing(desk: Path) -> None:
    odd = ("../x", "; touch hacked", "$(touch hacked)", "{input}", "a b", "`touch hacked`", ".5")
    report = _run(_settings(*odd, predict=False))
    store = open_run(report.url).store
    given, mount = json.loads(store.read("model/catalogue.csv/said.json"))
    assert given[: len(odd)] == list(odd)
    assert given[len(odd) :: 2] == ["--catalog", "--save-dir", "--checkpoint"]
    assert mount == str(desk)
    assert not list(desk.rglob("hacked"))


def test_a_run_that_is_finished_does_nothing_again(desk: Path) -> None:
    report = _run(_settings(".31"))
    again = start(prepare(resolve(_settings(".31")), from_cache=report.url), picture=False)
    assert set(_states(again)) == {State.CACHED}
    (desk / "a.png").write_bytes(b"another image")
    changed = start(prepare(resolve(_settings(".31")), from_cache=report.url), picture=False)
    assert set(_states(changed)) == {State.SUCCEEDED}


def test_the_promoted_model_predicts_alone(desk: Path) -> None:
    _run(_settings(".31", predict=False))
    given = {"manifest": "manifest.json", "script": "app/predict.py"}
    top = {"output_location": "other", "runner": "serial"}
    report = _run(make_settings(top, {}, {"model": "galaxy"}, given))
    store = open_run(report.url).store
    found = json.loads(store.read("model/_predictions/manifest.json/predictions.json"))
    assert found["data"] == {"a.png": {"0": [0.31, []]}}
    with pytest.raises(ConfigError, match="no model"):
        resolve(make_settings(top, {}, {"model": "other"}, given))
    assert desk.exists()


def test_checkpoints_that_are_there_are_promoted_without_a_training(desk: Path) -> None:
    folder = desk / "old"
    folder.mkdir()
    for loss in ("0.5", "0.31", "1.05"):
        (folder / f"{loss}.ckpt").write_text(loss)
    given = {"manifest": "manifest.json", "script": "app/predict.py"}
    top = {"output_location": "other", "runner": "serial"}
    promote = {"model": "galaxy", "checkpoints": "old"}
    report = _run(make_settings(top, {}, promote, given))
    store = open_run(report.url).store
    found = json.loads(store.read("model/_predictions/old/predictions.json"))
    assert found["data"] == {"a.png": {"0": [0.31, []]}}
    again = start(
        prepare(resolve(make_settings(top, {}, promote, given)), from_cache=report.url),
        picture=False,
    )
    assert set(_states(again)) == {State.CACHED}
    (folder / "losses.json").write_text('{"1.05.ckpt": 0.2}')
    _run(make_settings(top, {}, promote, {}))
    used = promotion.current(LocalStore(desk / "models"), "galaxy")
    assert used is not None
    assert (used.loss, used.name) == (0.2, "1.05.ckpt")
    # Trained again: files of the same names and sizes, with other losses.
    (folder / "losses.json").write_text('{"0.31.ckpt": 0.1}')
    alone = make_settings(top, {}, promote, {})
    first = _run(alone)
    (folder / "losses.json").write_text('{"1.05.ckpt": 0.0}')
    start(prepare(resolve(alone), from_cache=first.url), picture=False)
    used = promotion.current(LocalStore(desk / "models"), "galaxy")
    assert used is not None
    assert used.loss == 0.0
    with pytest.raises(ConfigError, match="there is no folder"):
        resolve(make_settings(top, {}, {**promote, "checkpoints": "gone"}, {}))


REFUSED = {
    "no catalogue": ({"catalog": "missing.csv"}, "there is no file"),
    "no script": ({"script": "app/missing.py"}, "there is no script"),
    "a script elsewhere": (
        {"script": "../elsewhere.py", "application": "app"},
        "not in its application",
    ),
    "no checkpoint": ({"checkpoint": "missing.ckpt"}, "there is no checkpoint"),
    "a command": ({"command": ("sh",)}, "command is made"),
    "no image": ({"images": "app"}, "no image of it"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_refused_before_the_run(desk: Path, name: str) -> None:
    given, said = REFUSED[name]
    with pytest.raises(ConfigError, match=said):
        prepare(resolve(_settings(".31", **given)))
    assert not list(desk.glob("run_*"))


@pytest.mark.parametrize("text", ["id_str,bare\na,1\n", "id_str,file_loc,bare\na,a.png,nan\n"])
def test_a_bad_catalogue_is_refused_before_the_run(desk: Path, text: str) -> None:
    (desk / "catalogue.csv").write_text(text)
    with pytest.raises(ConfigError, match=r"catalogue\.csv"):
        resolve(_settings(".31"))


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", '[["a.png"]]', '[["a.png", "{}"]]'])
def test_a_bad_manifest_is_refused_before_the_run(desk: Path, text: str) -> None:
    (desk / "manifest.json").write_text(text)
    with pytest.raises(ConfigError, match=r"manifest\.json"):
        resolve(_settings(".31"))


def test_an_image_of_a_manifest_cannot_be_elsewhere(desk: Path) -> None:
    (desk / "manifest.json").write_text('[["../x.png", "{\\"subject_id\\": 1}"]]')
    with pytest.raises(ConfigError, match="no path below the folder"):
        prepare(resolve(_settings(".31")))


def test_of_promotions_at_once_the_best_one_stays(tmp_path: Path) -> None:
    losses = [0.9, 0.3, 0.7, 0.2, 0.5, 0.4]

    def act(loss: float) -> None:
        best = promotion.Checkpoint("a.ckpt", loss)
        promotion.promote(LocalStore(tmp_path), "m", best, {"a.ckpt": str(loss).encode()})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(act, losses))
    used = promotion.current(LocalStore(tmp_path), "m")
    assert used is not None
    assert used.loss == 0.2
    assert LocalStore(tmp_path).read(used.files[0]) == b"0.2"
    lines = LocalStore(tmp_path).read("m/history.jsonl").splitlines()
    told = [json.loads(line)["loss"] for line in lines]
    assert told == sorted(told, reverse=True)


def test_a_promotion_that_was_broken_off_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, best = LocalStore(tmp_path), promotion.Checkpoint("a.ckpt", 0.2)
    real = LocalStore.write

    def broken(self: LocalStore, key: str, data: bytes) -> None:
        if key.endswith("current.json"):
            raise OSError("the machine was switched off")
        real(self, key, data)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "write", broken)
        with pytest.raises(OSError, match="switched off"):
            promotion.promote(models, "m", best, {"a.ckpt": b"x"})
    assert promotion.current(models, "m") is None
    assert promotion.promote(models, "m", best, {"a.ckpt": b"x"})[1]
    assert len(models.read("m/history.jsonl").splitlines()) == 1
