"""Settings of engines: declared by them, given in configs and options, told by nobody else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

import pyveg
from pyveg.core import registry
from pyveg.core.engines import joined
from pyveg.core.errors import ConfigError, EngineError
from pyveg.core.params import setting
from pyveg.core.pipeline import Pipeline
from pyveg.core.ports import Listener, Runner, Store, Work
from pyveg.core.tasks import State
from pyveg.jobs import engines
from pyveg.jobs.resolve import resolve
from pyveg.jobs.run import prepare, run_pipeline
from pyveg.runners.local import SerialRunner, ThreadRunner
from pyveg.scripts.engine_options import _renewed
from pyveg.storage.local import LocalStore
from pyveg.storage.memory import MemoryStore
from pyveg.testing.graphs import FAKES, fake_pipeline

PACKAGE = Path(pyveg.__file__).parent


@dataclass(frozen=True, kw_only=True)
class QueueSettings:
    """Of `QueueRunner`."""

    queue: str = setting("normal", doc="queue that Tasks go to")
    minutes: float = setting(60.0, doc="how long a job lasts", low=1, high=600)
    token: str = setting("", doc="it is read from QUEUE_TOKEN", secret=True)


class QueueRunner(ThreadRunner):
    """An engine as another package may have one."""

    Settings: ClassVar[type[Any]] = QueueSettings
    old_names: ClassVar[Mapping[str, str]] = {"cluster_queue": "queue"}
    made: ClassVar[list[tuple[QueueSettings, Work]]] = []

    @classmethod
    def check(cls, settings: QueueSettings, work: Work) -> list[str]:
        if settings.queue == "closed":
            raise ConfigError(f"the queue {settings.queue} takes no jobs", "choose another")
        return [f"{len(work.steps)} Modules go to {settings.queue}"]

    def __init__(self, settings: QueueSettings, work: Work) -> None:
        super().__init__(settings, work)
        self.made.append((settings, work))


@pytest.fixture(autouse=True)
def _queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine more, as if a package with it were installed."""
    real = registry._table
    point = registry.EntryPoint("queue", f"{__name__}:QueueRunner", "pyveg.runners")
    object.__setattr__(point, "load", lambda: QueueRunner)
    monkeypatch.setattr(
        registry,
        "_table",
        lambda kind: {**real(kind), **({"queue": point} if kind == "runner" else {})},
    )
    QueueRunner.made.clear()


def _config(**more: Any) -> dict[str, Any]:
    start, gather = f"{FAKES}:Start", f"{FAKES}:Gather"
    return {
        "output_location": "run",
        "modules_to_use": {"A": [start], "combine": [gather]},
        **more,
    }


# In configs


def test_settings_reach_the_engine(tmp_path: Path) -> None:
    settings = {"queue": "long", "minutes": 90}
    pipeline = resolve(
        _config(output_location=str(tmp_path / "r"), runner="queue", engines={"queue": settings})
    )
    prepared = prepare(pipeline)
    assert "2 Modules go to long" in prepared.plan.warnings
    report = run_pipeline(pipeline)
    assert report.counts == {State.SUCCEEDED: 4}
    ((told, work),) = QueueRunner.made
    assert (told.queue, told.minutes) == ("long", 90)
    assert work.run_modes == {"local"}
    assert work.store.url == report.url


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"qeue": {}}, r'engines: unknown engine "qeue"; did you mean "queue"'),
        ({"queue": {"quue": "a"}}, r'engines\["queue"\]: unknown setting "quue"; did you mean "q'),
        ({"queue": {"queue": 3}}, r'engines\["queue"\]: queue = 3 is not right; give text'),
        ({"queue": {"minutes": 0}}, r"minutes = 0 is out of range; it must be at least 1"),
        ({"queue": {"minutes": 1e4}}, r"at most 600"),
        ({"queue": "long"}, r"engines\[\"queue\"\] = 'long' is no dictionary"),
        (
            {"queue": {"token": "geheim"}},
            r'"token" is a secret, and a config is kept .*QUEUE_TOKEN',
        ),
        ({"threads": {"n": 1}}, r'engines\["threads"\]: unknown setting "n"'),
    ],
)
def test_every_name_and_value_is_checked(given: dict[str, Any], words: str) -> None:
    """When the config is read, and for a Pipeline that was made by hand when it is planned."""
    for look in (
        lambda: resolve(_config(engines=given)),
        lambda: fake_pipeline(engines=given).plan(),
    ):
        with pytest.raises(ConfigError, match=words) as caught:
            look()
        assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("given", [3, "queue", ["queue"], {"queue": 3}, {"queue": None}, {1: {}}])
