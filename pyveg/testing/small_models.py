"""Models of a few numbers, whose answers are known: for tests of scoring."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_OPSET, _IR = 13, 8
COLOURS = ("red", "green", "blue")


def colour_model(folder: Path, **record: Any) -> Path:
    """A classifier that says how red, green and blue an image is, each between 0 and 1.

    Parameters
    ----------
    folder : Path
        Where ``colours.onnx`` and its record are written.
    record : Any
        Entries of the record that are other than usual.

    Returns
    -------
    Path
        Of the model.
    """
    from onnx import helper

    axes = helper.make_node("ReduceMean", ["images"], ["scores"], axes=[1, 2], keepdims=0)
    about = {
        "detector": "colours",
        "input": {"size": [4, 4], "layout": "NHWC"},
        "head": "scores",
        "classes": list(COLOURS),
    }
    path = folder / "colours.onnx"
    path.with_suffix(".json").write_text(json.dumps({**about, **record}))
    _write(path, [axes], ["N", 4, 4, 3], {"scores": ["N", 3]})
    return path


def constant_model(
    path: Path, outputs: Mapping[str, NDArray[np.float32]], record: Mapping[str, Any]
) -> Path:
    """A model that answers the same, whatever the image.

    Parameters
    ----------
    path : Path
        Of the ``.onnx`` file; its record is written beside it.
    outputs : mapping of str to array of float32
        For one image, with a first axis of length 1.
    record : mapping
        Its input must be ``NCHW``.

    Returns
    -------
    Path
        `path`.
    """
    from onnx import helper, numpy_helper

    nodes, weights = [helper.make_node("ReduceSum", ["images"], ["sum"], keepdims=0)], []
    zero = numpy_helper.from_array(np.zeros((), np.float32), "zero")
    nodes.append(helper.make_node("Mul", ["sum", "zero"], ["nothing"]))
    for name, values in outputs.items():
        weights.append(numpy_helper.from_array(values, f"{name}_values"))
        nodes.append(helper.make_node("Add", [f"{name}_values", "nothing"], [name]))
    height, width = record["input"]["size"]
    shapes = {name: list(values.shape) for name, values in outputs.items()}
    path.with_suffix(".json").write_text(json.dumps(record))
    _write(path, nodes, ["N", 3, height, width], shapes, [zero, *weights])
    return path


def _write(
    path: Path,
    nodes: Sequence[Any],
    takes: Sequence[str | int],
    gives: Mapping[str, Sequence[str | int]],
    weights: Sequence[Any] = (),
) -> None:
    from onnx import TensorProto, checker, helper

    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, takes)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in gives.items()
    ]
    graph = helper.make_graph(nodes, "small", [images], ends, list(weights))
    opset = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=_IR)
    checker.check_model(model)
    path.write_bytes(model.SerializeToString())
