"""What a program has made: collected by pattern, and named as keys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pyveg.core.errors import CommandError, ConfigError
from pyveg.core.layout import item_folder

STDOUT, STDERR = "stdout.txt", "stderr.txt"


def check_pattern(pattern: str, where: str) -> None:
    """Refuse a pattern that could leave the folder; `ConfigError`."""
    path = PurePosixPath(pattern)
    if not pattern or path.is_absolute() or ".." in path.parts:
        raise ConfigError(
            f"{where}: {pattern!r} is no pattern below {{output_dir}}", 'write one such as "*.csv"'
        )


def collect(folder: Path, patterns: Sequence[str]) -> dict[str, Path]:
    """Files that match any of the patterns, by the end of their key.

    Parameters
    ----------
    folder : Path
        Where the program has written.
    patterns : sequence of str
        As for `pathlib.Path.glob`; ``**`` stands for any folders.

    Raises
    ------
    CommandError
        For a file with the name of one of the two logs, which are kept beside it.
    """
    paths = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    outputs = {key_part(path.relative_to(folder)): path for path in sorted(paths)}
    clash = next((name for name in (STDOUT, STDERR) if name in outputs), None)
    if clash:
        raise CommandError(
            f"it has made an output of the name {clash}, where its own log is kept",
            "leave that out by outputs, or give it another name",
        )
    return outputs


def key_part(path: Path) -> str:
    """A relative path as the end of a key: each part percent-encoded where that is needed."""
    return "/".join(item_folder(part) for part in path.parts)
