"""The limit of memory that a process has while a Task is done."""

from __future__ import annotations

import sys
import threading

import pytest

from pyveg.core import memory

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no such limit here")


def test_of_tasks_that_overlap_none_leaves_its_limit_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import resource

    monkeypatch.setitem(memory._kept, "by the system", True)
    usual = resource.getrlimit(resource.RLIMIT_DATA)
    begun, ended = threading.Event(), threading.Event()

    def second() -> None:
        with memory.limited(64):
            begun.set()
            ended.wait(10)

    thread = threading.Thread(target=second)
    with memory.limited(32):
        assert resource.getrlimit(resource.RLIMIT_DATA)[0] != usual[0]
        thread.start()
        assert begun.wait(10)
    assert resource.getrlimit(resource.RLIMIT_DATA) == usual
    ended.set()
    thread.join()
    assert resource.getrlimit(resource.RLIMIT_DATA) == usual
