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


@runtime_checkable
class Scorer(Protocol):
    """A model that is ready to look at images. Many threads may ask it at once."""

    @property
    def name(self) -> str:
        """Which detector it is, as results tell it."""
        ...

    @property
    def digest(self) -> str:
        """Changes when the model or its record does."""
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
