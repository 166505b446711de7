"""Put a run together: Store, lock, engines, watchers; and start or finish it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pyveg.core.coordinator import Coordinator
from pyveg.core.engines import Engines, joined
from pyveg.core.errors import ConfigError, NotARunError
from pyveg.core.events import ClosingStep, EngineStatus, Event, Observer, RunStarted, TaskEnded
from pyveg.core.layout import failed_task_key
from pyveg.core.pipeline import Pipeline
from pyveg.core.planner import Plan
from pyveg.core.ports import Store
from pyveg.core.progress import ShowProgress, in_notebook
from pyveg.core.report import RunReport
from pyveg.core.tasks import State, TaskResult
from pyveg.core.texts import brief
from pyveg.core.types import StopHow
from pyveg.jobs import claim, closing, messages, reachable, trust
from pyveg.jobs.built_in import config_path
from pyveg.jobs.claim import Claim, Place
from pyveg.jobs.dispatch import Dispatch
from pyveg.jobs.engines import capacities, check, cores, far_modes, make, start_engine
from pyveg.jobs.journal import Journal
from pyveg.jobs.load import kept_text, load_pipeline
from pyveg.jobs.locations import find_run, open_location
from pyveg.jobs.metering import RunMeter, check_again
from pyveg.jobs.observers import Observers
from pyveg.jobs.operating import replaced, unpriced
from pyveg.jobs.resolve import checked_over
from pyveg.jobs.stopping import ASKED, StopSwitch
from pyveg.runs.execution import Execution, execution_of
from pyveg.runs.run import Run, open_run

OnInterrupt = StopHow


@dataclass(frozen=True)
class PreparedRun:
    """A run that has been planned and checked, and not been started."""

    pipeline: Pipeline
    plan: Plan
    place: Place
    """Where it is, or will be; a run of another process that begins in the same second may take
    the place, unless it was chosen by `at`, and this one gets the next free name then."""
    config_text: str | None = None
    resumed: Store | None = None
    """The Store of the run that is to be finished; None for a new one."""
    switch: StopSwitch = field(default_factory=StopSwitch)

    @property
    def url(self) -> str:
        """Address of the run."""
        return self.place.store.url

    def ask_to_stop(self, how: StopHow | None = None, why: str = ASKED) -> None:
        """Have the run end before its end, or not begin. Any thread may call it, at any time.

        Other processes ask by `pyveg.open_run(url).ask_to_stop()` or ``pyveg_cancel``.

        Parameters
        ----------
        how : {"cancel", "detach"}, optional
            Whether what runs elsewhere is ended too; as `start` was told for an interrupt where
            left out.
        why : str
            The reason of each Task that is given up.
        """
        self.switch.ask(how, why)


def prepare(
    config: Pipeline | str | Path | Mapping[str, Any] | None = None,
    *,
    from_cache: str | Path | None = None,
    at: str | Path | None = None,
    output_location: str | None = None,
    runner: str | None = None,
    n_workers: int | None = None,
    engines: Engines | None = None,
    trust_record: bool = False,
    operating: Mapping[str, Any] | None = None,
) -> PreparedRun:
    """Plan a run and check all that can be checked before anything is written.

    Parameters
    ----------
    config : Pipeline, str, Path or mapping, optional
        A Pipeline, the path of a config file, the name of one that comes with pyveg, or its
        settings as a dict; not needed with `from_cache`.
    from_cache : str or Path, optional
        Folder, URL or container of a run to finish.
    at : str or Path, optional
        Folder, URL or container where a new run is to be, instead of a name that ends with the
        time; nothing may be there yet.
    output_location, runner, n_workers
        Replace those of the config.
    engines : mapping, optional
        Name of an engine -> settings of it, which replace those of the config one by one.
    trust_record : bool
        Do what the record of the run to finish says though another user or machine wrote it.
    operating : mapping, optional
        ``max_hours``, ``max_node_hours``, ``max_cost``, ``at_limit``, ``prices`` and ``webhook``,
        which replace those of the config.

    Raises
    ------
    ConfigError
        If the job cannot work.
    NotARunError
        If `from_cache` is no run.
    RunError
        If the record of that run would execute something, was not written here, and is not trusted.
    """
    if config is None and from_cache is None:
        raise ConfigError(
            "there is nothing to run", "name a config file, or with from_cache a run to finish"
        )
    _check_place(from_cache, at, output_location)
    resumed = None if from_cache is None else find_run(from_cache)
    text = None
    if isinstance(config, Pipeline):
        pipeline = config
    elif isinstance(config, Mapping):
        pipeline = load_pipeline(config)
    elif config is not None:
        file = config_path(config)
        pipeline = load_pipeline(file)
        text = kept_text(file)
    elif resumed is not None:
        pipeline = _to_finish(resumed, trusted=trust_record)
    pipeline = replace(
        pipeline,
        **_replacing(pipeline, output_location, runner, n_workers),
        engines=joined(pipeline.engines, engines or {}),
    )
    pipeline = replaced(pipeline, operating or {}, "this run")
    messages.address_for(messages.settings_of(pipeline.webhook))  # where there is none, say it now
    plan = pipeline.plan()
    store = None if resumed is None else resumed.store
    place = _place(pipeline, store, at)
    notes = check(pipeline, plan.graph, place.store)
    notes += unpriced(pipeline, capacities(pipeline, plan.graph, place.store).values())
    if store is not None:
        check_again(pipeline, store)
    plan = replace(plan, warnings=(*plan.warnings, *notes))
    return PreparedRun(pipeline, plan, place, text, store)


def _replacing(
    pipeline: Pipeline, output_location: str | None, runner: str | None, n_workers: int | None
) -> dict[str, Any]:
    """What replaces the settings of a Pipeline; one that was made by hand is checked too."""
    given = {"output_location": output_location, "runner": runner, "n_workers": n_workers}
    rest = {"runner": pipeline.runner, "n_workers": pipeline.n_workers}
    chosen = {name: value for name, value in given.items() if value is not None}
    return checked_over({**rest, **chosen}, "this run")


def _check_place(
    from_cache: str | Path | None, at: str | Path | None, output_location: str | None
) -> None:
    """Refuse two answers to the question where the run is."""
    if from_cache is not None and (output_location is not None or at is not None):
        other = "output_location" if at is None else "at"
        raise ConfigError("a run that is finished stays where it is", f"leave out {other}")
    if at is not None and output_location is not None:
        raise ConfigError("a new run has one place", "leave out output_location or at")
    if at is not None and (not str(at).strip() or "\0" in str(at)):
        raise ConfigError(f"at = {brief(at)} is no place", "name a folder, a URL or a container")


def _place(pipeline: Pipeline, resumed: Store | None, at: str | Path | None) -> Place:
    if resumed is not None:
        return Place(resumed)
    return claim.stamped(pipeline) if at is None else claim.given(open_location(at))


def run_pipeline(
    config: Pipeline | str | Path | Mapping[str, Any] | None = None,
    *,
    from_cache: str | Path | None = None,
    at: str | Path | None = None,
    output_location: str | None = None,
    runner: str | None = None,
    n_workers: int | None = None,
    engines: Engines | None = None,
    trust_record: bool = False,
    observers: Iterable[Observer] = (),
    on_interrupt: OnInterrupt = "cancel",
    operating: Mapping[str, Any] | None = None,
) -> RunReport:
    """Run a Pipeline to its end, or finish one that was interrupted.

    Parameters
    ----------
    config : Pipeline, str, Path or mapping, optional
        A Pipeline, the path of a config file, the name of one that comes with pyveg, or its
        settings as a dict; not needed with `from_cache`.
    from_cache : str or Path, optional
        Folder, URL or container of a run to finish.
    at : str or Path, optional
        Folder, URL or container where a new run is to be.
    output_location, runner, n_workers
        Replace those of the config.
    engines : mapping, optional
        Name of an engine -> settings of it, which replace those of the config one by one.
    trust_record : bool
        Do what the record of the run to finish says though another user or machine wrote it.
    observers : iterable of callable
        Each is called with every event of the run. In a notebook a `pyveg.ShowProgress` where
        there are none.
    on_interrupt : {"cancel", "detach"}
        Whether an interrupt ends what runs elsewhere, or leaves it to go on.
    operating : mapping, optional
        ``max_hours``, ``max_node_hours``, ``max_cost``, ``at_limit``, ``prices`` and ``webhook``,
        which replace those of the config.

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

    Examples
    --------
    Two months of the built-in place:

    >>> import pyveg
    >>> days = ["2016-01-01", "2016-03-01"]
    >>> job = pyveg.load_pipeline("demo", date_range=days, runner="serial", analysis=False)
    >>> report = pyveg.run_pipeline(job, at="my_place")
    >>> report.exit_code, len(pyveg.open_run(report.url).dates())
    (0, 2)
    """
    prepared = prepare(
        config,
        from_cache=from_cache,
        at=at,
        output_location=output_location,
        runner=runner,
        n_workers=n_workers,
        engines=engines,
        trust_record=trust_record,
        operating=operating,
    )
    watching = list(observers) or ([ShowProgress()] if in_notebook() else [])
    return start(prepared, watching, on_interrupt)


def start(
    prepared: PreparedRun,
    observers: Iterable[Observer] = (),
    on_interrupt: OnInterrupt = "cancel",
    *,
    picture: bool = True,
) -> RunReport:
    """Carry out what `prepare` made; `picture` draws one of the results at the end.

    Raises
    ------
    ServiceAwayError, ConfigError
        If no service that the run needs is there or lets this user in; nothing was written.
    LockLostError
        If another process has taken over the run; this one has stopped writing.
    StoreError
        If the run's folder cannot be written.
    """
    begin = time.perf_counter()
    pipeline, graph = prepared.pipeline, prepared.plan.graph
    far = far_modes(pipeline, graph)
    done = open_run(prepared.resumed).proven_tasks() if prepared.resumed else set()
    away = reachable.check(graph, done, far)
    warnings = (*prepared.plan.warnings, *away)
    with _claimed(prepared) as claimed, ExitStack() as stack:
        store, lock = claimed
        journal = Journal(store, epoch=lock.epoch, warnings=warnings, on_stop=prepared.ask_to_stop)
        stack.enter_context(journal)
        meter = RunMeter(store, pipeline, far, lock.epoch)
        execution = Execution() if prepared.resumed is None else execution_of(store)
        seen: list[Observer] = [journal, meter, execution, *observers]
        seen += _forget_failures(prepared, store)
        notifier = stack.enter_context(messages.notifier(pipeline, store.url, journal))
        meter.on_limit(notifier.at_limit)
        notify = Observers([*seen, notifier])
        dispatch = Dispatch(store, pipeline.about, notify, far)
        notify(RunStarted(graph, store.url))
        for note in away:
            notify(EngineStatus(note, urgent=True))
        results = _run_tasks(prepared, claimed, dispatch, notify, on_interrupt, meter)
        interrupted = any(result.state is State.CANCELLED for result in results.values())
        summary, figure = closing.draw(open_run(store), picture=picture)
        ledger = closing.write_ledger(store, graph, results)
        dispatch.tidy(graph, results)
        told = closing.tell_execution(store, execution, notify)
        analysed = closing.Analysed()
        if pipeline.analysis and not interrupted:
            tell = _closing_step(prepared.switch, notify)
            analysed = closing.analyse(store, pipeline.analysis, cores(), tell)
        meter.keep()
        report = RunReport(
            url=store.url,
            graph=graph,
            results=results,
            seconds=time.perf_counter() - begin,
            interrupted=interrupted,
            warnings=warnings,
            summary=summary,
            figure=figure,
            ledger=ledger,
            execution=told,
            analyses=analysed.told,
            reports=analysed.reports,
            analysis_failed=analysed.failed,
            used=meter.lines(),
            limit=meter.reached if interrupted else "",
        )
        journal.close_with(report)
        notifier.close_with(report)
    return report


def _run_tasks(  # noqa: PLR0917 - all of what `start` has put together
    prepared: PreparedRun,
    claimed: Claim,
    dispatch: Dispatch,
    notify: Observer,
    on_interrupt: OnInterrupt,
    meter: RunMeter,
) -> dict[str, TaskResult]:
    """Run all Tasks on their engines, which are started and closed here."""
    graph, (store, lock) = prepared.plan.graph, claimed
    runners = make(prepared.pipeline, graph, store)
    coordinator = Coordinator(
        graph,
        store,
        runners,
        notify,
        prepare=dispatch.prepare,
        recheck=dispatch.recheck,
        fresh=prepared.resumed is None,
        on_interrupt=on_interrupt,
        lock=lock,
    )
    lock.on_lost(coordinator.fail)
    prepared.switch.connect(coordinator.ask_to_stop)
    # One engine may serve two run modes, and is started and closed once.
    engines = list(dict.fromkeys(runners.values()))
    with ExitStack() as started:
        started.enter_context(
            meter.watching(
                engines, coordinator.hold, lambda why: coordinator.ask_to_stop("cancel", why)
            )
        )
        for engine in engines:
            # Before it starts, so that half of a start is tidied too.
            started.callback(engine.close)
            start_engine(engine, store, coordinator)
        results = coordinator.run()
    coordinator.tell_rest()
    return results


def _claimed(prepared: PreparedRun) -> AbstractContextManager[Claim]:
    """The run, held against other processes."""
    pipeline, text = prepared.pipeline, prepared.config_text
    if prepared.resumed is not None:
        return claim.claimed_again(prepared.resumed, pipeline, text)
    return claim.claimed_new(prepared.place, pipeline, text)


def _closing_step(switch: StopSwitch, notify: Observer) -> Callable[[str], None]:
    """Takes what the analysis tells, and ends it where somebody has asked the run to stop."""

    def tell(text: str) -> None:
        if switch.asked:
            raise KeyboardInterrupt
        notify(ClosingStep(text))

    return tell


def _to_finish(run: Run, *, trusted: bool) -> Pipeline:
    """The Pipeline of a run whose Tasks are those that this version would make."""
    if not run.can_be_finished:
        made_by = run.record.get("versions", {}).get("pyveg")
        raise NotARunError(
            f"{run.url} was made by another version of pyveg ({made_by})",
            "finish it with that one (it can be opened and analysed with this one)",
        )
    if not trusted:
        trust.check(run)  # before its Modules are imported
    return run.pipeline


def _forget_failures(prepared: PreparedRun, store: Store) -> list[Observer]:
    """When a run is finished, drop what earlier tries stored of failed Tasks that now are done."""
    if prepared.resumed is None:
        return []
    failed = open_run(store).failed_tasks()

    def forget(event: Event) -> None:
        if isinstance(event, TaskEnded) and event.result.state is not State.FAILED:
            key = failed_task_key(event.task.id)
            if key in failed:
                store.delete(key)

    return [forget]
