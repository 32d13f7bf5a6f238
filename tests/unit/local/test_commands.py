"""What the command line says to mistakes: one clear line or the usage, never a traceback."""

from pathlib import Path

import pytest

from infra.local.commands import main


def test_an_unknown_command_is_one_line_with_the_way_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["frobnicate"]) == 2
    told = capsys.readouterr().err
    assert told == "dev: unknown command 'frobnicate'; ./dev help lists them\n"


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"]])
def test_no_command_and_help_show_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert "usage: ./dev" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--port", "many"], "invalid int value"),
        (["run", "--scale", "huge"], "invalid choice"),
        (["run", "--zone", "Europe/Vienna"], "belong to --calendar"),
        (["run", "--from", "yesterday", "--calendar", "x.ics"], "no date like"),
        (["run", "--zone", "Mars/Olympus", "--calendar", "x.ics"], "no IANA zone"),
        (
            ["run", "--from", "2026-02-01", "--to", "2026-01-01", "--calendar", "x.ics"],
            "--from must lie before",
        ),
        (["db", "downgrade"], "invalid choice"),
    ],
)
def test_a_wrong_option_is_told_with_status_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_a_calendar_file_that_is_absent_is_told_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    assert main(["run", "--once", "--state", str(state), "--calendar", str(tmp_path / "absent.ics")]) == 1
    assert "no such file" in capsys.readouterr().err
    assert not state.exists()


def test_a_token_without_a_running_system_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for where in (["--port", "1"], ["--state", str(tmp_path)]):
        assert main(["token", *where]) == 1
        told = capsys.readouterr().err
        assert "./dev run" in told
        assert told.count("\n") == 1


def test_clean_refuses_a_folder_that_is_no_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    assert main(["clean", "--state", str(tmp_path)]) == 1
    assert (tmp_path / "thesis.txt").exists()
    assert "not deleted" in capsys.readouterr().err


def test_clean_deletes_the_state_and_nothing_twice(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "logs").mkdir(parents=True)
    assert main(["clean", "--state", str(state)]) == 0
    assert not state.exists()
    assert main(["clean", "--state", str(state)]) == 0
