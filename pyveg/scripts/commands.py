"""The subcommands of ``pyveg``, in the groups that its help shows.

Each is a command that is also there by its older name, ``pyveg_<module>``. Nothing is imported
here: the map of all commands must cost no more than it says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Subcommand:
    """One line of the map."""

    name: str
    """What stands behind ``pyveg``; ``_`` for ``-`` is the same."""
    module: str
    """The module of `pyveg.scripts` whose ``main`` it is."""
    line: str
    """What it does."""
    also: tuple[str, ...] = ()
    """Other spellings that are taken."""

    @property
    def older_name(self) -> str:
        """The command by itself."""
        return f"pyveg_{self.module}"

    @property
    def spellings(self) -> tuple[str, ...]:
        """All that is taken for it, as `spelt` has them."""
        return tuple(spelt(name) for name in (self.name, self.module, *self.also))


GROUPS: dict[str, tuple[Subcommand, ...]] = {
    "Begin": (
        Subcommand("run", "run_pipeline", "Run a config, or finish a run. Try: pyveg run demo"),
        Subcommand("plan", "plan", "Say what a run would do, use and cost."),
        Subcommand(
            "generate-config",
            "generate_config",
            "Write a config for a place; it asks for what is not given.",
        ),
        Subcommand("doctor", "doctor", "Look at what is installed and which services answer."),
    ),
    "Runs": (
        Subcommand("status", "status", "Show how runs are, from any machine that reaches them."),
        Subcommand("logs", "logs", "Print the log of a run, or all that is known of a task."),
        Subcommand("cancel", "cancel", "Ask a run to stop, and wait until it has."),
        Subcommand("serve", "serve", "Serve jobs over HTTP, or show runs in a browser."),
        Subcommand("daily-summary", "daily_summary", "Tell what services did in a day."),
    ),
    "Results": (
        Subcommand(
            "analyse",
            "gee_analysis",
            "Test whether a place loses resilience: tables and a report.",
            also=("analyze",),
        ),
        Subcommand("report", "create_analysis_report", "Write the report of an analysis anew."),
        Subcommand("compare", "analysis_summary_data", "Put the analyses of many places together."),
        Subcommand("export", "export", "Write images and chips for geographic systems."),
    ),
    "Your own program": (
        Subcommand("run-command", "run_command", "Run a program over many files."),
        Subcommand("run-module", "run_module", "Run one task by itself, such as one that failed."),
    ),
    "Images and patterns": (
        Subcommand("score-images", "score_images", "Look at many images with a detector."),
        Subcommand("train", "train", "Train a model on images, promote it, predict with it."),
        Subcommand("greenness", "greenness", "Measure how green a field camera's images are."),
        Subcommand("station-send", "station_send", "Send a camera's images to a service."),
        Subcommand("calc-ec", "calc_EC", "Measure the network centrality of one image."),
        Subcommand("gen-pattern", "gen_pattern", "Simulate a pattern of vegetation."),
        Subcommand(
            "calibrate", "calibrate", "Count how often the tests of the analysis are right."
        ),
    ),
    "Azure": (
        Subcommand("azure-config", "azure_config", "Write an azure_config.py to fill in."),
        Subcommand("azure-download", "azure_download", "Get what a run left in its container."),
        Subcommand("azure-pool", "azure_pool", "Make, list or remove pools that last."),
        Subcommand("azure-cleanup", "azure_cleanup", "Remove pools and jobs that were left."),
        Subcommand("azure-emulator", "azure_emulator", "Rehearse on this machine, no account."),
    ),
}


def spelt(name: str) -> str:
    """What is the same for all spellings of a name.

    Examples
    --------
    >>> spelt("Generate-Config")
    'generate_config'
    """
    return name.replace("-", "_").lower()


def subcommands() -> Iterator[Subcommand]:
    """All of them, in the order of the map."""
    for group in GROUPS.values():
        yield from group


def find(name: str) -> Subcommand | None:
    """The subcommand of that name, or the one whose older name it is."""
    wanted = spelt(name).removeprefix("pyveg_")
    return next((one for one in subcommands() if wanted in one.spellings), None)
