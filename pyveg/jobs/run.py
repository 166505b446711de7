"""Put a run together: Store, lock, engines, watchers; and start or finish it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pyveg.core import params, registry
from pyveg.core.coordinator import Coordinator
from pyveg.core.errors import ConfigError, NotARunError, PyvegError, RunLockedError
from pyveg.core.events import ClosingStep, Event, Observer, RunStarted, TaskEnded
from pyveg.core.execute import describe
from pyveg.core.layout import CONFIG_FILE, LEDGER, LOCK, RUN_FILE, failed_task_key
from pyveg.core.ledger import make_ledger
from pyveg.core.manifest import versions
from pyveg.core.pipeline import Pipeline
from pyveg.core.planner import Plan
from pyveg.core.ports import Runner, RunnerSettings, Store
from pyveg.core.report import RunReport
from pyveg.core.tasks import State, TaskGraph, TaskResult
from pyveg.jobs import azure, batch, dask
from pyveg.jobs.dispatch import Dispatch
from pyveg.jobs.load import load_pipeline
from pyveg.jobs.locations import find_run
from pyveg.jobs.observers import Observers
from pyveg.jobs.runlog import RunLog
from pyveg.runs.run import Run, is_empty, open_run

OnInterrupt = Literal["cancel", "detach"]

WAITING_TASKS = 16
"""Tasks at once for Modules with ``run_mode = "threads"``: downloads, which wait for a service."""


@dataclass(frozen=True)
class PreparedRun:
    """A run that has been planned and checked, and not been started."""

    pipeline: Pipeline
    plan: Plan
    config_text: str | None = None
    resumed: Store | None = None
    """The Store of the run that is to be finished; None for a new one."""


def prepare(
    config: Pipeline | str | Path | None = None,
    *,
    from_cache: str | Path | None = None,
    output_location: str | None = None,
    runner: str | None = None,
    n_workers: int | None = None,
    dask_scheduler: str | None = None,
) -> PreparedRun:
    """Plan a run and check all that can be checked before anything is written.

    Parameters
    ----------
    config : Pipeline, str or Path, optional
        A Pipeline or the path of a config file; not needed with `from_cache`.
    from_cache : str or Path, optional
        Folder, URL or container of a run to finish.
    output_location, runner, n_workers, dask_scheduler
        Replace those of the config.

    Raises
    ------
    ConfigError
        If the job cannot work.
    NotARunError
        If `from_cache` is no run.
    """
    if config is None and from_cache is None:
        raise ConfigError(
            "there is nothing to run", "name a config file, or with from_cache a run to finish"
        )
    if from_cache is not None and output_location is not None:
        raise ConfigError("a run that is finished stays where it is", "leave out output_location")
    resumed = None if from_cache is None else find_run(from_cache)
    text = None
    if isinstance(config, Pipeline):
        pipeline = config
    elif config is not None:
        pipeline = load_pipeline(config)
        text = Path(config).read_text(encoding="utf-8")
    elif resumed is not None:
        pipeline = _to_finish(resumed)
    pipeline = replace(
        pipeline,
        output_location=output_location or pipeline.output_location,
        runner=runner or pipeline.runner,
        n_workers=n_workers or pipeline.n_workers,
        dask_scheduler=dask_scheduler or pipeline.dask_scheduler,
    )
    plan = pipeline.plan()
    store = None if resumed is None else resumed.store
    # A Store of a made-up name shows what its kind can do; nothing is written to it.
    _check_engines(pipeline, plan.graph, store or _store_at(pipeline, "plan"))
    notes = [
        *batch.check(pipeline, plan.graph),
        *dask.check(pipeline, tuple(_engine_names(pipeline, plan.graph).values())),
    ]
    plan = replace(plan, warnings=(*plan.warnings, *notes))
    return PreparedRun(pipeline, plan, text, store)


def run_pipeline(
    config: Pipeline | str | Path | None = None,
    *,
    from_cache: str | Path | None = None,
    output_location: str | None = None,
    runner: str | None = None,
    n_workers: int | None = None,
    dask_scheduler: str | None = None,
    observers: Iterable[Observer] = (),
    on_interrupt: OnInterrupt = "cancel",
) -> RunReport:
    """Run a Pipeline to its end, or finish one that was interrupted.

    Parameters
    ----------
    config : Pipeline, str or Path, optional
        A Pipeline or the path of a config file; not needed with `from_cache`.
    from_cache : str or Path, optional
        Folder, URL or container of a run to finish.
    output_location, runner, n_workers, dask_scheduler
        Replace those of the config.
    observers : iterable of callable
        Each is called with every event of the run.
    on_interrupt : {"cancel", "detach"}
        Whether an interrupt ends what runs elsewhere, or leaves it to go on.

    Returns
    -------
    RunReport
        How every Task ended. A Task that fails raises nothing.

    Raises
    ------
    ConfigError
        If the job cannot work; nothing was written.
    NotARunError, RunLockedError
        If the run to finish is none, or another process is writing to it.
    StoreError
        If the run's folder cannot be written.
    """
    prepared = prepare(
        config,
        from_cache=from_cache,
        output_location=output_location,
        runner=runner,
        n_workers=n_workers,
        dask_scheduler=dask_scheduler,
    )
    return start(prepared, observers, on_interrupt)


def start(
    prepared: PreparedRun,
    observers: Iterable[Observer] = (),
    on_interrupt: OnInterrupt = "cancel",
    *,
    picture: bool = True,
) -> RunReport:
    """Carry out what `prepare` made; `picture` draws one of the results at the end."""
    begin = time.perf_counter()
    pipeline, plan = prepared.pipeline, prepared.plan
    with _locked_store(prepared) as store, ExitStack() as stack:
        log = stack.enter_context(RunLog(store, plan.warnings))
        notify = Observers([log, *observers, *_forget_failures(prepared)])
        runners = _engines(pipeline, plan.graph, store)
        dispatch = Dispatch(store, pipeline.about, notify)
        coordinator = Coordinator(
            plan.graph,
            store,
            runners,
            notify,
            prepare=dispatch.prepare,
            fresh=prepared.resumed is None,
            detach=on_interrupt == "detach",
        )
        notify(RunStarted(plan.graph, store.url))
        with ExitStack() as engines:
            # One engine may serve two run modes, and is started and closed once.
            for engine in dict.fromkeys(runners.values()):
                # Before it starts, so that half of a start is tidied too.
                engines.callback(engine.close)
                engine.start(store, coordinator)
            results = coordinator.run()
        coordinator.tell_rest()
        interrupted = any(result.state is State.CANCELLED for result in results.values())
        summary, figure = _outputs(open_run(store), picture=picture)
        ledger = _write_ledger(store, plan.graph, results)
        dispatch.tidy(plan.graph, results)
        analysed: tuple[str, ...] = ()
        failed = ""
        if pipeline.analysis and not interrupted:
            analysed, failed = _analysed(store, pipeline.analysis, notify)
        report = RunReport(
            url=store.url,
            graph=plan.graph,
            results=results,
            seconds=time.perf_counter() - begin,
            interrupted=interrupted,
            warnings=plan.warnings,
            summary=summary,
            figure=figure,
            ledger=ledger,
            analyses=analysed,
            analysis_failed=failed,
        )
        log.close_with(report)
    return report


def _to_finish(run: Run) -> Pipeline:
    """The Pipeline of a run whose Tasks are those that this version would make."""
    if not run.can_be_finished:
        made_by = run.record.get("versions", {}).get("pyveg")
        raise NotARunError(
            f"{run.url} was made by another version of pyveg ({made_by})",
            "finish it with that one (it can be opened and analysed with this one)",
        )
    return run.pipeline


def _store_at(pipeline: Pipeline, stamp: str) -> Store:
    """The Store of a new run; nothing is written yet."""
    location = f"{pipeline.output_location}_{stamp}"
    kind = pipeline.output_location_type
    if kind == "local":
        store: Store = registry.load("store", "local")(Path(location).expanduser().absolute())
    elif (kind in registry.known("store") and kind != "fsspec") or kind == "azure":
        store = registry.load("store", kind, "output_location_type")(location)
    else:
        store = registry.load("store", "fsspec")(f"{kind}://{location}")
    return store


@contextmanager
def _locked_store(prepared: PreparedRun) -> Iterator[Store]:
    """The Store of the run, held against other processes, with the config in it."""
    if prepared.resumed is not None:
        store = prepared.resumed
        with store.lock(LOCK):  # first: partial files may be those of a process that still writes
            store.discard_partial()
            _write_record(prepared, store)
            yield store
        return
    moment = datetime.now(tz=UTC).astimezone()
    while True:
        store = _store_at(prepared.pipeline, moment.strftime("%Y-%m-%d_%H-%M-%S"))
        with ExitStack() as stack:
            try:
                stack.enter_context(store.lock(LOCK))
                # Looked at under the lock, since another run may begin in the same second.
                taken = not is_empty(store)
            except RunLockedError:
                taken = True
            if not taken:
                _write_record(prepared, store)
                yield store
                return
        moment += timedelta(seconds=1)  # never share a run that began in the same second


def _write_record(prepared: PreparedRun, store: Store) -> None:
    """Write the config to the run, as it was written and as it was understood."""
    if prepared.resumed is not None and prepared.config_text is None:
        return
    if prepared.config_text is not None:
        store.write(CONFIG_FILE, prepared.config_text.encode())
    record = {
        "pipeline": prepared.pipeline.to_json(),
        "versions": versions(),
        "written_to": store.url,
    }
    store.write(RUN_FILE, (json.dumps(record, indent=1) + "\n").encode())


def _engine_names(pipeline: Pipeline, graph: TaskGraph) -> dict[str, str]:
    """Run mode -> name of its engine."""
    modes = {step.run_mode for step in graph.steps}
    return {mode: pipeline.runner if mode == "local" else mode for mode in sorted(modes)}


def _check_engines(pipeline: Pipeline, graph: TaskGraph, store: Store) -> None:
    """Refuse what cannot work together."""
    for mode, name in _engine_names(pipeline, graph).items():
        cls = registry.runner_class(name, "runner" if mode == "local" else "run_mode")
        cure = 'set runner = "threads"' if mode == "local" else f'leave out run_mode = "{mode}"'
        if cls.needs_shared_store and not store.shared:
            raise ConfigError(
                f'the runner "{name}" works in other processes, which cannot reach {store.url}',
                f"{cure} or another output_location_type",
            )
        limited = [s.label for s in graph.steps if s.run_mode == mode and s.timeout is not None]
        if limited and not cls.enforces_timeout:
            raise ConfigError(
                f'the runner "{name}" cannot end a Task at a time limit, but {limited[0]} has '
                "timeout",
                'set runner = "processes" or leave out timeout',
            )


def _engines(pipeline: Pipeline, graph: TaskGraph, store: Store) -> dict[str, Runner]:
    classes = [registry.load("module", step.module) for step in graph.steps]
    preload = [name for cls in classes for name in (cls.__module__, *cls.preload)]
    engines: dict[str, Runner] = {}
    for mode, name in _engine_names(pipeline, graph).items():
        if mode == batch.MODE:
            options: dict[str, object] = {"batch": batch.settings(store, graph)}
        elif name == dask.NAME:
            if dask.NAME in engines:  # one for the local Modules too
                engines[mode] = engines[dask.NAME]
                continue
            options = {"dask": dask.settings(pipeline, store, graph.steps)}
        else:
            environment = azure.environment_for(store)
            options = {"preload": list(dict.fromkeys(preload)), "environment": environment}
        settings = RunnerSettings(_workers(pipeline, mode), options)
        engines[mode] = registry.runner_class(name)(settings)
    return engines


def _workers(pipeline: Pipeline, mode: str) -> int:
    """Tasks at once: one per core, and more in threads beside them, which mostly wait."""
    return pipeline.n_workers or (WAITING_TASKS if mode == "threads" else _cores())


def _forget_failures(prepared: PreparedRun) -> list[Observer]:
    """When a run is finished, drop what earlier tries stored of failed Tasks that now are done."""
    store = prepared.resumed
    if store is None:
        return []
    failed = open_run(store).failed_tasks()

    def forget(event: Event) -> None:
        if isinstance(event, TaskEnded) and event.result.state is not State.FAILED:
            key = failed_task_key(event.task.id)
            if key in failed:
                store.delete(key)

    return [forget]


def _outputs(run: Run, *, picture: bool) -> tuple[str | None, str | None]:
    """Where the summary is, and a picture of it, drawn anew."""
    series, place = run.series(), run.place
    if run.summary_key is None or series is None or place is None or run.figure_key is None:
        return None, None
    summary = f"{run.url}/{run.summary_key}"
    if not picture:
        return summary, None
    from pyveg.analysis.figures import series_png

    title = f"{place.latitude}° N, {place.longitude}° E,"
    drawn = series_png(series, title, run.metrics)
    if drawn is None:
        return summary, None
    run.store.write(run.figure_key, drawn)
    return summary, f"{run.url}/{run.figure_key}"


def _analysed(
    store: Store, given: bool | Mapping[str, Any], notify: Callable[[Event], None]
) -> tuple[tuple[str, ...], str]:
    """Analyse the results; gives a line for each collection, or why there is no analysis."""
    from pyveg.analysis.folder import FOLDER
    from pyveg.analysis.settings import AnalysisSettings
    from pyveg.jobs import analyses

    chosen = given if isinstance(given, Mapping) else {}
    try:
        done = analyses.run_analysis(
            analyses.Place(store, store, FOLDER),
            settings=params.build(AnalysisSettings, {"n_threads": _cores(), **chosen}, "analysis"),
            tell=lambda text: notify(ClosingStep(text)),
        )
    except PyvegError as error:
        return (), str(error)
    except Exception as error:  # noqa: BLE001 - the run itself is done, and must be reported
        return (), describe(error)
    return tuple(f"{one.collection}: {one.verdict.headline} {one.report}" for one in done), ""


def _write_ledger(store: Store, graph: TaskGraph, results: Mapping[str, TaskResult]) -> str | None:
    """Where the table of inputs is, for Modules that work on such."""
    table = make_ledger(graph, results)
    if table is None:
        return None
    store.write(LEDGER, table)
    return f"{store.url}/{LEDGER}"


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
