"""``./dev`` before it has its dependencies: each obstacle is one clear line, never a traceback."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.local.commands import _COMMANDS
from infra.local.stack import ROOT

USAGE = Path("infra/local/commands/usage.txt")
_TOOLS = (
    "sh",
    "cat",
    "cksum",
    "date",
    "mkdir",
    "mv",
    "rm",
    "rmdir",
    "ps",
    "sleep",
    "df",
    "awk",
    "grep",
    "tail",
    "cut",
    "tee",
    "dirname",
    "sed",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in a folder with a space, with no environment made."""
    folder = tmp_path / "my checkout"
    folder.mkdir()
    for name in ("dev", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / USAGE).parent.mkdir(parents=True)
    shutil.copy(ROOT / USAGE, folder / USAGE)
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """The PATH of a machine that has a shell and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in _TOOLS:
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return folder


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"], ["-h"]])
def test_the_commands_are_told_on_a_machine_that_has_nothing(
    checkout: Path, tools: Path, arguments: list[str]
) -> None:
    done = called(checkout, tools, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (ROOT / USAGE).read_text()
    assert not (checkout / ".venv").exists()
    assert not (checkout / ".local").exists()


@pytest.mark.parametrize("argument", ["--version", "version"])
def test_the_version_is_told_on_a_machine_that_has_nothing(
    checkout: Path, tools: Path, argument: str
) -> None:
    done = called(checkout, tools, argument)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("admin-assistant ")
    assert done.stdout.split()[1] in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("wrong", ["nothing", "azure deploy", "ru", ".*", "--once", "usage:"])
def test_an_unknown_command_is_refused_before_anything_is_installed(
    checkout: Path, tools: Path, wrong: str
) -> None:
    done = called(checkout, tools, wrong)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"dev: unknown command '{wrong}'; ./dev help lists them\n"


def test_the_list_of_commands_names_each_of_them() -> None:
    named = {line.split()[0] for line in (ROOT / USAGE).read_text().splitlines() if re.match(r"  \w", line)}
    assert named == {*_COMMANDS, "help", "version"}


def test_a_missing_interpreter_is_one_line(checkout: Path, tools: Path) -> None:
    status, told = dev(checkout, tools)
    assert status == 1
    assert told.startswith("dev: Python 3.13 or newer not found")
    assert told.count("\n") == 1


def test_an_old_interpreter_and_a_shim_that_fails_do_not_count(checkout: Path, tools: Path) -> None:
    command(tools, "python3.13", 'echo "pyenv: python3.13: command not found" >&2; exit 127')
    command(tools, "python3", "exit 1")
    status, told = dev(checkout, tools)
    assert status == 1
    assert told.startswith("dev: Python 3.13 or newer not found")


def test_a_full_disk_is_one_line(checkout: Path, tools: Path) -> None:
    working_python(tools)
    replace(tools, "df", "echo header; echo /dev/x 100 99 1 99% /")
    status, told = dev(checkout, tools)
    assert status == 1
    assert "dev: not enough disk" in told
    assert told.count("\n") == 1


def test_a_failed_installation_is_one_line_with_the_reason_and_is_tried_again(
    checkout: Path, tools: Path
) -> None:
    working_python(tools)
    installer(checkout, "ERROR: No matching distribution found for asyncpg==99")
    for _ in range(2):
        status, told = dev(checkout, tools)
        assert status == 1
        last = told.splitlines()[-1]
        assert last.startswith("dev: installing the dependencies failed: ERROR: No matching distribution")
        assert "Traceback" not in told
        assert not (checkout / ".venv" / ".stamp").exists()
    assert not (checkout / ".local" / "install.lock").exists()


def test_no_space_during_the_installation_is_told_as_such(checkout: Path, tools: Path) -> None:
    working_python(tools)
    installer(
        checkout, "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
    )
    _, told = dev(checkout, tools)
    assert told.splitlines()[-1].startswith(
        "dev: installing the dependencies failed: no space left on the disk"
    )


def test_a_lock_left_by_a_killed_installation_is_taken_over(checkout: Path, tools: Path) -> None:
    lock = checkout / ".local" / "install.lock"
    lock.mkdir(parents=True)
    with subprocess.Popen(["true"]) as gone:
        pass
    (lock / "pid").write_text(f"{gone.pid}\n")
    status, told = dev(checkout, tools)
    assert status == 1
    assert told.startswith("dev: Python 3.13 or newer not found")


def dev(checkout: Path, tools: Path) -> tuple[int, str]:
    """Run ``./dev clean`` from another folder in an empty environment; its status and what it said."""
    done = called(checkout, tools, "clean")
    assert done.stdout == ""
    return done.returncode, done.stderr


def called(checkout: Path, tools: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "dev", *arguments],
        env={"PATH": str(tools), "HOME": str(tools)},
        cwd=tools,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def command(tools: Path, name: str, script: str) -> None:
    path = tools / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def replace(tools: Path, name: str, script: str) -> None:
    (tools / name).unlink()
    command(tools, name, script)


def working_python(tools: Path) -> None:
    """A python3 that passes for 3.13 and makes an environment whose pip is the script ``pip.sh``."""
    command(
        tools,
        "python3",
        'case "$*" in\n'
        "  *'-m venv'*) for last; do :; done; mkdir -p \"$last/bin\"\n"
        '    cat "$0" >"$last/bin/python"; chmod 755 "$last/bin/python" ;;\n'
        "  *'pip install --help'*) echo --group ;;\n"
        '  *\'pip install\'*) sh "$(dirname "$0")/../../pip.sh"; exit 1 ;;\n'
        "  *) echo python ;;\n"
        "esac",
    )
    chmod = shutil.which("chmod")
    assert chmod is not None
    os.symlink(chmod, tools / "chmod")


def installer(checkout: Path, says: str) -> None:
    (checkout / "pip.sh").write_text(f"echo Collecting x\necho '{says}'\n")
