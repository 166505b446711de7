"""A classifier of chips by how their brightness varies at several scales, as an ONNX model.

Bare ground varies from pixel to pixel by the noise of the sensor alone, which is averaged out in
larger squares; a vegetation pattern varies over tens of metres, and stays. So the features are the
mean of a chip and the logarithm of the variance of its squares of 1, 2, 5 and 10 pixels. They do
not change when a pattern is shifted or turned by quarters. A logistic regression on them is fitted
by scikit-learn, and written as a graph of eight kinds of ONNX operators that takes the image
itself, so that whoever runs the model needs nothing of pyveg.

The graph is made here, and not by skl2onnx: that converts the regression alone, while the features
would stay outside of the model; and it would be one more package to install.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 50
"""Pixels of a chip's side."""
SCALES = (1, 2, 5, 10)
"""Sides of the squares whose variance counts, pixels; divisors of `SIDE`."""
FLOOR = 1e-6
"""Added to variances, so that a plain chip has a logarithm; of the square of brightness 0 to 1."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Texture:
    """A fitted classifier of two classes."""

    weights: Array
    """Of the features, shape (5,)."""
    bias: float
    classes: tuple[str, str]
    """Their names; the probability is that of the second."""

    def probability(self, chips: NDArray[np.uint8]) -> Array:
        """Probability of the second class.

        Parameters
        ----------
        chips : (n, 50, 50, 3) uint8 array

        Returns
        -------
        (n,) float64 array
        """
        return 1 / (1 + np.exp(-(features(chips) @ self.weights + self.bias)))


def features(chips: NDArray[np.uint8]) -> Array:
    """Mean brightness of each chip, and the logarithm of its variance at each scale.

    Parameters
    ----------
    chips : (n, 50, 50, 3) uint8 array

    Returns
    -------
    (n, 5) float64 array
        Brightness is from 0 to 1, so variances have no unit.

    Examples
    --------
    >>> plain = np.full((1, 50, 50, 3), 51, dtype=np.uint8)
    >>> features(plain).round(3).tolist()
    [[0.2, -13.816, -13.816, -13.816, -13.816]]
    """
    grey = chips.astype(np.float64).mean(axis=3) / 255
    found = [grey.mean(axis=(1, 2))]
    for scale in SCALES:
        count = SIDE // scale
        squares = grey.reshape(len(grey), count, scale, count, scale).mean(axis=(2, 4))
        found.append(np.log(squares.var(axis=(1, 2)) + FLOOR))
    return np.stack(found, axis=1)


def fit(found: Array, labels: NDArray[np.int_], classes: Sequence[str], strength: float) -> Texture:
    """Fit a classifier.

    Parameters
    ----------
    found : (n, 5) array
        Features.
    labels : (n,) array of int
        0 or 1; both occur.
    classes : sequence of str
        Names of the two.
    strength : float
        Inverse strength of the penalty on large weights, above 0: scikit-learn's ``C``.

    Raises
    ------
    ValueError
        If there is one class alone.
    """
    from sklearn.linear_model import LogisticRegression

    mean, spread = found.mean(axis=0), found.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    # Balanced, as there may be ten bare chips for a patterned one.
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)
    model.fit((found - mean) / spread, labels)
    weights = model.coef_[0] / spread
    first, second = classes
    return Texture(weights, float(model.intercept_[0] - weights @ mean), (first, second))


def log_loss(probability: Array, labels: NDArray[np.int_]) -> float:
    """Mean negative logarithm of the probability that was given to the true class, nats.

    Examples
    --------
    >>> round(log_loss(np.array([0.5, 0.5]), np.array([0, 1])), 4)
    0.6931
    """
    true = np.where(labels == 1, probability, 1 - probability)
    return float(-np.log(np.clip(true, 1e-15, 1)).mean())


def to_onnx(model: Texture) -> bytes:
    """The classifier as an ONNX model: from images to the probabilities of both classes.

    Parameters
    ----------
    model : Texture

    Returns
    -------
    bytes
        Input ``image``, float32 of shape (n, 3, 50, 50) from 0 to 1; output ``scores``, float32 of
        shape (n, 2).
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def constant(name: str, values: Any, kind: type = np.float32) -> Any:
        return numpy_helper.from_array(np.asarray(values, dtype=kind), name)

    node = helper.make_node
    nodes = [
        node("ReduceMean", ["image"], ["grey"], axes=[1], keepdims=1),
        node("ReduceMean", ["grey"], ["mean4"], axes=[2, 3], keepdims=1),
        node("Reshape", ["mean4", "column"], ["mean"]),
    ]
    names = ["mean"]
    for scale in SCALES:
        made = "grey" if scale == 1 else f"squares{scale}"
        if scale > 1:
            shape = [scale, scale]
            nodes.append(node("AveragePool", ["grey"], [made], kernel_shape=shape, strides=shape))
        # Deviations from the chip's mean first: the difference of two squares loses all digits.
        nodes += [
            node("Sub", [made, "mean4"], [f"off{scale}"]),
            node("Mul", [f"off{scale}", f"off{scale}"], [f"square{scale}"]),
            node("ReduceMean", [f"square{scale}"], [f"var{scale}"], axes=[2, 3], keepdims=1),
            node("Reshape", [f"var{scale}", "column"], [f"column{scale}"]),
            node("Add", [f"column{scale}", "floor"], [f"above{scale}"]),
            node("Log", [f"above{scale}"], [f"log{scale}"]),
        ]
        names.append(f"log{scale}")
    nodes += [
        node("Concat", names, ["features"], axis=1),
        node("Gemm", ["features", "weights", "bias"], ["logits"]),
        node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    zeros = np.zeros_like(model.weights)
    graph = helper.make_graph(
        nodes,
        "texture",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2])],
        [
            constant("column", [-1, 1], np.int64),
            constant("floor", FLOOR),
            constant("weights", np.stack([zeros, model.weights], axis=1)),
            constant("bias", [0.0, model.bias]),
        ],
    )
    made_model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made_model.ir_version = 8  # read by every ONNX Runtime since 1.10
    onnx.checker.check_model(made_model)
    data: bytes = made_model.SerializeToString()
    return data


def record_of(model: Texture, detector: str) -> dict[str, Any]:
    """What stands beside the model, so that `ScoreImages` can use it."""
    assert math.isfinite(model.bias)
    return {
        "detector": detector,
        "input": {"size": [SIDE, SIDE], "layout": "NCHW", "name": "image"},
        "head": "scores",
        "classes": list(model.classes),
        "outputs": ["scores"],
    }