def test_settings_that_are_none_are_refused_in_python_too(given: Any) -> None:
    with pytest.raises(ConfigError, match="engine"):
        prepare(fake_pipeline(), engines=given)


class Idle(Runner):
    """Inherits from the interface what does nothing there."""

    Settings: ClassVar[type[Any]] = QueueSettings


class Plain(ThreadRunner):
    """Its settings are no dataclass."""

    class Settings:
        queue = "normal"


class Lonely:
    """No engine by its ancestors, and none by what it has."""

    Settings = QueueSettings
    old_names: ClassVar[Mapping[str, str]] = {}

    def check(self) -> None: ...
    def start(self) -> None: ...
    def submit(self) -> None: ...
    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Idle", 'Idle" is a class, but no runner of pyveg: it has no start'),
        ("Plain", 'Plain" has Settings that are no dataclass; declare them as a frozen'),
        ("Lonely", 'Lonely" is a class, but no runner of pyveg: it has no resolves_dep'),
    ],
)
def test_a_class_that_is_no_engine(name: str, words: str, tmp_path: Path) -> None:
    """A run would wait for ever for the first, and fall over the others."""
    pipeline = fake_pipeline(output_location=str(tmp_path / "r"), runner=f"{__name__}:{name}")
    with pytest.raises(ConfigError, match=words):
        prepare(pipeline)


@pytest.mark.parametrize("at", ["", " ", "a\0b"])
def test_a_place_that_is_none(at: str) -> None:
    with pytest.raises(ConfigError, match=r"at = .* is no place"):
        prepare(fake_pipeline(), at=at)


def test_what_cannot_work_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    pipeline = fake_pipeline(
        output_location=str(tmp_path / "run"),
        runner="queue",
        engines={"queue": {"queue": "closed"}},
    )
    with pytest.raises(ConfigError, match="the queue closed takes no jobs; choose another"):
        run_pipeline(pipeline)
    assert not list(tmp_path.iterdir())


def test_settings_that_nobody_uses_are_told() -> None:
    pipeline = fake_pipeline(engines={"queue": {"queue": "long"}})
    (note,) = pipeline.plan().warnings
    assert note.startswith('engines["queue"] (queue) has no effect: no Module has run_mode = "qu')
    assert not fake_pipeline(engines={"queue": {}}).plan().warnings
    assert (
        not fake_pipeline(start={"run_mode": "queue"}, engines={"queue": {"queue": "long"}})
        .plan()
        .warnings
    )


