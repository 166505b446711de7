"""A Store that does not answer is told, once, and that it does again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyveg.core.events import EngineStatus
from pyveg.core.silence import Silence

URL = "azure://demo"


class _Lock:
    epoch = 1
    overdue = 0.0

    def check(self) -> None:
        raise NotImplementedError

    def on_lost(self, tell: Callable[[Exception], None]) -> None:
        raise NotImplementedError


class _Watched:
    """A Store looked at every second, by a clock of its own."""

    def __init__(self) -> None:
        self.lock, self.now = _Lock(), 0.0
        self.told: list[EngineStatus] = []
        self._silence = Silence(self.lock, URL, self.told.append, lambda: self.now)

    def wait(self, seconds: int, late_by: float | None = None) -> None:
        """Each second it is one more late, or as late as is said."""
        for _ in range(seconds):
            self.now += 1.0
            self.lock.overdue = self.lock.overdue + 1.0 if late_by is None else late_by
            self._silence.look()


def test_a_store_that_does_not_answer_is_told_once() -> None:
    watched = _Watched()
    watched.wait(60, late_by=0.0)
    assert watched.told == []
    watched.wait(20)
    (said,) = watched.told
    assert said.text.startswith(f"{URL} has not answered for ")
    assert said.urgent
    watched.wait(100)
    assert watched.told == [said]
    watched.wait(6, late_by=0.0)
    assert [status.text for status in watched.told[1:]] == [f"{URL} answers again"]


@pytest.mark.parametrize("late_by", [3.0, 9.0])
def test_a_renewal_that_is_a_little_late_is_not_told(late_by: float) -> None:
    watched = _Watched()
    watched.wait(60, late_by=late_by)
    assert watched.told == []


def test_who_wakes_up_from_a_sleep_is_not_told_what_is_over() -> None:
    watched = _Watched()
    watched.wait(10, late_by=0.0)
    watched.wait(1, late_by=3600.0)
    watched.wait(30, late_by=0.0)
    assert watched.told == []
