"""Models in this process, by ONNX Runtime."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyveg.core.errors import ConfigError, DataError
from pyveg.core.scorer import Array, Detection
from pyveg.core.texts import said
from pyveg.scorers.heads import detections_of, input_of
from pyveg.scorers.record import Record

_ERRORS_ONLY = 3
_KIND = "tensor(float)"


class OnnxScorer:
    """A model in a file, run on one core.

    One image after another is looked at: several at once are no faster on one core, and take
    their memory.

    Parameters
    ----------
    where : str
        Path of the ``.onnx`` file.
    record : Record
    threshold : float
        Least confidence that is told.

    Raises
    ------
    ConfigError
        If the file is not there or is no model, or its record does not fit.
    """

    def __init__(self, where: str, record: Record, threshold: float) -> None:
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
        self._record, self._threshold = record, threshold
        self._input = self._find_input(where)
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.digest = hashlib.sha256(data + repr(record).encode()).hexdigest()
        self.name = record.model.detector or Path(where).stem

    @property
    def categories(self) -> Mapping[str, str]:
        """Number of a category, written as text -> its name."""
        return self._record.names

    @property
    def wanted(self) -> tuple[int, int]:
        """Width and height of its input, pixels."""
        height, width = self._record.input.size
        return width, height

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