def test_settings_of_an_engine_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not used they are no reason to end."""
    there = registry.is_installed
    monkeypatch.setattr(
        registry, "is_installed", lambda name: name != "distributed" and there(name)
    )
    given = {"dask": {"scheduler": "tcp://host:1"}}
    (note,) = fake_pipeline(engines=given).plan().warnings
    assert "has no effect" in note
    with pytest.raises(ConfigError, match=r"pip install '\.\[dask\]'"):
        fake_pipeline(engines=given, runner="dask").plan()


# Older names


@pytest.mark.parametrize(
    ("old", "name", "setting_", "value"),
    [
        ("cluster_queue", "queue", "queue", "long"),
        ("dask_scheduler", "dask", "scheduler", "tcp://h:1"),
    ],
)
def test_an_older_name(old: str, name: str, setting_: str, value: str) -> None:
    expected = {name: {setting_: value}}
    assert resolve(_config(**{old: value})).engines == expected
    assert resolve(_config(**{old: value}, engines=expected)).engines == expected
    other = {name: {setting_: f"{value}2"}}
    words = rf'config: {old} = .*, but engines\["{name}"\]\["{setting_}"\] = .*; leave out {old}'
    with pytest.raises(ConfigError, match=words):
        resolve(_config(**{old: value}, engines=other))
    assert resolve(_config()).engines == {}


def test_an_older_name_with_a_slip() -> None:
    with pytest.raises(
        ConfigError, match=r'unknown setting "dask_schedular"; did you mean "dask_sch'
    ):
        resolve(_config(dask_schedular="tcp://h:1"))
    with pytest.raises(ConfigError, match="scheduler = 3 is not right; give text"):
        resolve(_config(dask_scheduler=3))


def test_records_of_older_runs_are_read() -> None:
    """They have every name, also where it says nothing."""
    record = fake_pipeline().to_json()
    del record["engines"]
    assert Pipeline.from_json({**record, "dask_scheduler": "local"}).engines == {}
    again = Pipeline.from_json({**record, "dask_scheduler": "tcp://h:1"})
    assert again.engines == {"dask": {"scheduler": "tcp://h:1"}}
    assert Pipeline.from_json(json.loads(json.dumps(again.to_json()))) == again
    with pytest.raises(ConfigError, match='the record of the run has "other_setting", which no'):
        Pipeline.from_json({**record, "other_setting": 1})


# On command lines


def test_options() -> None:
    given = engines.from_options(["queue.queue=a=b", "queue.minutes=90", "dask.scheduler=local"])
    assert given == {"queue": {"queue": "a=b", "minutes": 90.0}, "dask": {"scheduler": "local"}}
    below = {"queue": {"queue": "old", "minutes": 30}}
    assert joined(below, {"queue": {"queue": "new"}}) == {"queue": {"queue": "new", "minutes": 30}}


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["queue"], r'--engine "queue" sets nothing; write --engine NAME.SETTING=VALUE'),
        (["queue=long"], "sets nothing"),
        (["qeue.queue=a"], r'--engine: unknown runner "qeue"; did you mean "queue"'),
        (["queue.quue=a"], r'--engine queue: unknown setting "quue"; did you mean "queue"'),
        (["queue.minutes=soon"], r"--engine queue: minutes = 'soon' is not right; give a number"),
        (
            ["queue.queue=a", "queue.queue=b"],
            "--engine queue.queue is given twice, and differently",
        ),
    ],
)
def test_options_that_are_wrong(texts: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        engines.from_options(texts)


@pytest.mark.parametrize(
    ("args", "renewed"),
    [
        (["--cluster_queue", "long", "--dry_run"], ["--engine", "queue.queue=long", "--dry_run"]),
        (["--cluster_queue=a=b"], ["--engine", "queue.queue=a=b"]),
        (["--dask_scheduler", "tcp://h:1"], ["--engine", "dask.scheduler=tcp://h:1"]),
        (["--name", "--cluster_queue", "x"], ["--name", "--cluster_queue", "x"]),
        (["--nothing_such", "x", "-h"], ["--nothing_such", "x", "-h"]),
        (["--dry_run", "--", "--cluster_queue", "a"], ["--dry_run", "--", "--cluster_queue", "a"]),
        (["--name"], ["--name"]),
    ],
)
def test_older_options(args: list[str], renewed: list[str]) -> None:
    assert list(_renewed({"--name": True, "--dry_run": False}, args)) == renewed


def test_help_asks_no_engine() -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom click.testing import CliRunner\n"
        "from pyveg.scripts.run_pipeline import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0\n"
        "assert not [name for name in sys.modules if name.startswith('pyveg.runners')]\n"
        "assert 'pyveg.jobs.engines' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# Which engines there are


def test_one_engine_for_several_run_modes() -> None:
    pipeline = fake_pipeline(start={"run_mode": "queue"}, runner="queue")
    made = engines.make(pipeline, pipeline.plan().graph, MemoryStore())
    assert set(made) == {"local", "queue"}
    assert made["local"] is made["queue"]
    ((_, work),) = QueueRunner.made
    assert work.run_modes == {"local", "queue"}
    assert len(work.steps) == len(pipeline.plan().graph.steps)


def test_downloads_have_more_threads_than_what_computes() -> None:
    pipeline = fake_pipeline(start={"run_mode": "threads"}, runner="threads")
    graph = pipeline.plan().graph
    made = engines.make(pipeline, graph, MemoryStore())
    assert made["local"] is not made["threads"]
    assert made["threads"]._n_workers == engines.WAITING_TASKS  # type: ignore[attr-defined]
    assert made["local"]._n_workers == engines.cores()  # type: ignore[attr-defined]
    few = engines.make(fake_pipeline(start={"run_mode": "threads"}, runner="threads", n_workers=1),
                       graph, MemoryStore())  # fmt: skip
    assert few["local"] is few["threads"]


def test_other_processes_must_reach_the_store(tmp_path: Path) -> None:
    pipeline = fake_pipeline()
    graph = pipeline.plan().graph
    with pytest.raises(ConfigError, match="works in other processes, which cannot reach"):
        engines.check(pipeline, graph, MemoryStore())
    assert engines.check(pipeline, graph, LocalStore(tmp_path)) == []


def test_engines_elsewhere() -> None:
    pipeline = fake_pipeline(start={"run_mode": "batch"}, runner="dask")
    assert engines.far_modes(pipeline, pipeline.plan().graph) == {"batch", "local"}
    here = fake_pipeline(start={"run_mode": "threads"})
    assert engines.far_modes(here, here.plan().graph) == frozenset()


def test_all_that_are_installed_say_what_they_are() -> None:
    for name, cls in registry.runner_classes().items():
        assert Runner in cls.__mro__, name
        assert not set(cls.old_names) & {"name", "runner", "engines"}


# Nobody else names one

ROOMS = ("core", "jobs", "scripts", "modules", "runs", "storage", "earth")
"""Where no engine may be named."""
COMMANDS_FOR_BATCH = {
    "scripts/azure_cleanup.py": "the command that tidies a Batch account: it is about that alone",
    "scripts/azure_emulator.py": "the command that emulates one",
    "scripts/azure_config.py": "writes azure_config.py, the file with both accounts",
    "scripts/azure_pool.py": "makes and removes pools of a Batch account",
}
"""File -> why it may name Azure Batch."""
NO_ENGINE = re.compile(
    # The contract's setting of Modules, and the kind of service that it speaks of; not an engine.
    r"n_batch_tasks|batch service|"
    # Set by the service on its nodes, where programs of users run.
    r"AZ_BATCH_\w+|node of Azure Batch|nodes of Azure Batch|"
    # A script that has had this name for years.
    r"batch_commands"
)
ENGINE = re.compile(r"dask|\bbatch\b|azure_batch|batch_account", re.IGNORECASE)


def test_no_engine_is_named_outside_its_room() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for room in ROOMS
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if path.relative_to(PACKAGE).as_posix() not in COMMANDS_FOR_BATCH
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if ENGINE.search(NO_ENGINE.sub("", line))
    ]
    assert not found, "\n".join(found)


class _Careless(SerialRunner):
    """An engine of somebody who does not know the errors of pyveg."""

    where: ClassVar[str] = ""

    @classmethod
    def check(cls, settings: Any, work: Work) -> Sequence[str]:
        del settings, work
        cls.stumble("check")
        return ()

    def __init__(self, settings: Any, work: Work) -> None:
        self.stumble("init")
        super().__init__(settings, work)

    def start(self, store: Store, listener: Listener) -> None:
        self.stumble("start")
        super().start(store, listener)

    @classmethod
    def stumble(cls, here: str) -> None:
        if cls.where == here:
            raise ZeroDivisionError("oh")


@pytest.mark.parametrize("where", ["check", "init", "start"])
def test_whatever_an_engine_raises_is_one_sentence(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Careless, "where", where)
    monkeypatch.setattr(engines.registry, "runner_class", lambda *_: _Careless)
    with pytest.raises(EngineError, match="cannot be used: ZeroDivisionError: oh"):
        run_pipeline(fake_pipeline(output_location=str(tmp_path / "run"), runner="serial"))
