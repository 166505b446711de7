"""Wheels of the very packages that are installed here, for nodes to install.

A wheel is packed again from what an installation holds, so neither the source tree nor a package
index need have it. Equal contents give equal bytes, and the digest of a delivery names the
environment that nodes make of it.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from pathlib import Path

from pyveg.core.errors import ConfigError

SCRIPT = "batch_commands.sh"
FOLDER = "_pyveg/node"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_COMPILED = (".so", ".pyd", ".dylib", ".dll")
_SAME_NUMBERS = (
    "llvmlite",
    "networkx",
    "numba",
    "numpy",
    "pandas",
    "pillow",
    "rasterio",
    "scikit-image",
    "scipy",
)
"""Nodes get these in the versions that are here, as results may depend on them."""


@dataclass(frozen=True)
class Delivery:
    """What nodes fetch: name of a file -> its bytes."""

    files: Mapping[str, bytes]

    @cached_property
    def digest(self) -> str:
        """Short digest of all of it."""
        hashed = hashlib.sha256()
        for name, data in sorted(self.files.items()):
            hashed.update(f"{name}\0{len(data)}\0".encode())
            hashed.update(data)
        return hashed.hexdigest()[:16]

    @property
    def keys(self) -> list[str]:
        """Where the files are in the Store."""
        return [f"{FOLDER}/{self.digest}/{name}" for name in sorted(self.files)]

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Keys and bytes, to be written."""
        return zip(self.keys, (self.files[name] for name in sorted(self.files)), strict=True)


def make_delivery(plugins: Sequence[str] = (), extras: Sequence[str] = ("azure",)) -> Delivery:
    """Pack pyveg and other people's packages.

    Parameters
    ----------
    plugins : sequence of str
        Names of installed distributions.
    extras : sequence of str
        Extras of pyveg.

    Raises
    ------
    ConfigError
        If one of them is not installed.
    """
    files: dict[str, bytes] = {}
    requirements = []
    for name in dict.fromkeys(("pyveg", *plugins)):
        extra = f"[{','.join(sorted(extras))}]" if name == "pyveg" and extras else ""
        distribution = _installed(name)
        if _is_pure(distribution):
            wheel, data = pack(distribution)
            files[wheel] = data
            requirements.append(f"./{wheel}{extra}")
        else:
            requirements.append(f"{name}{extra}=={distribution.version}")
    files["requirements.txt"] = _lines(requirements)
    files["constraints.txt"] = _lines(_versions_here())
    files[SCRIPT] = (Path(__file__).parents[2] / "scripts" / SCRIPT).read_bytes()
    return Delivery(files)


def pack(distribution: Distribution) -> tuple[str, bytes]:
    """A wheel of an installed distribution.

    Returns
    -------
    name : str
    data : bytes
    """
    stem = f"{re.sub(r'[-_.]+', '_', distribution.name)}-{distribution.version}"
    members = dict(sorted(_members(distribution, f"{stem}.dist-info")))
    members[f"{stem}.dist-info/WHEEL"] = _lines(
        ["Wheel-Version: 1.0", "Generator: pyveg", "Root-Is-Purelib: true", "Tag: py3-none-any"]
    )
    record = f"{stem}.dist-info/RECORD"
    members[record] = _lines([*map(_recorded, members.items()), f"{record},,"])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return f"{stem}-py3-none-any.whl", stream.getvalue()


def distribution_of(module: str) -> str | None:
    """Name of the installed distribution that holds a module; None where none does."""
    from importlib.metadata import packages_distributions

    names = packages_distributions().get(module.partition(".")[0], [])
    return names[0] if names else None


def _installed(name: str) -> Distribution:
    # A source tree in the working directory also looks like one, but has no record of its files.
    distribution = next((d for d in distributions(name=name) if d.read_text("WHEEL")), None)
    if distribution is None:
        raise ConfigError(
            f'nodes of Azure Batch need the package "{name}", which is not installed here',
            "make it installable (a pyproject.toml) and pip install it",
        )
    return distribution


def _is_pure(distribution: Distribution) -> bool:
    if _editable_folder(distribution) is not None:
        return True
    return "Root-Is-Purelib: true" in (distribution.read_text("WHEEL") or "")


def _members(distribution: Distribution, info: str) -> Iterator[tuple[str, bytes]]:
    """Files of the wheel, but for what is made anew."""
    for name in ("METADATA", "entry_points.txt", "top_level.txt"):
        text = distribution.read_text(name)
        if text is not None:
            yield f"{info}/{name}", text.encode()
    if _editable_folder(distribution) is None:
        yield from _installed_files(distribution)
    else:
        yield from _source_files(distribution)


def _installed_files(distribution: Distribution) -> Iterator[tuple[str, bytes]]:
    for file in distribution.files or ():
        name = file.as_posix()
        inside = not name.startswith("..") and ".dist-info/" not in name
        if inside and "__pycache__" not in file.parts:
            yield name, Path(str(distribution.locate_file(file))).read_bytes()


def _editable_folder(distribution: Distribution) -> Path | None:
    """The source tree of an editable installation."""
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(origin["url"].removeprefix("file://"))


def _source_files(distribution: Distribution) -> Iterator[tuple[str, bytes]]:
    """Packages of an editable installation, as they are imported here."""
    for top in (distribution.read_text("top_level.txt") or "").split():
        spec = importlib.util.find_spec(top)
        if spec is None:
            raise ConfigError(
                f'the package "{top}" of {distribution.name} cannot be imported',
                "install it anew, or correct its top_level.txt",
            )
        if not spec.submodule_search_locations:
            yield f"{top}.py", Path(spec.origin or "").read_bytes()
            continue
        root = Path(next(iter(spec.submodule_search_locations)))
        for path in sorted(root.rglob("*")):
            parts = path.relative_to(root).parts
            if path.is_file() and not any(p == "__pycache__" or p.startswith(".") for p in parts):
                if path.suffix in _COMPILED:
                    raise ConfigError(
                        f"{path} is compiled for this machine and may not run on nodes",
                        "publish its package as a wheel, or leave such files out of it",
                    )
                yield "/".join((top, *parts)), path.read_bytes()


def _recorded(member: tuple[str, bytes]) -> str:
    name, data = member
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}"


def _versions_here() -> list[str]:
    pins = []
    for name in _SAME_NUMBERS:
        try:
            pins.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return pins


def _lines(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
