"""`pyveg` and its subcommands: one map, two spellings, old names that stay."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result

from pyveg.scripts import commands
from pyveg.scripts.main import main
from pyveg.scripts.shell import command_line

ROOT = Path(__file__).resolve().parents[3]
MODULES = [one.module for one in commands.subcommands()]


def _pyveg(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), prog_name="pyveg")


def _console_scripts() -> dict[str, str]:
    """The table of setup.py, which is there also where nothing was installed anew."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    tables = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    table: dict[str, str] = ast.literal_eval(tables["COMMANDS"])
    return table


def test_every_command_is_in_the_map_and_the_other_way_round() -> None:
    older = {one.older_name: f"pyveg.scripts.{one.module}:main" for one in commands.subcommands()}
    assert {"pyveg": "pyveg.scripts.main:main", **older} == _console_scripts()


def test_the_map_has_a_line_for_each_that_fits_eighty_columns() -> None:
    shown = _pyveg("--help").output.splitlines()
    for one in commands.subcommands():
        (line,) = [line for line in shown if line.split()[:1] == [one.name]]
        assert line.endswith(one.line)
        assert len(line) <= 80
    assert [line[:-1] for line in shown if line[:1].isalpha() and line.endswith(":")] == [
        "Options",
        *commands.GROUPS,
    ]


def test_help_imports_none_of_them() -> None:
    code = (
        "import sys; from pyveg.scripts.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith('pyveg.scripts.')])\n"
        "print([name for name in ('numpy', 'rich', 'pyveg.jobs') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, heavy = done.stdout.splitlines()[-2:]
    assert set(ast.literal_eval(loaded)) == {
        f"pyveg.scripts.{name}" for name in ("main", "commands", "edge")
    }
    assert ast.literal_eval(heavy) == []


@pytest.mark.parametrize("module", MODULES)
def test_options_take_both_spellings(module: str) -> None:
    """Whatever the command: an option that is known is not "no such option" in the other one."""
    command: click.Command = import_module(f"pyveg.scripts.{module}").main
    names = [
        name
        for param in command.params
        if isinstance(param, click.Option)
        for name in (*param.opts, *param.secondary_opts)
        if "_" in name
    ]
    with command.make_context(module, [], resilient_parsing=True) as context:
        for name in names:
            for typed in (name, name.replace("_", "-").replace("----", "--")):
                found, _, _ = command.make_parser(context).parse_args([typed, "1"])
                assert found, typed


def test_settings_of_engines_take_both_spellings() -> None:
    words = ["run", "demo", "--dry-run", "--engine"]
    assert "plan of demo" in _pyveg(*words, "batch.pool-vm-size=Standard_D2-v3").output
    assert 'did you mean "pool_vm_size"?' in _pyveg(*words, "batch.pool-vm-siz=x").output


@pytest.mark.parametrize("typed", ["generate-config", "generate_config", "pyveg_generate_config"])
def test_names_are_taken_in_every_spelling(typed: str) -> None:
    shown = _pyveg(typed, "--help").output
    assert shown.startswith("Usage: pyveg generate-config [OPTIONS]")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["statsu"], 'there is no command "statsu"; did you mean pyveg status?'),
        (["analise"], "did you mean pyveg analyse?"),
        (["genrate_config"], "did you mean pyveg generate-config or"),
        (["xyzzy"], "pyveg --help lists them all"),
        (["run", "--config-fil", "a.py"], "No such option '--config_fil'"),
        (["run", "--config-fil", "a.py"], "'--config_file'"),
        (["run", "demo", "--dask-schedulr", "local"], "Did you mean '--dask_scheduler'?"),
    ],
)
def test_what_is_mistyped_is_answered_with_the_nearest(words: list[str], message: str) -> None:
    result = _pyveg(*words)
    assert result.exit_code == 2
    assert message in result.output


def test_what_stands_behind_dashes_reaches_the_program(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1\n")
    code = "import sys; print(open(sys.argv[1]).read())"
    where = ["--input", str(tmp_path / "a.csv"), "--output-location", str(tmp_path / "out")]
    result = _pyveg(
        *("run-command", *where, "--allow-no-output", "--runner", "serial"),
        *("--", sys.executable, "-c", code, "{input}"),
    )
    assert result.exit_code == 0, result.output


def test_the_demo_has_a_plan_in_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["run", "demo"], ["run", "--config-file", "demo"], ["run-pipeline", "demo"]):
        result = _pyveg(*words, "--dry-run")
        assert result.exit_code == 0, result.output
        assert "plan of demo" in result.output
    assert not list(tmp_path.iterdir())


def test_a_file_of_ones_own_goes_before_one_of_pyveg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("demo").write_text("name = 3\n")
    assert "name" in _pyveg("run", "demo", "--dry-run").output
    Path("mine.py").write_text("")
    Path("folder").mkdir()
    Path("run/_pyveg").mkdir(parents=True)
    Path("run/_pyveg/run.json").write_text("{}")
    for given, hint in {
        "mine": 'did you mean "mine.py"?',
        "dmo": 'did you mean "demo"?',
        "xyzzy": "there are demo, ",
        "folder": "folder is a folder, not a config",
        "run": "run is a run, not a config; finish a run with --from_cache",
        "pyveg/configs/demo.py": 'the one of pyveg is called "demo", in every folder',
        "a\0b": "there is no config file",
    }.items():
        result = _pyveg("run", given)
        assert result.exit_code == 2, given
        assert hint in result.output, given


def test_an_argument_and_its_option_are_not_both_taken() -> None:
    result = _pyveg("run", "a.py", "--config_file", "b.py")
    assert result.exit_code == 2
    assert "CONFIG and --config_file say the same; give one of them" in result.output


def test_commands_are_quoted_and_told_in_the_words_of_the_user() -> None:
    line = "--from_cache '/tmp/my run'" if sys.platform != "win32" else '--from_cache "/tmp/my run"'
    assert command_line("run", "--from_cache", "/tmp/my run") == f"pyveg_run_pipeline {line}"
    below = click.Context(click.Command("run"), parent=click.Context(main, info_name="pyveg"))
    with below:
        assert command_line("run_pipeline", "--from_cache", "/tmp/my run") == f"pyveg run {line}"


@pytest.mark.parametrize(
    ("typed", "incomplete", "some"),
    [
        ([], "st", "status"),
        (["run"], "de", "demo"),
        (["run"], "--dry", "--dry_run"),
        (["logs"], "x", "x"),
    ],
)
def test_shells_complete_names(typed: list[str], incomplete: str, some: str) -> None:
    complete = ShellComplete(main, {}, "pyveg", "_PYVEG_COMPLETE")
    assert some in [item.value for item in complete.get_completions(typed, incomplete)]
