"""Parts of the emulator by themselves."""

from __future__ import annotations

import ast
import sys
import threading
from pathlib import Path

import pytest

import azure_batch_emulator
from azure_batch_emulator import times
from azure_batch_emulator.account.pools import cores_of
from azure_batch_emulator.dice import hits
from azure_batch_emulator.host.timers import Timers

PACKAGE = "azure_batch_emulator"
ROOT = Path(azure_batch_emulator.__path__[0])
FILES = sorted(path for path in ROOT.rglob("*.py") if "tests" not in path.parts)


def test_the_client_is_there() -> None:
    batch = pytest.importorskip("azure.batch", reason="most tests of the emulator need azure-batch")
    assert int(batch.__version__.split(".")[0]) >= 15


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_but_the_standard_library_is_needed(path: Path) -> None:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    others = {name for name in found if not (name == PACKAGE or name.startswith(f"{PACKAGE}."))}
    assert {name.split(".")[0] for name in others} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT01H00M00S", 3600),
        ("P1D", 86_400),
        ("P1DT2H3M4.5S", 93_784.5),
        ("PT0.05S", 0.05),
        (times.UNLIMITED, 922_337_203_685.47758),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert times.parse_duration(text) == pytest.approx(seconds)
    assert times.limit_of(text) == (None if text == times.UNLIMITED else pytest.approx(seconds))


@pytest.mark.parametrize("text", ["", "P", "PT", "1H", "P1M", "PT1H1H"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        times.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("2026-11-21T03:00:00Z", "2026-11-21T03:00:00.0000000Z"),
        ("2026-11-21T03:00:00.1234567Z", "2026-11-21T03:00:00.1234560Z"),
        ("2026-11-21T03:00:00+01:00", "2026-11-21T02:00:00.0000000Z"),
        ("2026-11-21", "2026-11-21T00:00:00.0000000Z"),
    ],
)
def test_moments(text: str, parsed: str) -> None:
    assert times.parse_moment(text) == parsed
    assert times.MOMENT.fullmatch(parsed)


@pytest.mark.parametrize(
    ("size", "cores"), [("standard_d2s_v5", 2), ("Standard_F16s_v2", 16), ("STANDARD_A1_V2", 1)]
)
def test_cores(size: str, cores: int) -> None:
    assert cores_of(size) == cores


def test_rates_are_kept() -> None:
    number = sum(hits(0.3, 7, "what", n) for n in range(2000))
    assert 500 < number < 700
    assert not any(hits(0.0, 7, n) for n in range(100))
    assert all(hits(1.0, 7, n) for n in range(100))


def test_timers_go_off_in_order_and_survive_mistakes() -> None:
    done: list[str] = []
    end = threading.Event()
    timers = Timers()
    timers.start()
    timers.after(0.05, end.set)
    timers.after(0.03, lambda: done.append("late"))
    timers.after(0.01, lambda: done.append("early"))
    timers.after(0.02, lambda: done.append("never")).cancel()
    timers.after(0.0, lambda: 1 / 0)
    assert end.wait(10)
    timers.stop()
    assert done == ["early", "late"]
