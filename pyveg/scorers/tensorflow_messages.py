"""The few messages of TensorFlow Serving that a client needs, without TensorFlow.

Their fields have the numbers and types of the service's own definition; nothing else of it matters
on the wire.
"""

from __future__ import annotations

from functools import cache
from typing import Any

_PACKAGE = "pyveg.serving"
_OPTIONAL, _REPEATED = 1, 3
_TYPES = {"float": 2, "int64": 3, "string": 9, "bytes": 12, "int32": 5, "bool": 8}
_MESSAGE = 11

_MESSAGES: dict[str, list[tuple[str, int, str]]] = {
    "Version": [("value", 1, "int64")],
    "ModelSpec": [
        ("name", 1, "string"),
        ("version", 2, "Version"),
        ("signature_name", 3, "string"),
    ],
    "Dim": [("size", 1, "int64"), ("name", 2, "string")],
    "Shape": [("dim", 2, "*Dim"), ("unknown_rank", 3, "bool")],
    "Tensor": [
        ("dtype", 1, "int32"),
        ("tensor_shape", 2, "Shape"),
        ("version_number", 3, "int32"),
        ("tensor_content", 4, "bytes"),
        ("float_val", 5, "*float"),
    ],
    # A map travels as a list of pairs.
    "NamedTensor": [("key", 1, "string"), ("value", 2, "Tensor")],
    "PredictRequest": [
        ("model_spec", 1, "ModelSpec"),
        ("inputs", 2, "*NamedTensor"),
        ("output_filter", 3, "*string"),
    ],
    "PredictResponse": [("outputs", 1, "*NamedTensor"), ("model_spec", 2, "ModelSpec")],
    "GetModelStatusRequest": [("model_spec", 1, "ModelSpec")],
    "ModelVersionStatus": [("version", 1, "int64"), ("state", 2, "int32")],
    "GetModelStatusResponse": [("model_version_status", 1, "*ModelVersionStatus")],
}
"""Name of a message -> name, number and type of each field; "*": a list of them."""


@cache
def messages() -> dict[str, Any]:
    """Classes of all messages, by name."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(
        name="pyveg/serving.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            label = _REPEATED if kind.startswith("*") else _OPTIONAL
            bare = kind.removeprefix("*")
            known = _TYPES.get(bare, _MESSAGE)
            type_name = f".{_PACKAGE}.{bare}" if known == _MESSAGE else None
            message.field.add(
                name=field, number=number, label=label, type=known, type_name=type_name
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = message_factory.GetMessages([file], pool=pool)
    return {name.removeprefix(f"{_PACKAGE}."): cls for name, cls in found.items()}
