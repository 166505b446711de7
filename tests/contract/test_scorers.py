"""Every Scorer, on one and the same network: what one finds, all find."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import skimage.data
from matplotlib import cbook
from PIL import Image

from pyveg.core import registry
from pyveg.core.errors import ConfigError, DataError, ServiceAwayError, ServiceError
from pyveg.core.scorer import Detection, Scorer
from pyveg.scorers import patience
from pyveg.scorers.demo import demo_model
from pyveg.testing.model_servers import ServedModel, open_inference_server, tensorflow_server

KINDS = ("onnx", "kserve_v2 bytes", "kserve_v2 json", "tfserving bytes", "tfserving list")
Make = Callable[[str], tuple[str, str, ServedModel]]


@pytest.fixture(scope="module")
def network() -> ServedModel:
    """The demo detector, as a server has it."""
    session = onnxruntime.InferenceSession(demo_model(), providers=["CPUExecutionProvider"])
    names = ["boxes", "logits"]

    def compute(values: Any) -> dict[str, Any]:
        return dict(zip(names, session.run(names, {"images": values}), strict=True))

    return ServedModel(compute, outputs=tuple(names))


@pytest.fixture
def served(network: ServedModel, tmp_path: Path) -> Iterator[Make]:
    """Gives for each kind the Scorer's name, the model's address and its server."""
    record = json.loads(demo_model().with_suffix(".json").read_text())
    record["input"]["name"] = "images"
    (tmp_path / "record.json").write_text(json.dumps(record))
    with ExitStack() as stack:

        def make(kind: str) -> tuple[str, str, ServedModel]:
            name, _, how = kind.partition(" ")
            model = ServedModel(network.compute, outputs=network.outputs)
            model.takes_bytes, model.as_list = how == "bytes", how == "list"
            if name == "onnx":
                return name, str(demo_model()), model
            server = open_inference_server if name == "kserve_v2" else tensorflow_server
            return name, stack.enter_context(server(model)), model

        yield make


def _opened(name: str, where: str, record: Path, threshold: float = 0.2) -> Scorer:
    cls = registry.scorer_class(name)
    model = cls.find(where, str(record))
    assert model.digest == cls.digest_of(model.where, model.record)
    assert model.in_file == (name == "onnx")
    return cls(model.where, model.record, threshold)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_on_photographs_of_known_things(served: Make, kind: str, tmp_path: Path) -> None:
    name, where, _ = served(kind)
    scorer = _opened(name, where, tmp_path / "record.json")
    assert scorer.categories == {"1": "animal", "2": "person", "3": "vehicle"}
    assert scorer.wanted == (300, 300)
    with cbook.get_sample_data("grace_hopper.jpg") as stream:
        hopper = np.asarray(Image.open(stream).convert("RGB"))
    cat, person, admiral = scorer.score([skimage.data.chelsea(), skimage.data.astronaut(), hopper])
    assert (cat[0].category, person[0].category) == ("1", "2")
    assert cat[0].confidence == pytest.approx(0.847, abs=0.002)
    assert person[0].confidence == pytest.approx(0.592, abs=0.002)
    assert admiral[0].category == "2"
    assert admiral[0].confidence == pytest.approx(0.476, abs=0.002)
    for found in (cat, person, admiral):
        assert all(isinstance(one, Detection) for one in found)
        assert all(a.confidence >= b.confidence >= 0.2 for a, b in pairwise(found))
        boxes = np.array([one.box for one in found])
        assert (boxes >= 0).all()
        assert (boxes[:, :2] + boxes[:, 2:] <= 1 + 1e-9).all()
    np.testing.assert_allclose(cat[0].box, (0.007, 0.003, 0.933, 0.996), atol=0.002)
    scorer.close()


def test_all_give_equal_boxes(served: Make, tmp_path: Path) -> None:
    images = [skimage.data.astronaut(), skimage.data.chelsea()[:, ::-1], skimage.data.coffee()]
    expected = None
    for kind in KINDS:
        name, where, _ = served(kind)
        found = _opened(name, where, tmp_path / "record.json", 0.1).score(images)
        table = [(d.category, d.confidence, *d.box) for one in found for d in one]
        values = np.array([row[1:] for row in table])
        expected = expected if expected is not None else ([row[0] for row in table], values)
        assert [row[0] for row in table] == expected[0]
        np.testing.assert_allclose(values, expected[1], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_server_that_is_away_for_a_moment(served: Make, kind: str, tmp_path: Path) -> None:
    name, where, model = served(kind)
    scorer = _opened(name, where, tmp_path / "record.json")
    model.failures = [503, 0] if name == "kserve_v2" else [503]
    assert scorer.score([skimage.data.chelsea()])[0][0].category == "1"
    assert not model.failures


@pytest.mark.parametrize("kind", ["kserve_v2 json", "tfserving list"])
def test_a_server_that_stays_away(
    served: Make, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, where, model = served(kind)
    scorer = _opened(name, where, tmp_path / "record.json")
    monkeypatch.setattr(patience, "PATIENCE", 0.6)
    model.failures = [503] * 20
    with pytest.raises(ServiceAwayError, match=r"does not answer \((HTTP 503|UNAVAILABLE)\)"):
        scorer.score([skimage.data.chelsea()])


@pytest.mark.parametrize("kind", ["kserve_v2 json", "tfserving list"])
def test_a_model_that_is_not_there(served: Make, kind: str, tmp_path: Path) -> None:
    name, where, _ = served(kind)
    with pytest.raises(ServiceError, match=r"HTTP 404|NOT_FOUND"):
        _opened(name, where.replace("/detector", "/other"), tmp_path / "record.json")


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("kserve_v2", "http://host:8000/detector"),
        ("kserve_v2", "ftp://host/v2/models/x"),
        ("kserve_v2", "http://user:secret@host/v2/models/x"),
        ("tfserving", "http://host:8500/x"),
        ("tfserving", "grpc://host/x"),
    ],
)
def test_what_is_no_address(name: str, where: str, tmp_path: Path, served: Make) -> None:
    del served
    with pytest.raises(ConfigError, match="no address of a model") as error:
        registry.scorer_class(name).find(where, str(tmp_path / "record.json"))
    assert "secret@" not in str(error.value)


@pytest.mark.parametrize("name", ["kserve_v2", "tfserving"])
def test_a_server_has_no_record(name: str) -> None:
    with pytest.raises(ConfigError, match="name its record"):
        registry.scorer_class(name).find("http://host:8000/v2/models/x")


@pytest.mark.parametrize("kind", ["kserve_v2 bytes", "tfserving bytes", "tfserving list"])
def test_nan_is_no_answer(served: Make, kind: str, tmp_path: Path, network: ServedModel) -> None:
    name, where, model = served(kind)

    def broken(values: Any) -> dict[str, Any]:
        return {key: np.full_like(array, np.nan) for key, array in network.compute(values).items()}

    model.compute = broken
    scorer = _opened(name, where, tmp_path / "record.json")
    with pytest.raises(DataError, match="NaN"):
        scorer.score([skimage.data.chelsea()])
