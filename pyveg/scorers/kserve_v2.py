"""Models on a server that speaks the Open Inference Protocol: KServe, Triton, MLServer and others.

Its address names the model: ``http://host:8000/v2/models/NAME``, with ``/versions/3`` behind it
where not the newest is meant. Numbers travel as bytes where the server takes them so, else as JSON.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from pyveg.core.answers import Answer, Reply, classified
from pyveg.core.errors import ConfigError, DataError, ServiceError
from pyveg.core.scorer import Array, Detection
from pyveg.core.secrets import has_secret, redacted
from pyveg.core.texts import cut
from pyveg.scorers.base import LOOK, ServerScorer
from pyveg.scorers.heads import detections_of, input_of
from pyveg.scorers.patience import AwayError, patiently

_ADDRESS = re.compile(r"(?P<server>https?://[^/?#]+(?:/[^?#]*?)?)/v2/models/(?P<rest>[^?#]+?)/?$")
_BINARY = ("binary_tensor_data", "binary_data")
_TYPE = "FP32"
_SECONDS = 60.0
_LARGEST = 256 * 2**20
"""Bytes of an answer."""
_LENGTH = "Inference-Header-Content-Length"


class KServeScorer(ServerScorer):
    """A model on a server; see `pyveg.core.scorer.Scorer`."""

    def __init__(self, where: str, record: Mapping[str, Any], threshold: float) -> None:
        super().__init__(where, record, threshold)
        self._server = _Server(where)
        about = self._server.about()
        self._input = self._record.input.name or str(about["inputs"][0]["name"])
        self._outputs = [str(one["name"]) for one in about["outputs"]]
        self.name = self._record.model.detector or str(about["name"])

    @classmethod
    def digest_of(cls, where: str, record: Mapping[str, Any]) -> str:
        """Of its address, what the server says of it, and its record."""
        about = _Server(where).about(LOOK)
        return hashlib.sha256(
            json.dumps([where, about, record], sort_keys=True).encode()
        ).hexdigest()

    def score(self, images: Sequence[Array]) -> list[list[Detection]]:
        """Look at some images, in one request."""
        values = input_of(images, self._record.input)
        outputs = self._server.infer(self._input, values, self._outputs)
        return detections_of(outputs, images, self._record, self._threshold)

    def close(self) -> None:
        """Let go of its connections."""
        self._server.close()


class _Server:
    """Requests to one model."""

    def __init__(self, where: str) -> None:
        import urllib3

        match = _ADDRESS.match(where)
        if match is None or has_secret(where):
            raise ConfigError(
                f"{redacted(where)} is no address of a model, or has a secret in it",
                "write it as http://host:8000/v2/models/NAME",
            )
        self._model, self._root = where.rstrip("/"), f"{match['server']}/v2"
        self.whom = urlsplit(where).netloc
        self._pool = urllib3.PoolManager(maxsize=8, retries=False, timeout=_SECONDS)
        self._takes_bytes: bool | None = None

    def close(self) -> None:
        self._pool.clear()

    def about(self, patience: float | None = None) -> dict[str, Any]:
        """What the server says of the model."""
        found = self._json(*self._ask("GET", self._model, patience=patience))
        if not (found.get("inputs") and found.get("outputs") and found.get("name")):
            raise ServiceError(
                f"{self.whom} does not say which inputs and outputs {self._model} has",
                "give the address of a model of the Open Inference Protocol, version 2",
            )
        return found

    def infer(
        self, name: str, values: NDArray[np.float32], outputs: Sequence[str]
    ) -> dict[str, NDArray[Any]]:
        """Numbers for numbers."""
        if self._takes_bytes is None:
            known = self._json(*self._ask("GET", self._root)).get("extensions", [])
            self._takes_bytes = any(extension in known for extension in _BINARY)
        body, headers = (_as_bytes if self._takes_bytes else _as_json)(name, values, outputs)
        data, replied = self._ask("POST", f"{self._model}/infer", body, headers)
        length = int(replied.get(_LENGTH) or len(data))
        return _read(self._json(data[:length], {}), data[length:], self.whom)

    def _json(self, data: bytes, _: Mapping[str, str]) -> dict[str, Any]:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ServiceError(
                f"{self.whom} answers with what is no JSON: {cut(repr(data), 80)}",
                "give the address of a model of the Open Inference Protocol, version 2",
            )
        return found

    def _ask(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        patience: float | None = None,
    ) -> tuple[bytes, Mapping[str, str]]:
        return patiently(lambda: self._once(method, url, body, headers or {}), self.whom, patience)

    def _once(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[bytes, Mapping[str, str]]:
        import urllib3

        try:
            reply = self._pool.request(
                method,
                url,
                body=body,
                headers=dict(headers),
                redirect=False,
                preload_content=False,
            )
            data = reply.read(_LARGEST + 1)
        except urllib3.exceptions.HTTPError as error:
            raise AwayError(type(error).__name__) from error
        if len(data) > _LARGEST:
            reply.close()
            raise ServiceError(
                f"{self.whom} answers with more than {_LARGEST // 2**20} MiB",
                "see that it is a model server, and send it fewer images at once",
            )
        reply.release_conn()
        if reply.status == 200:
            return data, reply.headers
        answer = classified(Reply(reply.status, headers=dict(reply.headers)))
        if answer is Answer.PASSING:
            raise AwayError(f"HTTP {reply.status}")
        said = cut(data.decode(errors="replace"), 200)
        if method == "POST" and answer is Answer.OURS:
            raise DataError(
                f"the model refuses its input: HTTP {reply.status}, {said}",
                "look at size and layout in its record",
            )
        raise ServiceError(
            f"{self.whom} answers {method} {urlsplit(url).path} with HTTP {reply.status}: {said}",
            "see that the model is there, and that you may use it",
        )


def _request(name: str, values: NDArray[np.float32], more: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "shape": list(values.shape), "datatype": _TYPE, **more}


def _as_json(
    name: str, values: NDArray[np.float32], outputs: Sequence[str]
) -> tuple[bytes, dict[str, str]]:
    tensor = _request(name, values, {"data": values.ravel().tolist()})
    body = {"inputs": [tensor], "outputs": [{"name": output} for output in outputs]}
    return json.dumps(body).encode(), {"Content-Type": "application/json"}


def _as_bytes(
    name: str, values: NDArray[np.float32], outputs: Sequence[str]
) -> tuple[bytes, dict[str, str]]:
    """The header as JSON, and the numbers behind it."""
    data = values.astype("<f4").tobytes()
    tensor = _request(name, values, {"parameters": {"binary_data_size": len(data)}})
    asked = [{"name": output, "parameters": {"binary_data": True}} for output in outputs]
    header = json.dumps({"inputs": [tensor], "outputs": asked}).encode()
    headers = {"Content-Type": "application/octet-stream", _LENGTH: str(len(header))}
    return header + data, headers


def _read(header: Mapping[str, Any], data: bytes, whom: str) -> dict[str, NDArray[Any]]:
    """Outputs by name, those that are bytes behind the header one after the other."""
    outputs: dict[str, NDArray[Any]] = {}
    try:
        for one in header["outputs"]:
            length = one.get("parameters", {}).get("binary_data_size")
            if length is None:
                values = np.asarray(one["data"], dtype=np.float32)
            else:
                values, data = np.frombuffer(data[:length], "<f4"), data[length:]
            outputs[str(one["name"])] = values.reshape(one["shape"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServiceError(
            f"{whom} answers with outputs that cannot be read: {error}",
            "see that the model's outputs are 32-bit floats",
        ) from error
    return outputs
