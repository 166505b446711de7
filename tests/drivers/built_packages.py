"""What would be published: sdist and wheel, checked by twine, each installed alone and tried.

``python tests/drivers/built_packages.py`` needs `build` and `twine`, and asks the package index for
what pyveg depends on. Every Python of the machine that pyveg supports is tried.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13")
"""Those that setup.py names."""
TRY = """
import pyveg
days = ["2016-01-01", "2016-03-01"]
job = pyveg.load_pipeline("demo", date_range=days, runner="serial", analysis=False)
report = pyveg.run_pipeline(job)
assert report.exit_code == 0
assert len(pyveg.load_results(report.url)) > 0
print(pyveg.__version__, pyveg.__file__)
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command that must not fail; gives what it printed."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def python_of(version: str) -> str | None:
    """A Python of that version that starts, on the path or among those of pyenv."""
    kept = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for found in (shutil.which(f"python{version}"), *kept):
        if (
            found
            and not subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode
        ):
            return str(found)
    return None


def build(folder: Path) -> list[Path]:
    """Sdist, and a wheel of that sdist; only what git knows goes in."""
    source = folder / "source"
    files = run("git", "ls-files", "-z").split("\0")
    for name in filter(None, files):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--outdir", folder / "dist", source)
    made = sorted((folder / "dist").iterdir())
    run(sys.executable, "-m", "twine", "check", "--strict", *made)
    return made


def check_wheel(wheel: Path) -> None:
    """Its data files are in it, and no tests."""
    names = zipfile.ZipFile(wheel).namelist()
    for part in (
        "pyveg/py.typed",
        "pyveg/azure_config_template.py",
        "pyveg/scripts/batch_commands.sh",
    ):
        assert part in names, f"the wheel has no {part}"
    assert any(name.startswith("pyveg/service/pages/static/") for name in names)
    assert not [name for name in names if name.startswith("tests/") or "/tests/" in name]


def try_it(package: Path, python: str, folder: Path) -> str:
    """Install a package in a new environment, without any extra, and run two months of the demo."""
    place = folder / package.suffix.lstrip(".")
    place.mkdir(parents=True)
    run(python, "-m", "venv", place / "venv")
    run(place / "venv/bin/python", "-m", "pip", "install", "-q", package)
    run(place / "venv/bin/python", "-m", "pip", "check")
    said = run(place / "venv/bin/python", "-c", TRY, cwd=place)
    run(place / "venv/bin/pyveg", "run", "demo", "--dry-run", cwd=place)
    assert str(place) in said, f"it was not the installed one that ran: {said}"
    return said.split()[0]


def main() -> None:
    """Build, check, install, try."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder for what was built")
    parser.add_argument("--tag", help="the tag that the version must agree with, such as v2.0.0")
    parser.add_argument("--versions", nargs="+", default=VERSIONS, help="of Python")
    given = parser.parse_args()
    known = {version: python_of(version) for version in given.versions}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = build(folder)
        print(*(f"{one.name}: {one.stat().st_size / 1e6:.1f} MB" for one in made), sep="\n")
        check_wheel(next(one for one in made if one.suffix == ".whl"))
        for of, python in known.items():
            for package in made if python else ():
                version = try_it(package, str(python), folder / of)
                print(f"Python {of}: {package.name} installed and tried, {version}", flush=True)
                if given.tag and given.tag != f"v{version}":
                    raise SystemExit(f"the tag is {given.tag}, the version {version}")
        if given.keep:
            shutil.copytree(folder / "dist", given.keep, dirs_exist_ok=True)
    missing = [version for version, python in known.items() if not python]
    print("not on this machine, so not tried: Python", ", ".join(missing) or "none")


if __name__ == "__main__":
    main()
