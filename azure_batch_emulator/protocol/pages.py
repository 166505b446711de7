"""``$select``, and pages of lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from azure_batch_emulator.errors import BatchError, invalid_parameter

Document = dict[str, Any]
Predicate = Callable[[Document], bool]


def selection(names: str | None) -> Callable[[Document], Document]:
    """A function that takes the named fields of a document; all of them without names."""
    if names is None:
        return lambda document: document
    wanted = {name.strip() for name in names.split(",")}
    if any("/" in name or not name for name in wanted):
        raise invalid_parameter("$select", names, "Only names of the first level can be selected.")
    return lambda document: {name: value for name, value in document.items() if name in wanted}


@dataclass(frozen=True)
class Page:
    """One page of a list.

    Parameters
    ----------
    documents : list
        What is on it.
    token : str or None
        Where the next page begins; None on the last one.
    """

    documents: list[Document]
    token: str | None


def page(
    documents: Iterable[Document],
    key: Callable[[Document], str],
    predicate: Predicate,
    after: str | None,
    size: int,
) -> Page:
    """The page behind ``after`` of documents that are ordered by a key.

    Pages are told by the last key on them, so that what comes and goes meanwhile shifts nothing.
    """
    chosen: list[Document] = []
    for document in documents:
        if (after is None or key(document) > after) and predicate(document):
            if len(chosen) == size:
                return Page(chosen, key(chosen[-1]))
            chosen.append(document)
    return Page(chosen, None)


def page_size(text: str | None, largest: int = 1000) -> int:
    """``maxresults``, which must be 1..1000."""
    if text is None:
        return largest
    if not text.isdecimal() or not 1 <= int(text) <= largest:
        raise BatchError(
            "OutOfRangeQueryParameterValue",
            QueryParameterName="maxresults",
            QueryParameterValue=text,
            MinimumAllowed=1,
            MaximumAllowed=largest,
        )
    return int(text)
