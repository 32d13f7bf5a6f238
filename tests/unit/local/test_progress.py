"""Progress is told again while something takes long, and not a moment longer."""

import io
import threading

from infra.local.progress import Progress


class Heard(io.StringIO):
    """Reports when this many lines were written."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.enough = threading.Event()
        self._lines = lines

    def flush(self) -> None:
        if self.getvalue().count("\n") >= self._lines:
            self.enough.set()


def test_what_takes_long_is_told_again_until_it_is_over() -> None:
    file = Heard(3)
    tell = Progress(file, silent_seconds=0.01)
    tell("reading kim.ics")
    with tell.speaking():
        assert file.enough.wait(30)
    told = file.getvalue().splitlines()
    assert told[0].endswith("s  reading kim.ics")
    assert {line.partition("s  ")[2] for line in told[1:]} == {"reading kim.ics …"}
    tell("done")
    assert file.getvalue().splitlines()[-1].endswith("s  done")


def test_nothing_is_told_before_there_is_anything() -> None:
    file = io.StringIO()
    with Progress(file, silent_seconds=0.0).speaking():
        pass
    assert file.getvalue() == ""
