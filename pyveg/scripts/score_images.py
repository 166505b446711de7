"""`pyveg_score_images`: a model over images, without writing a config."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from pyveg.scripts.edge import CONTEXT, ended_in_order, plain_errors
from pyveg.scripts.engine_options import TakesOlderOptions
from pyveg.scripts.given import files_for
from pyveg.scripts.job_options import as_begun, job_options, top_of, where_options
from pyveg.scripts.running import print_plan, run_and_tell, warn

if TYPE_CHECKING:
    from pyveg.core.report import RunReport
    from pyveg.jobs.run import OnInterrupt, PreparedRun

_SCORE = (
    "images",
    "model",
    "record",
    "scorer",
    "threshold",
    "images_per_task",
    "shard_by",
    "private_hosts",
    "timeout",
    "run_mode",
)


@click.command(cls=TakesOlderOptions, context_settings=CONTEXT)
@click.argument("paths", required=False, nargs=-1, metavar="[IMAGES]...", shell_complete=files_for)
@click.option(
    "--images",
    multiple=True,
    help="Images: a folder, a quoted pattern, a file, @LIST, azure://CONTAINER/PREFIX, any URL. "
    "May be given more than once.",
)
@click.option("--model", help='An .onnx file or the address of a model server; "demo" to try.')
@click.option("--record", help="What says how to use the model; MODEL.json beside it if left out.")
@click.option("--scorer", help="What runs it: onnx (if left out), kserve_v2, tfserving.")
@click.option("--threshold", type=float, help="Least confidence that is kept. [0.1]")
@click.option("--all_files", is_flag=True, help="Take files of any ending for images.")
@click.option("--format", type=click.Choice(["1.6", "1.1"]), help="Of the results. [1.6]")
@where_options
@click.option("--images_per_task", type=int, help="Images of a task, at most. [2000]")
@click.option(
    "--shard_by",
    type=click.Choice(["count", "folder"]),
    help='"folder": no task has images of two folders. [count]',
)
@click.option(
    "--private_host",
    "private_hosts",
    multiple=True,
    metavar="HOST",
    help="A host in a private network that addresses of images may lead to.",
)
@click.option("--timeout", type=float, help="Limit for one task, minutes.")
@job_options(name="Name of the job. [images]", at_once="Tasks")
def main(on_interrupt: OnInterrupt, dry_run: bool, debug: bool, **given: Any) -> None:
    """Look for animals, people and whatever else a model knows in many images.

    \b
    pyveg_score_images photos --model demo --output_location results

    One JSON in MegaDetector's results format has what was found, or why an image could not be
    looked at; failures.csv has the latter alone. Images that are broken or gone are no failure of
    the run.

    Exit code 0: all fine; 1: some tasks failed, or no image could be looked at; 2: the command
    line is wrong; 130: interrupted.
    """  # noqa: D301 - click wants the character
    given["images"] = (*given.pop("paths"), *given["images"])
    with plain_errors(debug=debug), ended_in_order():
        from pyveg.azure_config import use_file
        from pyveg.scripts.progress import suited_progress
        from pyveg.scripts.scoring_progress import ImageProgress

        use_file(given["azure_config"])
        prepared = _prepared(given)
        warn(prepared)
        if dry_run:
            print_plan(prepared)
            return
        ends: list[bool] = []
        code = run_and_tell(
            prepared,
            on_interrupt,
            "score-images",
            azure_config=given["azure_config"],
            debug=debug,
            progress=ImageProgress(suited_progress()),
            more=lambda report: _results(report, ends),
        )
        sys.exit(code or any(ends))


def _prepared(given: dict[str, Any]) -> PreparedRun:
    from pyveg.jobs.command import keep, to_text
    from pyveg.jobs.engines import from_options
    from pyveg.jobs.resolve import resolve
    from pyveg.jobs.run import prepare

    engines = from_options(given["engine"])
    if given["from_cache"] is not None and not given["images"]:
        spelt = {"private_hosts": "private_host"}
        return as_begun(given, engines, spelt, "the images and all else")
    settings = _settings(given, engines)
    # Before the config is written: one that cannot work is not worth a file.
    pipeline = resolve(settings, given["write_config"])
    from pyveg.jobs.scoring import ABOUT

    if given["write_config"]:
        keep(settings, given["write_config"], ABOUT)
    prepared = prepare(pipeline, from_cache=given["from_cache"])
    return replace(prepared, config_text=to_text(settings, ABOUT))


def _settings(given: dict[str, Any], engines: dict[str, Any]) -> dict[str, Any]:
    """Of a config that says the same."""
    from pyveg.jobs.scoring import make_settings

    for name, example in (
        ("images", "photos"),
        ("model", "--model demo"),
        ("output_location", "--output_location results"),
    ):
        # A run that is finished stays where it is.
        if not given[name] and not (name == "output_location" and given["from_cache"]):
            raise click.UsageError(f"the {name.replace('_', ' ')} must be given, such as {example}")
    score = {name: given[name] for name in _SCORE}
    settings = make_settings(
        top_of(given, engines), score, {"format": given["format"]}, given["name"]
    )
    if given["all_files"]:
        settings["special_config"][settings["name"]]["endings"] = []
    return settings


def _results(report: RunReport, ends: list[bool]) -> Iterator[str]:
    """Where results are, and how many images there were; whether all failed goes into `ends`."""
    from pyveg.jobs.scoring import JOIN
    from pyveg.modules.scoring.combine import FAILURES, RESULTS, SHEET
    from pyveg.scripts.shell import from_here

    for task in report.graph:
        result = report.results[task.id]
        if task.step.module != JOIN or not result.state.good:
            continue
        where = f"{from_here(report.url)}/{task.step.scope.root}"
        images, failed = result.notes.get("images", 0), result.notes.get("failed_images", 0)
        ends.append(bool(images) and images == failed)
        yield f"detections: {where}/{RESULTS}"
        if task.step.settings["pictures"]:
            yield f"pictures: {where}/{SHEET}"
        yield f"images: {images:,}" + (f", {failed:,} failed: {where}/{FAILURES}" if failed else "")


if __name__ == "__main__":
    main()
