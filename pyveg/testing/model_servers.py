"""Stand-ins for model servers, at the network's edge: real sockets, and any function as the model.

::

    with open_inference_server(model) as address: ...
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.scorers.tensorflow_messages import messages

Outputs = Mapping[str, NDArray[Any]]


@dataclass
class ServedModel:
    """What a server has, and how it behaves."""

    compute: Callable[[NDArray[np.float32]], Outputs]
    input: str = "images"
    outputs: tuple[str, ...] = ()
    name: str = "detector"
    takes_bytes: bool = True
    """Whether numbers may come, and go, as bytes."""
    as_list: bool = False
    """TensorFlow Serving: whether outputs are lists of floats, and not bytes."""
    failures: list[int] = field(default_factory=list)
    """HTTP statuses that the next requests are answered with; 0: the connection is closed."""
    requests: list[str] = field(default_factory=list)
    """What was asked, such as "POST /v2/models/detector/infer"."""


class _Handler(BaseHTTPRequestHandler):
    model: ServedModel
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self._fails():
            return
        if self.path == "/v2":
            extensions = ["binary_tensor_data"] if self.model.takes_bytes else []
            self._answer({"name": "stand-in", "extensions": extensions})
        elif self.path == f"/v2/models/{self.model.name}":
            tensor = {"datatype": "FP32", "shape": [-1]}
            outputs = [{"name": name, **tensor} for name in self.model.outputs]
            inputs = [{"name": self.model.input, **tensor}]
            self._answer({"name": self.model.name, "inputs": inputs, "outputs": outputs})
        else:
            self._answer({"error": "no such model"}, 404)

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self._fails():
            return
        length = int(self.headers.get("Inference-Header-Content-Length") or len(data))
        header = json.loads(data[:length])
        tensor = header["inputs"][0]
        if length < len(data):
            if not self.model.takes_bytes:
                self._answer({"error": "only JSON is known here"}, 422)
                return
            values = np.frombuffer(data[length:], "<f4")
        else:
            values = np.asarray(tensor["data"], dtype=np.float32)
        found = self.model.compute(values.reshape(tensor["shape"]))
        self._outputs(header, found)

    def _outputs(self, header: dict[str, Any], found: Outputs) -> None:
        told, behind = [], b""
        for asked in header["outputs"]:
            array = np.asarray(found[asked["name"]], dtype="<f4")
            one = {"name": asked["name"], "shape": list(array.shape), "datatype": "FP32"}
            if asked.get("parameters", {}).get("binary_data"):
                raw = array.tobytes()
                one["parameters"] = {"binary_data_size": len(raw)}
                behind += raw
            else:
                one["data"] = array.ravel().tolist()
            told.append(one)
        self._answer({"outputs": told}, behind=behind)

    def _fails(self) -> bool:
        self.model.requests.append(f"{self.command} {self.path}")
        if not self.model.failures:
            return False
        status = self.model.failures.pop(0)
        if status:
            self._answer({"error": "as it was told to"}, status)
        else:
            self.close_connection = True
            self.connection.close()
        return True

    def _answer(self, body: Any, status: int = 200, behind: bytes = b"") -> None:
        header = json.dumps(body).encode()
        self.send_response(status)
        if behind:
            self.send_header("Inference-Header-Content-Length", str(len(header)))
        self.send_header("Content-Length", str(len(header) + len(behind)))
        self.end_headers()
        self.wfile.write(header + behind)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def open_inference_server(model: ServedModel) -> Iterator[str]:
    """A server of the Open Inference Protocol on a free port; gives the model's address."""
    handler = type("Handler", (_Handler,), {"model": model})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v2/models/{model.name}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def tensorflow_server(model: ServedModel) -> Iterator[str]:
    """A server that answers as TensorFlow Serving does; gives the model's address."""
    import grpc

    kinds = messages()

    def predict(request: Any, context: Any) -> Any:
        model.requests.append("Predict")
        if model.failures:
            model.failures.pop(0)
            context.abort(grpc.StatusCode.UNAVAILABLE, "as it was told to")
        if request.model_spec.name != model.name:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such model")
        tensor = request.inputs[0].value
        shape = [dim.size for dim in tensor.tensor_shape.dim]
        found = model.compute(np.frombuffer(tensor.tensor_content, "<f4").reshape(shape))
        outputs = [
            kinds["NamedTensor"](key=name, value=_tensor(kinds, array, model.as_list))
            for name, array in found.items()
        ]
        return kinds["PredictResponse"](outputs=outputs)

    def status(request: Any, context: Any) -> Any:
        if request.model_spec.name != model.name:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such model")
        ready = kinds["ModelVersionStatus"](version=3, state=30)
        return kinds["GetModelStatusResponse"](model_version_status=[ready])

    def method(call: Callable[[Any, Any], Any], request: str) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            call,
            request_deserializer=kinds[request].FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(4), options=unlimited)
    handlers = {
        "PredictionService": {"Predict": method(predict, "PredictRequest")},
        "ModelService": {"GetModelStatus": method(status, "GetModelStatusRequest")},
    }
    for service, methods in handlers.items():
        called = f"tensorflow.serving.{service}"
        handler = grpc.method_handlers_generic_handler(called, methods)
        server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}/{model.name}"
    finally:
        server.stop(None).wait()


def _tensor(kinds: Mapping[str, Any], array: NDArray[Any], as_list: bool) -> Any:
    values = np.asarray(array, dtype="<f4")
    shape = kinds["Shape"](dim=[kinds["Dim"](size=length) for length in values.shape])
    if as_list:
        return kinds["Tensor"](dtype=1, tensor_shape=shape, float_val=values.ravel().tolist())
    return kinds["Tensor"](dtype=1, tensor_shape=shape, tensor_content=values.tobytes())
