"""Models on TensorFlow Serving, by gRPC.

Its address names the model: ``grpc://host:8500/NAME``, with ``/3`` behind it where not the newest
version is meant.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.core.errors import ConfigError, DataError, ServiceError
from pyveg.core.loopback import is_loopback
from pyveg.core.scorer import Array, Detection
from pyveg.core.secrets import redacted
from pyveg.core.texts import cut
from pyveg.scorers.base import LOOK, ServerScorer
from pyveg.scorers.heads import detections_of, input_of
from pyveg.scorers.patience import AwayError, patiently
from pyveg.scorers.tensorflow_messages import messages

_ADDRESS = re.compile(r"grpc://(?P<server>[\w.-]+:\d+)/(?P<name>[\w.-]+)(?:/(?P<version>\d+))?/?$")
_FLOAT = 1
_AVAILABLE = 30
_SECONDS = 60.0
_LARGEST = 256 * 2**20
"""Bytes of a message; gRPC's own limit of 4 MB is less than one image of high definition."""
_PASSING = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED")
_OURS = ("INVALID_ARGUMENT", "OUT_OF_RANGE")


class TensorFlowScorer(ServerScorer):
    """A model on TensorFlow Serving; see `pyveg.core.scorer.Scorer`."""

    def __init__(self, where: str, record: Mapping[str, Any], threshold: float) -> None:
        super().__init__(where, record, threshold)
        self._server = _Server(where)
        self.name = self._record.model.detector or self._server.model
        if not self._record.input.name:
            raise ConfigError(
                f"the record of {where} does not name the input of the model",
                'add "input": {"name": ...}; saved_model_cli shows it',
            )

    @classmethod
    def digest_of(cls, where: str, record: Mapping[str, Any]) -> str:
        """Of its address, its version, and its record."""
        server = _Server(where)
        try:
            version = server.version()
        finally:
            server.close()
        about = json.dumps([where, version, record], sort_keys=True)
        return hashlib.sha256(about.encode()).hexdigest()

    def score(self, images: Sequence[Array]) -> list[list[Detection]]:
        """Look at some images, in one request."""
        values = input_of(images, self._record.input)
        outputs = self._server.predict(self._record.input.name, values)
        return detections_of(outputs, images, self._record, self._threshold)

    def close(self) -> None:
        """End its connection."""
        self._server.close()


class _Server:
    """Requests to one model."""

    def __init__(self, where: str) -> None:
        import grpc

        match = _ADDRESS.match(where)
        if match is None:
            raise ConfigError(
                f"{redacted(where)} is no address of a model", "write it as grpc://host:8500/NAME"
            )
        self.model, self.whom = match["name"], match["server"]
        self._asked_version = match["version"]
        sizes = ("grpc.max_receive_message_length", "grpc.max_send_message_length")
        options = [(name, _LARGEST) for name in sizes]
        if is_loopback(self.whom.rpartition(":")[0]):
            options.append(("grpc.enable_http_proxy", 0))
        self._channel = grpc.insecure_channel(self.whom, options=options)

    def close(self) -> None:
        self._channel.close()

    def version(self) -> int:
        """The version that answers: the one that was asked for, or the newest."""
        request = messages()["GetModelStatusRequest"](model_spec=self._spec())
        call = "tensorflow.serving.ModelService/GetModelStatus"
        reply = self._ask(call, request, "GetModelStatusResponse", LOOK)
        ready = [one.version for one in reply.model_version_status if one.state == _AVAILABLE]
        if not ready:
            raise ServiceError(
                f"no version of the model {self.model} is ready at {self.whom}",
                "see the server's log, or ask for another version",
            )
        return int(max(ready))

    def predict(self, name: str, values: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Numbers for numbers."""
        kinds = messages()
        shape = kinds["Shape"](dim=[kinds["Dim"](size=length) for length in values.shape])
        content = values.astype("<f4").tobytes()
        tensor = kinds["Tensor"](dtype=_FLOAT, tensor_shape=shape, tensor_content=content)
        request = kinds["PredictRequest"](
            model_spec=self._spec(), inputs=[kinds["NamedTensor"](key=name, value=tensor)]
        )
        call = "tensorflow.serving.PredictionService/Predict"
        reply = self._ask(call, request, "PredictResponse", None)
        return {one.key: _array(one.key, one.value, self.whom) for one in sorted_by_key(reply)}

    def _spec(self) -> Any:
        kinds = messages()
        version = self._asked_version
        chosen = {"version": kinds["Version"](value=int(version))} if version else {}
        return kinds["ModelSpec"](name=self.model, **chosen)

    def _ask(self, call: str, request: Any, answer: str, patience: float | None) -> Any:
        import grpc

        ask = self._channel.unary_unary(
            f"/{call}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=messages()[answer].FromString,
        )

        def once() -> Any:
            try:
                return ask(request, timeout=_SECONDS)
            except grpc.RpcError as error:
                raise self._meant(error) from error

        return patiently(once, self.whom, patience)

    def _meant(self, error: Any) -> Exception:
        """What an error of gRPC means for a run."""
        code, said = error.code().name, cut(error.details() or "", 200)
        if code in _PASSING:
            return AwayError(code)
        if code in _OURS:
            return DataError(
                f"the model refuses its input: {said}", "look at size and layout in its record"
            )
        return ServiceError(
            f"{self.whom} answers {code}: {said}", "see that the model is there, by that name"
        )


def sorted_by_key(reply: Any) -> list[Any]:
    """Outputs in the order of their names: those of a map have none."""
    return sorted(reply.outputs, key=lambda one: str(one.key))


def _array(name: str, tensor: Any, whom: str) -> NDArray[Any]:
    """Numbers of a tensor, which servers send in one of two fields."""
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.dtype != _FLOAT:
        raise DataError(
            f'the output "{name}" of the model has the type number {tensor.dtype}',
            "export the model with outputs of 32-bit floats",
        )
    values = (
        np.frombuffer(tensor.tensor_content, "<f4")
        if tensor.tensor_content
        else np.asarray(tensor.float_val, dtype=np.float32)
    )
    if values.size == 1 and values.size != np.prod(shape):
        values = np.full(int(np.prod(shape)), values[0])  # a constant is sent once
    try:
        return values.reshape(shape)
    except ValueError as error:
        raise ServiceError(
            f'{whom} sends {values.size} numbers as "{name}", which should be {shape}',
            "see the server's log",
        ) from error
