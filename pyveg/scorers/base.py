"""What Scorers share: a record that says what the model's numbers mean, and servers of models."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyveg.core.errors import ConfigError
from pyveg.core.scorer import Model
from pyveg.core.secrets import redacted
from pyveg.scorers.record import checked_record, record_of

LOOK = 5.0
"""Seconds for which a server is waited for while a run is planned."""


class RecordScorer:
    """A Scorer whose model has a record.

    Parameters
    ----------
    where : str
        The model, for messages.
    record : mapping
    threshold : float
    """

    name: str = ""
    """Which detector it is."""

    def __init__(self, where: str, record: Mapping[str, Any], threshold: float) -> None:
        self._record, self._threshold = checked_record(record, where), threshold

    @property
    def categories(self) -> Mapping[str, str]:
        """Number of a category, written as text -> its name."""
        return self._record.names

    @property
    def wanted(self) -> tuple[int, int]:
        """Width and height of its input, pixels."""
        height, width = self._record.input.size
        return width, height


class ServerScorer(RecordScorer):
    """A Scorer whose model is on a server, so that nothing lies beside it."""

    @classmethod
    def find(cls, model: str, record: str | Mapping[str, Any] = "") -> Model:
        """A model on a server, whose record must be given."""
        if not record:
            raise ConfigError(
                f"the model {redacted(model)} is on a server, so nothing lies beside it",
                "name its record: record = FILE",
            )
        found = record_of(Path(), record)
        return Model(model, found, cls.digest_of(model, found), in_file=False)

    @classmethod
    @abstractmethod
    def digest_of(cls, where: str, record: Mapping[str, Any]) -> str:
        """Of its address, what the server says of it, and its record."""
