"""Models in this process, by ONNX Runtime."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyveg.core.errors import ConfigError, DataError
from pyveg.core.scorer import Array, Detection, Model
from pyveg.core.texts import said
from pyveg.scorers.base import RecordScorer
from pyveg.scorers.demo import NAME, demo_model
from pyveg.scorers.heads import detections_of, input_of
from pyveg.scorers.record import record_of

_ERRORS_ONLY = 3
_KIND = "tensor(float)"


class OnnxScorer(RecordScorer):
    """A model in a file, run on one core.

    One image after another is looked at: several at once are no faster on one core, and take
    their memory.

    Parameters
    ----------
    where : str
        Path of the ``.onnx`` file.
    record : mapping
        What stands beside it.
    threshold : float
        Least confidence that is told.

    Raises
    ------
    ConfigError
        If the file is not there or is no model, or its record does not fit.
    """

    def __init__(self, where: str, record: Mapping[str, Any], threshold: float) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # Tasks run side by side; threads of the model would fight for the same cores.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        try:
            data = Path(where).read_bytes()
            self._session = onnxruntime.InferenceSession(
                data, options, providers=["CPUExecutionProvider"]
            )
        except OSError as error:
            why = error.strerror or error
            raise ConfigError(f"the model {where} cannot be read: {why}", "name a file") from error
        except Exception as error:
            raise ConfigError(
                f"the model {where} is no ONNX: {said(error)}",
                "convert it to ONNX; docs/scoring.md says how",
            ) from error
        super().__init__(where, record, threshold)
        self._input = self._find_input(where)
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.name = self._record.model.detector or Path(where).stem

    @classmethod
    def find(cls, model: str, record: str | Mapping[str, Any] = "") -> Model:
        """A file, with its record beside it; or the one that is called "demo"."""
        path = demo_model() if model == NAME else Path(model).expanduser().absolute()
        if not path.is_file():
            raise ConfigError(
                f"the model {path} is not there", f'name an .onnx file, or "{NAME}" to try scoring'
            )
        found = record_of(path, record)
        return Model(str(path), found, cls.digest_of(str(path), found), in_file=True)

    @classmethod
    def digest_of(cls, where: str, record: Mapping[str, Any]) -> str:
        """Of the file and its record."""
        with Path(where).open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256")
        found.update(json.dumps(record, sort_keys=True).encode())
        return found.hexdigest()

    def score(self, images: Sequence[Array]) -> list[list[Detection]]:
        """Look at some images, one after another."""
        return [found for image in images for found in self._score(image)]

    def close(self) -> None:
        """Nothing is held beyond memory."""

    def _score(self, image: Array) -> list[list[Detection]]:
        values = input_of([image], self._record.input)
        try:
            answers = self._session.run(self._outputs, {self._input: values})
        except Exception as error:
            raise DataError(
                f"the model refuses an input of {values.shape}: {said(error)}",
                "look at size and layout in its record",
            ) from error
        outputs = dict(zip(self._outputs, answers, strict=True))
        return detections_of(outputs, [image], self._record, self._threshold)

    def _find_input(self, where: str) -> str:
        """Name of its input, which takes what the record makes."""
        inputs: dict[str, Any] = {one.name: one for one in self._session.get_inputs()}
        name = self._record.input.name or next(iter(inputs), "")
        if name not in inputs or len(inputs) > 1:
            raise ConfigError(
                f"the model {where} has the inputs {', '.join(inputs)}",
                'it should have one; name it in the record: "input": {"name": ...}',
            )
        if inputs[name].type != _KIND:
            raise ConfigError(
                f"the model {where} takes {inputs[name].type}, and not {_KIND}",
                "convert it with an input of 32-bit floats",
            )
        return name
