"""What is installed, which credentials are there, and whether the services answer.

Each check gives Findings: what was looked at, whether it works, and what to do if not. Nothing
here shows the value of a credential.
"""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

from pyveg import azure_config
from pyveg.core import registry
from pyveg.core.errors import PyvegError
from pyveg.core.installing import how_to_install

FURTHER_EXTRAS = ("analysis", "emulator", "geo", "indices")
"""Extras of pyveg that no part needs, and people do."""
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
        checks += [_earth_engine_answers, _stac_answers, _storage_answers, _engines_answer]
    # All at once: each service that is away takes its whole time-out.
    with ThreadPoolExecutor(len(checks), thread_name_prefix="doctor") as pool:
        return [finding for findings in pool.map(_run, checks) for finding in findings]


def _run(check: Check) -> list[Finding]:
    return list(check())


def _installed() -> Iterator[Finding]:
    here = f"pyveg {version('pyveg')}, Python {platform.python_version()} on {sys.platform}"
    yield Finding("installed", Health.WELL, here)
    needed = {extra for kind in registry.GROUPS for extra in registry.extras_in(kind, "pyveg")}
    for extra in sorted({*needed, *FURTHER_EXTRAS}):
        packages = registry.packages_of("pyveg", extra)
        if all(map(registry.is_installed, packages)):
            known = ", ".join(f"{package} {version(package)}" for package in packages)
            yield Finding("installed", Health.WELL, f"{extra}: {known}")
        else:
            cure = how_to_install(f"pyveg[{extra}]")
            yield Finding("installed", Health.ABSENT, f"{extra}: not installed", cure)


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
    if not registry.is_installed("earthengine-api"):
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
    if not registry.is_installed("earthengine-api"):
        return
    from pyveg.sources.earth_engine import credentials
    from pyveg.sources.earth_engine.source import EarthEngineSettings, EarthEngineSource

    try:
        credentials.find("", "")
    except PyvegError:
        return  # reported by the check of the sign-in
    settings = EarthEngineSettings(max_wait=5, request_timeout=_WAIT)
    try:
        source = EarthEngineSource(settings)
        source.reach()
        answer = source.check()
    except PyvegError as error:
        yield Finding("Earth Engine", Health.TROUBLE, error.wrong, error.cure)
    else:
        yield Finding("Earth Engine", Health.WELL, answer)


# STAC


def _stac_answers() -> Iterator[Finding]:
    if not registry.is_installed("requests"):
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
    try:
        config = azure_config.load()
    except PyvegError as error:
        yield Finding("Azure", Health.TROUBLE, error.wrong, error.cure)
        return
    if not (config.storage_account_name or config.storage_account_url):
        cure = "write an azure_config.py with pyveg_azure_config, if you want to use Azure"
        yield Finding("Azure", Health.ABSENT, "no storage account is named", cure)
        return
    for kind, name, way in azure_config.accounts(config):
        if name:
            text = f"{kind} account {name} by {way} ({config.source})"
            yield Finding("Azure", Health.WELL, text)
        else:
            cure = f"set {kind}_account_name in azure_config.py, if you want to use it"
            yield Finding("Azure", Health.ABSENT, f"no {kind} account is named", cure)


def _storage_answers() -> Iterator[Finding]:
    from pyveg.storage.azure import open_store

    if not registry.is_installed("azure-storage-blob"):
        return
    try:
        config = azure_config.load()
        if not (config.storage_account_name or config.storage_account_url):
            return
        count = sum(1 for _ in open_store("pyveg-doctor").containers())
    except PyvegError as error:
        yield Finding("Azure", Health.TROUBLE, error.wrong, error.cure)
    else:
        yield Finding("Azure", Health.WELL, f"the storage account answers; {count} containers")


# Engines


def _engines_answer() -> Iterator[Finding]:
    for name in registry.known("runner"):
        try:
            cls = registry.runner_class(name)
        except PyvegError:  # what it needs is not installed, which is reported above
            continue
        _, extras = registry.extras_of("runner", name)
        area = " ".join(extras).capitalize() or name  # with what else is said of that extra
        try:
            answer = cls.answer()
        except PyvegError as error:
            yield Finding(area, Health.TROUBLE, error.wrong, error.cure)
        else:
            if answer:
                yield Finding(area, Health.WELL, answer)
