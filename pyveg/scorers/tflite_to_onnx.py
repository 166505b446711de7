"""A TensorFlow Lite network as ONNX, where it has the operations of a MobileNet detector.

Known are convolutions (depthwise too) with their fused activations, additions, reshapes,
concatenations, and weights in half precision. TensorFlow is not needed. Tensors of images are
turned to channels-first once, at the input, and back before they are reshaped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.core.errors import DataError

OPSET = 17
REVISION = 2
"""Changes with what is made of the same network, so that none is kept that an older one made."""
"""Of the operators that the result is made of; any ONNX Runtime of the last years knows them."""
_LIMITS = {0: None, 1: (0.0, None), 3: (0.0, 6.0)}
"""Fused activation of TensorFlow Lite -> least and largest value."""
_SAME = 0
_CURE = "convert it with a tool that knows all of TensorFlow, such as tf2onnx"


@dataclass
class _Graph:
    """What has been translated so far."""

    model: Any
    graph: Any
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)
    constants: dict[int, NDArray[Any]] = field(default_factory=dict)
    """Tensors of the network whose values are known."""
    as_there: set[int] = field(default_factory=set)
    """Tensors whose axes are as in the network; those of others stand channels first."""

    def shape(self, tensor: int) -> list[int]:
        return [int(length) for length in self.graph.Tensors(tensor).ShapeAsNumpy()]

    def constant(self, tensor: int) -> NDArray[Any]:
        """Values of a tensor that is part of the file."""
        if tensor not in self.constants:
            import tflite

            kinds = {tflite.TensorType.FLOAT16: np.float16, tflite.TensorType.FLOAT32: np.float32}
            about = self.graph.Tensors(tensor)
            kind = kinds.get(about.Type())
            if kind is None:
                raise DataError(f"the network has weights of type {about.Type()}", _CURE)
            raw = self.model.Buffers(about.Buffer()).DataAsNumpy().tobytes()
            self.constants[tensor] = np.frombuffer(raw, dtype=kind).reshape(self.shape(tensor))
        return self.constants[tensor]

    def keep(self, name: str, values: NDArray[Any]) -> str:
        """Have an array in the result, by a name."""
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Have an operation in the result."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def clipped(self, name: str, activation: int, output: str) -> None:
        """The fused activation behind an operation."""
        if activation not in _LIMITS:
            raise DataError(f"the network has the activation number {activation}", _CURE)
        limits = _LIMITS[activation]
        if limits is None:
            self.add("Identity", [name], output)
            return
        ends = [
            "" if end is None else self.keep(f"{output}_{which}", np.array(end, dtype=np.float32))
            for which, end in zip(("least", "largest"), limits, strict=True)
        ]
        self.add("Clip", [name, *ends], output)


def convert(data: bytes, outputs: Mapping[str, str]) -> bytes:
    """Translate a network.

    Parameters
    ----------
    data : bytes
        Of a ``.tflite`` file with one image as its input, ``[1, height, width, channels]``.
    outputs : mapping of str to str
        Name of an output in the file -> name in the result.

    Returns
    -------
    bytes
        Of an ``.onnx`` file whose input is called "images" and takes any number of images,
        ``[N, height, width, channels]``.

    Raises
    ------
    DataError
        If it does something that is not known here.
    """
    import tflite
    from onnx import TensorProto, checker, helper

    model = tflite.Model.GetRootAs(data, 0)
    state = _Graph(model, model.Subgraphs(0))
    first = int(state.graph.InputsAsNumpy()[0])
    state.add("Transpose", ["images"], _name(first), perm=[0, 3, 1, 2])
    for number in range(state.graph.OperatorsLength()):
        _translate(state, state.graph.Operators(number))
    ends = []
    for tensor in map(int, state.graph.OutputsAsNumpy()):
        called = outputs[state.graph.Tensors(tensor).Name().decode()]
        if tensor not in state.as_there:
            raise DataError(f'the output "{called}" has channels, which is not known here', _CURE)
        state.add("Identity", [_name(tensor)], called)
        shape: list[str | int | None] = ["N", *state.shape(tensor)[1:]]
        ends.append(helper.make_tensor_value_info(called, TensorProto.FLOAT, shape))
    begin: list[str | int | None] = ["N", *state.shape(first)[1:]]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, begin)
    graph = helper.make_graph(state.nodes, "detector", [images], ends, state.weights)
    result = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    checker.check_model(result)
    return bytes(result.SerializeToString())


def _name(tensor: int) -> str:
    return f"t{tensor}"


def _translate(state: _Graph, operation: Any) -> None:
    import tflite

    code = state.model.OperatorCodes(operation.OpcodeIndex())
    # Files of before 2020 have the number in the older field, which holds one byte.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    kinds: dict[int, Callable[[_Graph, Any, list[int], int], None]] = {
        tflite.BuiltinOperator.DEQUANTIZE: _dequantize,
        tflite.BuiltinOperator.CONV_2D: _convolution,
        tflite.BuiltinOperator.DEPTHWISE_CONV_2D: _depthwise,
        tflite.BuiltinOperator.ADD: _addition,
        tflite.BuiltinOperator.RESHAPE: _reshape,
        tflite.BuiltinOperator.CONCATENATION: _concatenation,
    }
    if number not in kinds:
        raise DataError(f"the network has the operation number {number}", _CURE)
    inputs = [int(tensor) for tensor in operation.InputsAsNumpy()]
    kinds[number](state, operation.BuiltinOptions(), inputs, int(operation.OutputsAsNumpy()[0]))


def _options(cls: Any, table: Any) -> Any:
    found = cls()
    found.Init(table.Bytes, table.Pos)
    return found


def _dequantize(state: _Graph, _: Any, inputs: list[int], output: int) -> None:
    state.constants[output] = state.constant(inputs[0]).astype(np.float32)


def _convolution(state: _Graph, table: Any, inputs: list[int], output: int) -> None:
    import tflite

    # [out, height, width, in] there, [out, in, height, width] here
    weights = state.constant(inputs[1]).transpose(0, 3, 1, 2)
    _convolve(state, _options(tflite.Conv2DOptions, table), inputs, output, weights)


def _depthwise(state: _Graph, table: Any, inputs: list[int], output: int) -> None:
    import tflite

    options = _options(tflite.DepthwiseConv2DOptions, table)
    if options.DepthMultiplier() != 1:
        raise DataError("the network has a depth multiplier", _CURE)
    # [1, height, width, channels] there, [channels, 1, height, width] here
    weights = state.constant(inputs[1]).transpose(3, 0, 1, 2)
    _convolve(state, options, inputs, output, weights)


def _convolve(
    state: _Graph,
    options: Any,
    inputs: list[int],
    output: int,
    weights: NDArray[Any],
) -> None:
    """A convolution of as many groups as the weights leave of the channels."""
    if options.Padding() != _SAME or options.DilationHFactor() != 1:
        raise DataError("the network has convolutions of a kind that is not known here", _CURE)
    name = _name(output)
    arrays = [
        state.keep(f"{name}_weights", weights.astype(np.float32)),
        state.keep(f"{name}_bias", state.constant(inputs[2]).astype(np.float32)),
    ]
    state.add(
        "Conv",
        [_name(inputs[0]), *arrays],
        f"{name}_sum",
        auto_pad="SAME_UPPER",
        group=state.shape(inputs[0])[-1] // weights.shape[1],
        strides=[options.StrideH(), options.StrideW()],
    )
    state.clipped(f"{name}_sum", options.FusedActivationFunction(), name)


def _addition(state: _Graph, table: Any, inputs: list[int], output: int) -> None:
    import tflite

    name = _name(output)
    state.add("Add", list(map(_name, inputs)), f"{name}_sum")
    options = _options(tflite.AddOptions, table)
    state.clipped(f"{name}_sum", options.FusedActivationFunction(), name)


def _reshape(state: _Graph, _: Any, inputs: list[int], output: int) -> None:
    name, source = _name(output), _name(inputs[0])
    if inputs[0] not in state.as_there:
        source = state.add("Transpose", [source], f"{name}_turned", perm=[0, 2, 3, 1])
    # 0 keeps the number of images, whatever it is.
    shape = state.keep(f"{name}_shape", np.array([0, *state.shape(output)[1:]], dtype=np.int64))
    state.add("Reshape", [source, shape], name)
    state.as_there.add(output)


def _concatenation(state: _Graph, table: Any, inputs: list[int], output: int) -> None:
    import tflite

    if not state.as_there.issuperset(inputs):
        raise DataError("the network joins channels, which is not known here", _CURE)
    axis = _options(tflite.ConcatenationOptions, table).Axis()
    state.add("Concat", list(map(_name, inputs)), _name(output), axis=axis)
    state.as_there.add(output)
