"""Pages of the reference that are made from code: public names, settings, commands, HTTP.

The site of the documentation has them beside the pages of docs/; nothing of them is kept. Tables
within pages of docs/ are made by `pyveg.testing.settings_tables`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import click
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

import pyveg
import pyveg.plugin
from pyveg.analysis.settings import AnalysisSettings
from pyveg.core import params, registry
from pyveg.jobs.resolve import TopLevel
from pyveg.scripts import commands
from pyveg.service import keys, table
from pyveg.service.bajor.settings import Access, BajorSettings
from pyveg.service.camera_trap.settings import CameraTrapSettings
from pyveg.service.config import ServiceConfig, settled
from pyveg.service.desk import Desk
from pyveg.service.web import bajor_routes, camera_trap_routes
from pyveg.service.web.app import create_app
from pyveg.testing.settings_tables import default_text

WIDTH = 88
"""Columns of a help text on the site."""

SECTIONS = {
    "Parameters",
    "Other Parameters",
    "Returns",
    "Yields",
    "Raises",
    "Attributes",
    "Examples",
    "References",
    "Notes",
    "See Also",
    "Warns",
}


def homes(module: ModuleType) -> dict[str, str]:
    """Where each public name of a module is made.

    Parameters
    ----------
    module : module
        It imports what it has in ``__all__``, at once or for type checkers alone.

    Returns
    -------
    dict
        Name -> dotted path, in the order of ``__all__``.

    Examples
    --------
    >>> import pyveg
    >>> homes(pyveg)["load_results"]
    'pyveg.runs.load.load_results'
    """
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    return {name: imported[name] for name in module.__all__}


def _names_page(title: str, about: str, module: ModuleType) -> str:
    parts = [f"# {title}", about]
    parts += [f"::: {home}" for home in homes(module).values()]
    return "\n\n".join(parts) + "\n"


def api() -> str:
    """The page of what `pyveg` offers to Python."""
    about = (
        "All names of `pyveg`: `import pyveg`, then `pyveg.load_results(...)` and so on. Each is "
        "loaded when it is first used. What is not on this page or on that for "
        "[authors of parts](plugin.md) may change any day."
    )
    return _names_page("Python: `pyveg`", about, pyveg)


def plugin() -> str:
    """The page of what authors of Modules, Sources, Stores and engines may use."""
    about = (
        "All names of `pyveg.plugin`: what a package may use that brings a Module, a Source, a "
        "Store or an engine of its own. [Architecture](../architecture.md) says how such a part is "
        "found, and `pyveg.testing` has checks for each kind."
    )
    return _names_page("For authors of parts: `pyveg.plugin`", about, pyveg.plugin)


def command_page() -> str:
    """The help of every command, as it prints it."""
    parts = [
        "# Every command",
        "What `pyveg COMMAND --help` prints. [The command line](../commands.md) says how commands "
        "are spelt, completed and found.",
    ]
    for group, members in commands.GROUPS.items():
        parts.append(f"## {group}")
        for one in members:
            main = import_module(f"pyveg.scripts.{one.module}").main
            parts.append(f"### pyveg {one.name}")
            parts += [f"```text\n{text}\n```" for text in _helps(main, f"pyveg {one.name}")]
    return "\n\n".join(parts) + "\n"


def _helps(command: click.Command, name: str) -> Iterator[str]:
    """Help of a command, then of those below it."""
    context = click.Context(command, info_name=name, max_content_width=WIDTH, terminal_width=WIDTH)
    yield command.get_help(context)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from _helps(found, f"{name} {below}")


def owners() -> dict[str, type]:
    """All classes of settings, by how a reader finds them."""
    kinds = {"module": "Module", "source": "source", "scorer": "scorer", "inputs": "inputs"}
    found: dict[str, type] = {"top of a config": TopLevel}
    for kind, label in kinds.items():
        for name in registry.known(kind):
            settings = getattr(registry.load(kind, name), "Settings", None)
            if settings is not None:
                found[f"{label} `{name}`"] = settings
    for name in registry.known("runner"):
        found[f"engine `{name}`"] = registry.runner_class(name).Settings
    found |= {"analysis": AnalysisSettings, "service": ServiceConfig}
    return {
        **found,
        "`bajor` of a service": BajorSettings,
        "`camera_trap` of a service": CameraTrapSettings,
    }


def settings_page() -> str:
    """All settings there are, in the order of the alphabet."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for owner, cls in owners().items():
        for name, field in params.names(cls).items():
            key = (name, default_text(field), field.metadata["doc"])
            rows.setdefault(key, []).append(owner)
    lines = [
        f"| `{name}` | {_some(whose)} | {default} | {meaning} |"
        for (name, default, meaning), whose in sorted(rows.items())
    ]
    return (
        "\n".join(
            [
                "# Every setting",
                "",
                "In the order of the alphabet. [The config](../config.md) says where they are "
                "written and which one counts where several are given; [a job service]"
                "(../service.md#settings) has a config of its own, and so has [an analysis]"
                "(../analysis.md).",
                "",
                "| setting | of | default | meaning |",
                "|---|---|---|---|",
                *lines,
            ]
        )
        + "\n"
    )


