"""What Tasks need, who gives it to them, and what becomes of those that take more."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pyveg.core import memory, resources
from pyveg.core.errors import ConfigError, OutOfMemoryError, PyvegError
from pyveg.core.events import EngineStatus, Event
from pyveg.core.report import RunReport
from pyveg.core.tasks import State, Step, Task
from pyveg.core.types import Item, Scope
from pyveg.jobs.load import load_pipeline
from pyveg.jobs.run import run_pipeline
from pyveg.runners.azure_batch import sizes
from pyveg.runners.dask.placing import Placing, Workers
from pyveg.runners.room import Room

HUNGRY = (
    "import sys, time\n"
    "size = int(open(sys.argv[1]).read())\n"
    "held = bytearray(size * 2**20)\n"
    "time.sleep(0.4 if size > 100 else 0)\n"
    "open(sys.argv[2] + '/out.txt', 'w').write(str(len(held)))\n"
)


def _task(**needs: float) -> Task:
    scope = Scope("job", "job")
    return Task(Step("Hungry", 1, scope, {"resources": needs}, {}), Item("a"))


@pytest.fixture
def run_hungry(tmp_path: Path) -> Callable[..., tuple[RunReport, list[str]]]:
    """Runs a program that takes 20 MiB for one item and 600 for another."""

    def run(needs: dict[str, float], **settings: Any) -> tuple[RunReport, list[str]]:
        for name, size in (("large", 600), ("small", 20)):
            (tmp_path / f"{name}.txt").write_text(str(size))
        (tmp_path / "hungry.py").write_text(HUNGRY)
        command = [sys.executable, str(tmp_path / "hungry.py"), "{input}", "{output_dir}"]
        config = {
            "name": "hungry",
            "output_location": str(tmp_path / "out"),
            "runner": "threads",
            "modules_to_use": {"job": ["CommandModule"]},
            "special_config": {
                "CommandModule": {
                    "command": command,
                    "inputs": [str(tmp_path / "*.txt")],
                    "resources": needs,
                    **settings,
                }
            },
        }
        told: list[Event] = []
        report = run_pipeline(load_pipeline(config), observers=[told.append])
        return report, [event.text for event in told if isinstance(event, EngineStatus)]

    return run


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_a_program_that_takes_too_much_is_ended_and_named(run_hungry: Any) -> None:
    report, told = run_hungry({"memory_gb": 0.3})
    large = report.results["job/CommandModule/large.txt"]
    assert large.state is State.FAILED
    assert large.reason.startswith("it took more memory than the 0.3 GiB that it may have")
    assert report.results["job/CommandModule/small.txt"].state is State.SUCCEEDED
    assert not any("once more" in text for text in told)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_it_is_tried_once_more_with_more_where_it_may(run_hungry: Any) -> None:
    report, told = run_hungry({"memory_gb": 0.3, "retry_memory_gb": 0.9})
    assert report.counts == {State.SUCCEEDED: 2}
    large = report.results["job/CommandModule/large.txt"].usage
    assert large is not None
    assert large.tries == 2
    assert (large.peak_memory_mb or 0) > 600
    assert [text for text in told if "once more" in text] == [
        "job/CommandModule/large.txt died for want of memory with 0.3 GiB; it is tried once more "
        "with 0.9 GiB"
    ]


def test_what_no_machine_has_is_refused_before_the_run(run_hungry: Any) -> None:
    with pytest.raises(ConfigError, match="a Task needs 9999 GiB of memory, and this machine has"):
        run_hungry({"memory_gb": 9999})
    with pytest.raises(ConfigError, match="a Task needs 1000 cpus"):
        run_hungry({"cpus": 1000})


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"memory": 1}, '"memory"'),
        ({"memory_gb": -1}, "memory_gb"),
        ({"memory_gb": "4"}, "memory_gb"),
        ({"gpu": 0.5}, "gpu"),
        ({"memory_gb": 4, "retry_memory_gb": 2}, "is not more than memory_gb = 4"),
    ],
)
def test_wrong_resources_are_refused_by_name(given: dict[str, Any], wrong: str) -> None:
    with pytest.raises(PyvegError, match=wrong):
        resources.of(given, "here: resources")


def test_a_machine_takes_no_more_than_it_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "of_machine", lambda: 10.0)
    room = Room(4)
    plain, large, wide, gpu = _task(), _task(memory_gb=6), _task(cpus=3), _task(gpu=1)
    assert room.has(plain, [plain] * 50)  # who says nothing is counted by the engine alone
    assert room.has(large, [])
    assert room.has(large, [plain])
    assert not room.has(large, [large])
    assert room.has(wide, [plain])
    assert not room.has(wide, [plain, plain])
    assert not room.has(gpu, [gpu])
    assert room.has(gpu, [plain])
    more = replace(_task(memory_gb=1, retry_memory_gb=6), more_memory=True)
    assert not room.has(large, [more])


def test_a_worker_that_fits_is_chosen_and_else_the_task_is_refused() -> None:
    workers = Workers()
    assert workers.why_not(_task(memory_gb=99)) == ""  # none is there yet: it waits
    workers.learn(
        {
            "workers": {
                "tcp://a": {"memory_limit": 300 * 2**20, "resources": {}},
                "tcp://b": {"memory_limit": 8 * 2**30, "resources": {"GPU": 1}},
            }
        }
    )
    assert workers.place(_task()) == Placing()
    assert workers.place(_task(memory_gb=0.6)).options() == {
        "workers": ["tcp://b"],
        "allow_other_workers": False,
    }
    assert workers.place(_task(gpu=1)).options() == {"resources": {"GPU": 1}}
    assert workers.why_not(_task(memory_gb=8)) == ""
    assert "no worker may have more than 8.00" in workers.why_not(_task(memory_gb=9))
    assert "needs 2 GPU, which no worker declares" in workers.why_not(_task(gpu=2))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a limit of Linux")
def test_the_system_keeps_to_the_limit_of_a_process_of_its_own() -> None:
    code = (
        "from pyveg.core import memory\n"
        "memory.keep_limits()\n"
        "def hold(mib):\n"
        "    return len(bytearray(mib * 2**20))\n"
        "with memory.limited(0.1):\n"
        "    hold(60)\n"
        "    try:\n"
        "        hold(200)\n"
        "    except MemoryError as error:\n"
        "        print(memory.explained(error))\n"
        "    with memory.lifted():\n"
        "        hold(200)\n"
        "print(hold(200))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first.startswith("it needs more memory than the 0.1 GiB that it may have")
    assert second == str(200 * 2**20)


SIZES = ("Standard_E4s_v5", "Standard_D8s_v5", "Standard_D2s_v5", "Standard_F2s_v2")


@pytest.mark.parametrize(
    ("needs", "size", "slots", "taken"),
    [
        ({"cpus": 1}, "Standard_F2s_v2", 8, 4),
        ({"memory_gb": 5}, "Standard_D2s_v5", 8, 5),
        ({"memory_gb": 1, "retry_memory_gb": 8}, "Standard_D2s_v5", 8, 1),
        ({"memory_gb": 20, "cpus": 2}, "Standard_E4s_v5", 16, 10),
        ({"cpus": 8}, "Standard_D8s_v5", 32, 32),
    ],
)
def test_the_smallest_size_that_fits_and_the_slots_of_a_task(
    needs: dict[str, float], size: str, slots: int, taken: int
) -> None:
    task = _task(**needs)
    found = sizes.fit(SIZES, {}, [task.step, _task().step], 2, "azure_config.py")
    assert found is not None
    assert (found.size.name, found.slots, found.slots_of(task)) == (size, slots, taken)
    assert found.slots_of(_task()) == slots // 2  # two at once, as task_slots_per_node says
    more = replace(task, more_memory=True)
    if task.step.resources.retry_memory_gb:
        assert found.slots_of(more) == slots
    assert found.on(found.size, 2).slots_of(task) <= 2


def test_sizes_that_do_not_fit_or_are_not_known_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"job/Hungry needs 99 GiB .*D8s_v5 \(8 cpus, 32 GiB\)"):
        sizes.fit(SIZES, {}, [_task(memory_gb=99).step], 2, "azure_config.py")
    step = _task(gpu=1).step
    with pytest.raises(ConfigError, match=r"Standard_NC6 has is not known; tell it: vm_sizes"):
        sizes.fit(["Standard_NC6"], {}, [step], 2, "azure_config.py")
    told = {"standard_nc6": {"cpus": 6, "memory_gb": 112, "gpus": 1}}
    found = sizes.fit([*SIZES, "Standard_NC6"], told, [step], 2, "azure_config.py")
    assert found is not None
    assert (found.size.name, found.slots_of(_task(gpu=1))) == ("Standard_NC6", 24)
    assert sizes.fit(["Standard_NC6"], {}, [_task().step], 2, "azure_config.py") is None
    assert sizes.size_of("Standard_D2_v2", {}) is None  # of other memory


def test_an_error_of_memory_says_its_limit() -> None:
    with memory.limited(0.5):
        error = memory.explained(MemoryError())
        assert memory.allowed() == 0.5
    assert isinstance(error, OutOfMemoryError)
    assert "it needs more memory than the 0.5 GiB that it may have" in str(error)
    assert memory.allowed() == 0.0
