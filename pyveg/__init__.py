"""pyveg: from satellite imagery of a place to early-warning signals of its vegetation.

The names below are loaded when they are first used, so that importing pyveg is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyveg.analysis.analyse import Analysis, analyse
    from pyveg.analysis.settings import AnalysisSettings
    from pyveg.core.events import (
        ClosingStep,
        EngineStatus,
        RunEnded,
        RunStarted,
        TaskEnded,
        TaskStarted,
    )
    from pyveg.core.pipeline import Pipeline
    from pyveg.core.planner import Plan
    from pyveg.core.progress import ShowProgress
    from pyveg.core.report import RunReport
    from pyveg.core.tasks import State
    from pyveg.jobs.load import load_pipeline
    from pyveg.jobs.run import run_pipeline
    from pyveg.kernels.centrality import feature_vector, subgraph_centrality
    from pyveg.runs.load import load_results, load_weather
    from pyveg.runs.run import Run, open_run

__all__ = [
    "Analysis",
    "AnalysisSettings",
    "ClosingStep",
    "EngineStatus",
    "Pipeline",
    "Plan",
    "Run",
    "RunEnded",
    "RunReport",
    "RunStarted",
    "ShowProgress",
    "State",
    "TaskEnded",
    "TaskStarted",
    "analyse",
    "feature_vector",
    "load_pipeline",
    "load_results",
    "load_weather",
    "open_run",
    "run_pipeline",
    "subgraph_centrality",
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
    "feature_vector": "pyveg.kernels.centrality",
    "subgraph_centrality": "pyveg.kernels.centrality",
    "Plan": "pyveg.core.planner",
    "State": "pyveg.core.tasks",
    "ShowProgress": "pyveg.core.progress",
    "ClosingStep": "pyveg.core.events",
    "EngineStatus": "pyveg.core.events",
    "RunEnded": "pyveg.core.events",
    "RunStarted": "pyveg.core.events",
    "TaskEnded": "pyveg.core.events",
    "TaskStarted": "pyveg.core.events",
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
