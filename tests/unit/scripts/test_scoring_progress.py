"""Images per second and the time left, by a clock of the test."""

from __future__ import annotations

from pyveg.core.events import EngineStatus, Event, RunEnded, RunStarted, TaskEnded
from pyveg.core.tasks import State, Step, Task, TaskGraph, TaskResult
from pyveg.core.types import Item, Scope
from pyveg.scripts.scoring_progress import ImageProgress


class _View:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.others: list[Event] = []
        self.closed = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, EngineStatus):
            self.told.append(event.text)
        else:
            self.others.append(event)

    def close(self) -> None:
        self.closed = True


def test_images_per_second_and_the_time_left() -> None:
    now = 0.0
    view = _View()
    progress = ImageProgress(view, lambda: now)
    step = Step("ScoreImages", 1, Scope("images"), {}, {})
    tasks = [Task(step, Item(f"s{n}", {"count": 2000})) for n in range(4)]
    tasks.append(Task(Step("CombineDetections", 1, Scope("combine"), {}, {}), Item("all")))
    events: list[Event] = [RunStarted(TaskGraph(tasks), "/run")]
    events += [TaskEnded(task, TaskResult(task.id, State.SUCCEEDED)) for task in tasks]
    events.append(RunEnded(interrupted=False))
    progress(events[0])
    progress(TaskEnded(tasks[0], TaskResult(tasks[0].id, State.CACHED)))
    assert view.told == ["images: 2,000 of 8,000"]
    now = 50.0
    progress(events[2])
    assert view.told[-1] == "images: 4,000 of 8,000, 40 a second, about 0:01:40 left"
    progress(EngineStatus("nodes: 3 running"))
    assert view.told[-1].startswith("nodes: 3 running; images: 4,000 of 8,000, 40 a second")
    progress(EngineStatus("the pool is gone", urgent=True))
    assert view.told[-1] == "the pool is gone"
    now = 1000.0
    progress(events[3])
    assert view.told[-1].endswith("images: 6,000 of 8,000, 4.0 a second, about 0:08:20 left")
    said = len(view.told)
    for event in events[4:]:
        progress(event)
    assert len(view.told) == said
    assert [*view.others[:1], *view.others[2:]] == [events[0], *events[2:]]
    progress.close()
    assert view.closed
