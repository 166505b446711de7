"""The process ``promote``: the best checkpoint of a training that a job has done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyveg.core.errors import ConfigError
from pyveg.core.params import setting
from pyveg.jobs.training import make_settings
from pyveg.service.builtin import train
from pyveg.service.builtin.train import OPTIONS, check_given
from pyveg.service.config import ServiceConfig
from pyveg.service.jobs_table import Jobs
from pyveg.service.processes import Process, Settings
from pyveg.service.records import Caller, JobRecord
from pyveg.service.refusals import Refusal, no_job
from pyveg.service.table import Table

ID = "promote"


@dataclass(frozen=True, kw_only=True)
class PromoteInputs:
    """What callers give."""

    job: str = setting(doc="id of a job of the process train that is over")
    manifest: str = setting("", doc="JSON file of images to predict afterwards")
    options: tuple[str, ...] = OPTIONS


def process(config: ServiceConfig) -> Process | None:
    """The process; None where the operator lists no training.

    A caller names a job and no file: a model that is used was made by a program of the operator.
    """
    if not config.trainings:
        return None
    jobs = Jobs(Table(config.table_path))

    def make(given: Any) -> Settings:
        return _settings(config, jobs.get(given.job), given)

    return Process(
        id=ID,
        title="Promote what a job has trained",
        description=(
            "Looks at the checkpoints that a job of the process train has left. The one of the "
            "least loss becomes the model that is used, if it is better than the present one."
        ),
        inputs=PromoteInputs,
        make=make,
        check=lambda given: _check(config, given),
        allow=lambda caller, given: _allow(jobs.get, config, caller, given),
    )


def _check(config: ServiceConfig, given: PromoteInputs) -> None:
    if given.manifest:
        check_given(given, config)
    elif given.options:
        raise ConfigError("inputs: options are those of a prediction", "give a manifest too")


def _allow(
    get: Callable[[str], JobRecord | None],
    config: ServiceConfig,
    caller: Caller,
    given: PromoteInputs,
) -> None:
    found = get(given.job)
    if found is None or not (caller.admin or found.caller == caller.name):
        raise no_job(given.job)
    if found.process != train.ID or found.inputs.get("training") not in config.trainings:
        raise Refusal(
            422,
            f"the job {found.id} is no training that this service offers",
            f"name a job of the process {train.ID}",
            pointer="/inputs/job",
        )
    if not found.state.over:
        raise Refusal(
            409, f"the job {found.id} is {found.state}", "wait until it is over, or dismiss it"
        )


def _settings(config: ServiceConfig, job: JobRecord | None, given: PromoteInputs) -> Settings:
    """The settings of a config.

    Raises
    ------
    ConfigError
        If the job has been removed meanwhile.
    """
    if job is None:
        raise ConfigError(f"there is no job {given.job} any more", "train again")
    listed = config.trainings[str(job.inputs["training"])]
    promote = {**listed.get("promote", {}), "checkpoints": _run(job), "below": train.NAME}
    predict = {**listed.get("predict", {}), "manifest": given.manifest}
    predict["options"] = (*predict.get("options", ()), *given.options)
    mode = config.of(ID).run_mode
    if mode is not None:
        predict["run_mode"] = mode
    return make_settings({}, {}, promote, predict, train.NAME)


def _run(job: JobRecord) -> str:
    """Where the run of a job is, if it is there."""
    local = "://" not in job.url
    if local and not Path(job.url).is_dir():
        raise ConfigError(f"the job {job.id} has left no checkpoint", "train again")
    return job.url
