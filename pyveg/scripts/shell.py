"""Commands as they are typed in a shell: to be copied from what a command prints."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from pyveg.scripts.commands import find


def command_line(name: str, *words: str) -> str:
    """A command of pyveg with its words, quoted where the shell needs it.

    Whoever typed ``pyveg run`` is answered in these words, and whoever typed the older name
    ``pyveg_run_pipeline`` in those.

    Parameters
    ----------
    name : str
        A subcommand of `pyveg.scripts.commands`, by any of its names.
    words : str
        What stands behind it.

    Examples
    --------
    >>> command_line("run", "--from_cache", "/tmp/my run")
    "pyveg_run_pipeline --from_cache '/tmp/my run'"
    """
    one = find(name)
    if one is None:
        raise LookupError(name)
    begin = f"pyveg {one.name}" if _below_pyveg() else one.older_name
    return " ".join([begin, *map(quoted, words)])


def quoted(word: str) -> str:
    """A word so that the shell of this system takes it as it is."""
    if os.name == "nt":
        import subprocess

        return subprocess.list2cmdline([word])
    return shlex.quote(word)


def from_here(where: str) -> str:
    """A path below the working folder as it is written there, which is short; others as they are.

    A name that a command would take for an option keeps its whole path.
    """
    if "://" in where:
        return where
    try:
        short = str(Path(where).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return where
    return where if short.startswith("-") or short == "." else short


def _below_pyveg() -> bool:
    """Whether the command that runs now was called as a subcommand."""
    from pyveg.scripts.main import Map

    here = click.get_current_context(silent=True)
    return here is not None and isinstance(here.find_root().command, Map)


def larger_limit(reached: str) -> tuple[str, ...]:
    """The option that a run needs to go on which has reached a limit; nothing for any other.

    Parameters
    ----------
    reached : str
        Why it has ended.

    Examples
    --------
    >>> larger_limit("the run has reached max_cost = 5"), larger_limit("")
    (('--max_cost', 'LARGER'), ())
    """
    from pyveg.core.limits import name_in

    name = name_in(reached)
    return (f"--{name}", "LARGER") if name else ()
