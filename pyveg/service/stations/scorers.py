"""The scorers that look at images of stations, and whether they work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyveg.core import registry
from pyveg.core.errors import PyvegError
from pyveg.core.scorer import Detection, Scorer
from pyveg.core.secrets import redacted
from pyveg.core.texts import said
from pyveg.service.stations.records import Station
from pyveg.service.stations.settings import KEEP, policy

PERSON = "person"
"""The category that people are found by."""
_LEAST = 0.05
"""Least confidence that scorers are asked for; what counts is settled by each station."""
_AGAIN = 60.0
"""Seconds after which a scorer that nobody has used is tried, where somebody asks how it is."""


class Scorers:
    """The scorers of a service, each opened when it is first needed.

    Parameters
    ----------
    named : mapping
        Name -> ``{"scorer": NAME, "model": WHERE, "record": RECORD}``.
    """

    def __init__(self, named: Mapping[str, Mapping[str, Any]]) -> None:
        self.named = named
        self._open: dict[str, Scorer] = {}
        self._guard = threading.Lock()
        self._trying = threading.Lock()
        self._last: dict[str, tuple[float, str, bool]] = {}
        """When each was last used, why it did not work, and whether it knows people."""

    def score(
        self, name: str, image: NDArray[np.uint8]
    ) -> tuple[list[Detection], Mapping[str, str]]:
        """Have a scorer look at an image; gives names of categories too.

        Raises
        ------
        PyvegError
            If it is away, cannot be opened, or is not among those of the service any more.
        """
        try:
            with self._guard:
                if name not in self._open:
                    self._open[name] = self._opened(name)
            found = self._open[name]
            seen = found.score([image])[0]
        except Exception as error:
            why = error.wrong if isinstance(error, PyvegError) else said(error)
            self._last[name] = time.monotonic(), why, True
            raise
        self._last[name] = time.monotonic(), "", knows_people(found.categories)
        return seen, found.categories

    def troubles(self, stations: Iterable[Station]) -> dict[str, str]:
        """Scorers of some stations that do not work: which, and for whom -> why.

        One that was not used for a minute is tried with a grey image; meanwhile others are told
        what was last known.
        """
        used: dict[str, list[Station]] = {}
        for station in stations:
            if station.settings.scorer:
                used.setdefault(station.settings.scorer, []).append(station)
        found = {}
        for name, whose in used.items():
            why, knows = self._state(name)
            blind = [one for one in whose if not knows and policy(one.settings) != KEEP]
            if why or blind:
                names = ", ".join(one.id for one in (whose if why else blind))
                reason = why or f'it knows no category "{PERSON}"'
                found[f"scorer {name} of the stations {names}"] = redacted(reason)
        return found

    def _state(self, name: str) -> tuple[str, bool]:
        at, why, knows = self._last.get(name, (float("-inf"), "", True))
        if time.monotonic() - at < _AGAIN or not self._trying.acquire(blocking=False):
            return why, knows
        try:
            self.score(name, np.full((64, 64, 3), 128, dtype=np.uint8))
        except Exception:  # noqa: BLE001 - a model may fail in any way; it is noted
            pass
        finally:
            self._trying.release()
        return self._last[name][1:]

    def _opened(self, name: str) -> Scorer:
        given = self.named.get(name)
        if given is None:
            raise PyvegError(f"station_scorers has no {name} any more", "put it back")
        cls = registry.scorer_class(given.get("scorer", "onnx"))
        model = cls.find(given["model"], given.get("record", ""))
        return cls(model.where, model.record, _LEAST)


def knows_people(names: Mapping[str, str]) -> bool:
    """Whether a scorer with these categories finds people.

    Examples
    --------
    >>> knows_people({"1": "animal", "2": "Person"}), knows_people({"1": "animal"})
    (True, False)
    """
    return any(name.lower() == PERSON for name in names.values())
