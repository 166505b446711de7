"""pyveg: from satellite imagery of a place to early-warning signals of its vegetation.

The names below are loaded when they are first used, so that importing pyveg is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyveg.analysis.analyse import Analysis, analyse
    from pyveg.analysis.settings import AnalysisSettings
    from pyveg.core.pipeline import Pipeline
    from pyveg.core.report import RunReport
    from pyveg.jobs.load import load_pipeline
    from pyveg.jobs.run import run_pipeline
    from pyveg.runs.load import load_results, load_weather
    from pyveg.runs.run import Run, open_run

__all__ = [
    "Analysis",
    "AnalysisSettings",
    "Pipeline",
    "Run",
    "RunReport",
    "analyse",
    "load_pipeline",
    "load_results",
    "load_weather",
    "open_run",
    "run_pipeline",
]

_HOMES = {
    "Analysis": "pyveg.analysis.analyse",
    "AnalysisSettings": "pyveg.analysis.settings",
    "analyse": "pyveg.analysis.analyse",
    "Pipeline": "pyveg.core.pipeline",
    "RunReport": "pyveg.core.report",
    "load_pipeline": "pyveg.jobs.load",
    "load_results": "pyveg.runs.load",
    "load_weather": "pyveg.runs.load",
    "Run": "pyveg.runs.run",
    "open_run": "pyveg.runs.run",
    "run_pipeline": "pyveg.jobs.run",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("pyveg")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'pyveg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
