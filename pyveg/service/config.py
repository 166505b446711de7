"""``service_config.py``: what the operator of a service says, typed, with every default."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyveg.core import params
from pyveg.core.errors import ConfigError
from pyveg.core.params import setting
from pyveg.jobs.load import read_config

FILE = "service_config.py"
"""Looked for in the working directory where no other is named."""


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    """The settings of a service."""

    data: str = setting(
        "service", doc="folder of the job table and of notes about jobs; on a disk of this machine"
    )
    runs: str = setting(
        "runs",
        doc='where the runs of jobs go: a folder, a URL such as "s3://bucket/runs", or '
        '"azure://NAME" for containers whose names begin so',
    )
    host: str = setting("127.0.0.1", doc="address to listen at; this machine alone as it is")
    port: int = setting(8470, doc="port to listen at; 0 takes a free one", low=0, high=65_535)
    public_url: str = setting(
        "", doc='how callers reach the service, such as "https://jobs.example.org"; links begin so'
    )
    hosts: tuple[str, ...] = setting(
        (), doc="further names that callers may call this machine by; others are refused"
    )
    trusted_proxies: tuple[str, ...] = setting(
        ("127.0.0.1",), doc="addresses of proxies whose X-Forwarded headers are believed"
    )
    web_workers: int = setting(1, doc="processes that answer requests", low=1, high=64)
    max_running: int = setting(
        2, doc="jobs that run at once; others wait for their turn", low=1, high=1_000
    )
    max_active: int = setting(
        50, doc="jobs of one caller that may wait or run", low=1, high=1_000_000
    )
    max_active_of_process: int = setting(
        500, doc="jobs of one process that may wait or run", low=1, high=1_000_000
    )
    max_restarts: int = setting(
        2, doc="how often the process of a job that died is started again", low=0, high=100
    )
    runner: str | None = setting(None, doc='engine of all jobs, such as "threads" or "dask"')
    n_workers: int | None = setting(
        None,
        doc="tasks of one job that may run at once; one per core where None",
        low=1,
        high=1_000,
    )
    engines: dict[str, Any] = setting({}, doc="engine -> settings of it", finite=False)
    offered: tuple[str, ...] = setting(
        ("resilience", "run-command", "score-images", "train", "promote", "predict", "cameras"),
        doc="processes that are built in and offered; run-command only with applications, "
        "score-images with scoring_models, train, promote and predict with trainings; cameras is "
        "of stations",
    )
    processes: tuple[str, ...] = setting((), doc="files of processes of your own")
    of_process: dict[str, Any] = setting(
        {},
        doc="process -> settings that differ for it: max_active, keep_days, runs, runner, "
        "n_workers, engines, run_mode",
        finite=False,
    )
    collections: tuple[str, ...] = setting(
        ("SimulatedSentinel2", "SimulatedWeather"),
        doc="data collections that callers of resilience may use",
    )
    data_collections: dict[str, Any] = setting(
        {}, doc="records of collections of your own, beside those that pyveg knows", finite=False
    )
    applications: dict[str, Any] = setting(
        {},
        doc="name -> settings of CommandModule, for run-command: application, command ...",
        finite=False,
    )
    trainings: dict[str, Any] = setting(
        {},
        doc='name -> {"train": {...}, "promote": {...}, "predict": {...}}, for train, promote and '
        "predict: settings of TrainModel, PromoteModel and PredictImages; {} for the reference "
        "trainer",
        finite=False,
    )
    bajor: dict[str, Any] = setting(
        {},
        doc="the API of BaJoR, below /bajor, where given: training, catalogs, username, "
        "password_variable ...; docs/training.md",
        finite=False,
    )
    scoring_models: dict[str, Any] = setting(
        {},
        doc="name -> a model that callers of score-images may name: model, scorer (onnx if left "
        "out), record, images_per_task",
        finite=False,
    )
    scoring_hosts: tuple[str, ...] = setting(
        (), doc="hosts in private networks that score-images may ask for images and lists"
    )
    camera_trap: dict[str, Any] = setting(
        {},
        doc="the batch API of camera traps, below /v4/camera-trap, where given: allow_list, "
        "default_model_version ...; docs/camera_trap.md",
        finite=False,
    )
    input_locations: tuple[str, ...] = setting(
        (),
        doc="folders and beginnings of URLs that callers of run-command, score-images, train and "
        "predict may name files in",
    )
    station_scorers: dict[str, Any] = setting(
        {},
        doc="name -> a scorer that stations may name: model, scorer (onnx if left out), record",
        finite=False,
    )
    max_images: int | None = setting(
        None,
        doc="images of stations in hand at once, in all web processes; two per core where None",
        low=1,
        high=10_000,
    )
    keep_days: float | None = setting(
        None, doc="days after which the run of a job that ended is removed; never where None", low=0
    )
    audit_days: float = setting(365.0, doc="days that the audit is kept", low=1, high=36_500)
    link_minutes: float = setting(
        60.0, doc="minutes that a link to results holds", low=0.01, high=525_600
    )
    session_hours: float = setting(
        12.0, doc="hours that a browser stays signed in", low=0.01, high=8_760
    )
    wrong_secrets: int = setting(
        10,
        doc="wrong tokens, keys and passwords that an address may send in a minute; then it is "
        "answered 429",
        low=1,
        high=1_000_000,
    )
    body_limit: int = setting(
        1_000_000, doc="bytes of a request's body at most", low=1_000, high=1_000_000_000
    )
    azure_config: str | None = setting(None, doc="the file with your accounts at Azure")

    @property
    def folder(self) -> Path:
        """The folder of the table."""
        return Path(self.data)

    @property
    def table_path(self) -> Path:
        """The file of the table."""
        return self.folder / "jobs.sqlite"

    @property
    def bajor_folders(self) -> tuple[str, ...]:
        """Where catalogues and manifests of jobs that came by the API of BaJoR are."""
        if not self.bajor:
            return ()
        return (str(self.bajor.get("catalogs", "")), str(self.folder / "manifests"))

    def job_folder(self, job: str) -> Path:
        """Where notes about a job are."""
        return self.folder / "jobs" / job

    @property
    def images_in_flight(self) -> int:
        """Images of stations that one web process may have in hand."""
        most = self.max_images or 2 * (os.cpu_count() or 1)
        return max(1, -(-most // self.web_workers))

    def of(self, process: str) -> ProcessConfig:
        """The settings that differ for a process."""
        given = self.of_process.get(process, {})
        return params.build(ProcessConfig, given, f'of_process["{process}"]')


@dataclass(frozen=True, kw_only=True)
class ProcessConfig:
    """What differs for one process."""

    max_active: int | None = setting(None, doc="jobs of it that may wait or run", low=1)
    keep_days: float | None = setting(None, doc="days that its runs are kept", low=0)
    runs: str | None = setting(None, doc="where its runs go")
    runner: str | None = setting(None, doc="engine of its jobs")
    n_workers: int | None = setting(None, doc="tasks at once", low=1, high=100_000)
    engines: dict[str, Any] = setting({}, doc="engine -> settings of it", finite=False)
    run_mode: str | None = setting(
        None, doc='where its Modules run, such as "batch"; the combiner stays local'
    )


def read(path: str | Path | None = None) -> ServiceConfig:
    """The settings of a service.

    Parameters
    ----------
    path : str or Path, optional
        The file; ``service_config.py`` in the working directory where left out, and defaults where
        that is not there either. Relative paths in it hold from its folder.

    Raises
    ------
    ConfigError
        If it is missing, raises an error, or a setting is wrong.
    """
    chosen = Path(path) if path is not None else Path(FILE)
    if not chosen.is_file():
        if path is not None:
            raise ConfigError(
                f"there is no file {chosen.absolute()}", "write one with pyveg_serve config"
            )
        return settled(ServiceConfig(), Path.cwd())
    given = read_config(chosen)
    return settled(params.build(ServiceConfig, given, str(chosen)), chosen.absolute().parent)


def settled(config: ServiceConfig, folder: Path) -> ServiceConfig:
    """Paths in full, and every check that needs no process.

    Raises
    ------
    ConfigError
    """
    for name in config.of_process:
        _ = config.of(name)
    if config.public_url and not config.public_url.startswith(("http://", "https://")):
        raise ConfigError(
            f"public_url = {config.public_url!r} is no address",
            'write it as "https://jobs.example.org"',
        )
    return replace(
        config,
        data=str(folder / Path(config.data).expanduser()),
        runs=in_full(config.runs, folder),
        public_url=config.public_url.rstrip("/"),
        processes=tuple(str(folder / Path(one).expanduser()) for one in config.processes),
        of_process={name: _of_in_full(given, folder) for name, given in config.of_process.items()},
        applications={
            name: _application(name, given, folder) for name, given in config.applications.items()
        },
        station_scorers={
            name: _scorer(f'station_scorers["{name}"]', given, folder)
            for name, given in config.station_scorers.items()
        },
        scoring_models={
            name: _scorer(f'scoring_models["{name}"]', given, folder, "images_per_task")
            for name, given in config.scoring_models.items()
        },
        camera_trap=_camera_trap(config.camera_trap, folder),
        trainings={
            name: _training(name, given, folder) for name, given in config.trainings.items()
        },
        bajor=_bajor(config.bajor, folder),
        input_locations=tuple(in_full(one, folder) for one in config.input_locations),
        azure_config=config.azure_config and str(folder / config.azure_config),
    )


def in_full(location: str, folder: Path) -> str:
    """A folder in full, or a URL as it is."""
    return location if "://" in location else str(folder / Path(location).expanduser())


def _of_in_full(given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    runs = given.get("runs")
    return {**given, "runs": in_full(runs, folder)} if runs else dict(given)


def _application(name: str, given: Any, folder: Path) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not given.get("command"):
        raise ConfigError(
            f'applications["{name}"] has no command',
            'write {"application": FOLDER, "command": ["python", "app.py", "{input}", ...]}',
        )
    where = given.get("application")
    return {**given, "application": str(folder / Path(where).expanduser())} if where else {**given}


def _scorer(where: str, given: Any, folder: Path, *more: str) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not given.get("model"):
        raise ConfigError(f"{where} has no model", 'write {"model": "detector.onnx"}')
    known = ("model", "scorer", "record", *more)
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ConfigError(
            f"{where} has {unknown[0]!r}, which nobody knows",
            f"give {', '.join(known[:-1])} and {known[-1]}",
        )
    found = dict(given)
    for key in ("model", "record"):
        path = found.get(key)
        # "demo" and addresses are no files.
        if isinstance(path, str) and (folder / Path(path).expanduser()).is_file():
            found[key] = str(folder / Path(path).expanduser())
    return found


_PATHS = (
    ("train", "script"),
    ("train", "application"),
    ("train", "images"),
    ("train", "checkpoint"),
    ("promote", "models"),
    ("predict", "script"),
    ("predict", "images"),
)
"""Settings of a training that are paths of the operator."""


def _training(name: str, given: Any, folder: Path) -> dict[str, Any]:
    """A training with its paths in full."""
    parts = ("train", "promote", "predict")
    if not isinstance(given, Mapping) or not set(given) <= set(parts):
        raise ConfigError(
            f'trainings["{name}"] has other parts than {", ".join(parts)}',
            'write {"train": {"script": FILE}, "promote": {"models": FOLDER}, "predict": {...}}',
        )
    made = {part: dict(given.get(part, {})) for part in parts}
    made["promote"] = {"models": "models", "model": name, **made["promote"]}
    for part, path in _PATHS:
        if made[part].get(path):
            made[part][path] = in_full(made[part][path], folder)
    return made


def _bajor(given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    where = given.get("catalogs")
    return {**given, "catalogs": in_full(str(where), folder)} if where else dict(given)


def _camera_trap(given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    named = {name: str(given[name]) for name in _LISTS if given.get(name)}
    paths = {name: in_full(path, folder) for name, path in named.items() if path != "*"}
    return {**given, **paths}


_LISTS = ("allow_list", "sync_keys")
"""Settings of camera_trap that are paths of the operator."""


def template() -> str:
    """The text of a commented ``service_config.py``, with every setting at its default."""
    parts = ['"""What pyveg_serve does: every setting, with its default. docs/service.md"""', ""]
    for name, spec in params.names(ServiceConfig).items():
        default = spec.default_factory() if callable(spec.default_factory) else spec.default
        parts += textwrap.wrap(
            spec.metadata["doc"], 96, initial_indent="# ", subsequent_indent="# "
        )
        parts += [f"{name} = {_shown(default)}", ""]
    return "\n".join(parts)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)
