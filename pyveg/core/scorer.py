"""The port of models that look at images: a Scorer, and what it says.

Scorers live in `pyveg.scorers`, or in other people's packages, and are found by name. Their
contract checks are in `pyveg.testing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


class Array(Protocol):
    """An array, whatever its library."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of its axes."""
        ...

    @property
    def dtype(self) -> Any:
        """Type of its elements."""
        ...


@dataclass(frozen=True, slots=True)
class Detection:
    """Something that a model has found in an image."""

    category: str
    """Key of `Scorer.categories`: a number, written as text."""
    confidence: float
    """Between 0 and 1."""
    box: tuple[float, float, float, float]
    """Left, top, width and height, as shares of the image; all of it where a model names what an
    image shows and not where."""


@dataclass(frozen=True)
class Model:
    """A model that has been found, and not opened yet."""

    where: str
    """Path in full, or address."""
    record: Mapping[str, Any]
    """What stands beside it, as plain data."""
    digest: str
    """Of both; of what its server says of it where it runs elsewhere."""
    in_file: bool
    """Whether it is a file, which must travel to other machines."""


@runtime_checkable
class Scorer(Protocol):
    """A model that is ready to look at images. Many threads may ask it at once."""

    def __init__(self, where: str, record: Mapping[str, Any], threshold: float) -> None:
        """Open it.

        Parameters
        ----------
        where, record
            As a `Model` has them; the path may be that of a copy.
        threshold : float
            Least confidence that is told, above 0 and below 1.

        Raises
        ------
        ConfigError
            If it is no model, or its record does not fit.
        """

    @classmethod
    def find(cls, model: str, record: str | Mapping[str, Any] = "") -> Model:
        """Look for a model.

        Parameters
        ----------
        model : str
            As the user names it.
        record : str or mapping
            Its record, or the path of that; beside the model where empty.

        Raises
        ------
        ConfigError
            If there is none, or its record is wrong.
        """
        ...

    @classmethod
    def digest_of(cls, where: str, record: Mapping[str, Any]) -> str:
        """Of a model as it is now, as in `Model.digest`."""
        ...

    @property
    def name(self) -> str:
        """Which detector it is, as results tell it."""
        ...

    @property
    def categories(self) -> Mapping[str, str]:
        """Number of a category, written as text -> its name."""
        ...

    @property
    def wanted(self) -> tuple[int, int]:
        """Width and height of its input in pixels. Images need not be read any finer than that."""
        ...

    def score(self, images: Sequence[Array]) -> list[list[Detection]]:
        """Look at some images.

        Parameters
        ----------
        images : sequence of array of uint8, shape (height, width, 3)
            Red, green and blue.

        Returns
        -------
        list of list of Detection
            For each image what is on it, the surest first.

        Raises
        ------
        DataError
            If the model answers with what cannot be, such as NaN.
        ServiceAwayError
            If it runs elsewhere, and nobody answers there.
        """
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...