def _some(owners: Iterable[str]) -> str:
    names = list(owners)
    modules = [name for name in names if name.startswith("Module ")]
    everywhere = len(registry.known("module"))
    if len(modules) == everywhere:
        names = ["every Module", *(name for name in names if name not in modules)]
    return ", ".join(names)


def http_page(documents: Mapping[str, dict[str, Any]]) -> str:
    """The routes of the service.

    Parameters
    ----------
    documents : mapping of str to dict
        Heading -> OpenAPI description of that part.
    """
    parts = [
        "# HTTP API",
        "Routes of `pyveg serve`. Its own description (OpenAPI 3) is at `/api` and "
        "`/openapi.json`. [A job service](../service.md) shows how they are used, [models that "
        "are trained](../training.md) and [the API of camera traps](../camera_trap.md) say when "
        "the last two parts are there.",
    ]
    for title, document in documents.items():
        parts.append(f"## {title}")
        for path, methods in document["paths"].items():
            for method, about in methods.items():
                parts.append(f"### {method.upper()} `{path}`")
                parts += [text for text in _route(about) if text]
    return "\n\n".join(parts) + "\n"


def _route(about: dict[str, Any]) -> Iterator[str]:
    summary, description = about.get("summary", ""), about.get("description", "")
    yield markdown_of(description) if description else f"{summary}."
    asked = [
        f"| `{one['name']}` | {one['in']} | {'yes' if one.get('required') else ''} "
        f"| {one.get('description', '').replace('|', chr(92) + '|')} |"
        for one in about.get("parameters", ())
    ]
    if asked:
        yield "\n".join(["| parameter | in | needed | meaning |", "|---|---|---|---|", *asked])
    answers = [
        f"`{code}` {answer.get('description', '')}".strip()
        for code, answer in about.get("responses", {}).items()
    ]
    yield f"Answers: {'; '.join(answers)}."


def markdown_of(text: str) -> str:
    r"""A numpydoc text with headings that a page of Markdown does not take for its own.

    Examples
    --------
    >>> print(markdown_of("Makes a job.\n\nReturns\n-------\nstr"))
    Makes a job.
    <BLANKLINE>
    **Returns**
    <BLANKLINE>
    str
    """
    names = "|".join(map(re.escape, SECTIONS))
    return re.sub(rf"^({names})\n-+$\n?", r"**\1**\n\n", text.strip(), flags=re.M)


def service_documents() -> dict[str, dict[str, Any]]:
    """OpenAPI descriptions of all parts of a service, by their headings; no server is started."""
    with TemporaryDirectory() as folder:
        given = ServiceConfig(scoring_models={"1": {"model": "demo"}})
        config = settled(given, Path(folder))
        table.make(config.table_path)
        keys.make(config.folder)
        desk = Desk(config)
        bajor = BajorSettings(training="galaxies", catalogs=folder)
        traps = CameraTrapSettings(allow_list="callers.json", default_model_version="1")
        routers = {
            "The API of BaJoR": bajor_routes.make_router(desk, Access(bajor, password="")),
            "The API of camera traps": camera_trap_routes.make_router(desk, traps),
        }
        apps = {"Jobs, stations and health": create_app(desk)}
        for title, router in routers.items():
            apps[title] = FastAPI()
            apps[title].include_router(router)
        return {
            title: get_openapi(title=title, version="1", routes=app.routes)
            for title, app in apps.items()
        }


def pages() -> dict[str, Callable[[], str]]:
    """Makers of all pages that are made from code, by their paths on the site."""
    return {
        "reference/api.md": api,
        "reference/plugin.md": plugin,
        "reference/commands.md": command_page,
        "reference/settings.md": settings_page,
        "reference/http.md": lambda: http_page(service_documents()),
    }
