"""The panel and the plain lines show what the run's state says, when it is due."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Literal

import pytest
from rich.console import Console

from runs.reports.panel import Lines, LogFile, Observers, Panel, count, duration, status_line
from runs.status import RunStatus
from saving.appending import AppendedFile, Troubles
from tests.helpers.results import evaluation_result
from tests.helpers.statuses import EARLY, make_status


def test_line_has_every_figure() -> None:
    line = status_line(make_status())
    assert "\n" not in line
    for part in (
        "75.2 s",
        "step 1200/10000",
        "321 games 45678 steps",
        "123 updates/s 246 steps/s 12.3k sims/s",
        "4.500 (value 1.250 reward 0.500 policy 2.750 consistency 0.300)",
        "evaluation 412.5 best 487.5",
        "ratio 0.499",
        "40000/100000 steps 3.0 MiB",
        "| 1:02:05 remaining",
    ):
        assert part in line


def test_line_before_anything_is_known() -> None:
    line = status_line(EARLY)
    for part in ("step 0/10000", "loss - ", "evaluation - best - ", "- remaining"):
        assert part in line


def test_lines_come_at_the_interval_and_at_the_end() -> None:
    now, stream = 0.0, io.StringIO()
    lines = Lines(stream, interval=3.0, clock=lambda: now)
    for quarter in range(28):  # seven seconds
        now = quarter / 4
        lines.status(make_status(quarter))
    lines.event("solved")
    lines.close()
    lines.close()
    steps = [
        line.split("step ")[1].split("/")[0] for line in stream.getvalue().splitlines() if "step " in line
    ]
    assert steps == ["0", "12", "24", "27"]
    assert stream.getvalue().splitlines()[3] == "solved"


Colours = Literal["truecolor", "standard"]


def draw(status: RunStatus, width: int = 120, colours: Colours | None = None) -> str:
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=width, height=24, color_system=colours)
    panel = Panel("cartpole", console)
    panel.event("a [notable] line")
    panel.status(status)
    panel.close()
    panel.close()
    return drawn.getvalue()


@pytest.mark.parametrize("colours", [None, "standard", "truecolor"])
@pytest.mark.parametrize("width", [120, 80, 40])
def test_panel_draws(width: int, colours: Colours | None) -> None:
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", draw(make_status(), width, colours))
    assert "cartpole" in text
    assert "a [notable] line" in text
    bars = [line for line in text.splitlines() if "━" in line]
    assert bars
    assert not any(re.search("[a-z]", bar) for bar in bars), (
        "the bar has a line of its own, with colours a full one"
    )
    assert "training steps  1,200 of 10,000" in text


def test_with_a_target_the_run_may_end_before() -> None:
    status = make_status(target_reward=475.0)
    for text in (draw(status), status_line(status)):
        assert "412.5 best 487.5 target 475" in text
        assert "at most 1:02:05 remaining" in text


def test_what_is_not_known_after_a_resume_is_not_shown() -> None:
    status = make_status(evaluations=(), weights_age=float("nan"))
    for text in (draw(status), status_line(status)):
        assert "- best 487.5" in text
        assert "nan" not in text


def test_matches_have_wins_draws_and_losses() -> None:
    expert, random = (
        evaluation_result(1, 0, 0, -1, opponent="expert"),
        evaluation_result(1, 1, opponent="random"),
    )
    results = expert, random
    line = status_line(make_status(evaluations=results, best_evaluation=0.25, players=2))
    resumed = status_line(make_status(evaluations=(), best_evaluation=0.25, players=2))
    assert "evaluation -; best 62% " in resumed, "before its first evaluation"
    assert "50% (1 won, 2 drawn, 1 lost) against expert, 100% (2 won, 0 drawn, 0 lost) against random" in line
    assert "; best 62%" in line
    beyond = status_line(make_status(evaluations=results, best_evaluation=20.0, players=2))
    assert "best mean return 20.0" in beyond
    assert "%" not in beyond.split("best")[1]


def test_panel_has_every_figure() -> None:
    text = draw(make_status(gpu_memory=2**30))
    for part in (
        "1,200 of 10,000",
        "321 games, 45,678 steps",
        "12.3k sims/s",
        "value 1.250",
        "412.5 best 487.5",
        "0.499 updates per step",
        "40000/100000",
        "500.0 MiB in all processes, GPU 1024.0 MiB",
        "1:15 elapsed, 1:02:05 remaining",
    ):
        assert part in text
    assert "━" in text, "a progress bar"


def test_panel_before_anything_is_known() -> None:
    assert "- best -" in draw(EARLY)


def test_observers_pass_on_to_all() -> None:
    streams = [io.StringIO(), io.StringIO()]
    observers = Observers(Lines(stream, 1.0) for stream in streams)
    observers.event("hello")
    observers.status(make_status())
    observers.close()
    assert streams[0].getvalue() == streams[1].getvalue() == f"hello\n{status_line(make_status())}\n"


def test_what_errors_leave_behind_is_for_the_log_file_only(tmp_path: Path) -> None:
    shown, screen = io.StringIO(), Console(file=io.StringIO())
    kept = AppendedFile(tmp_path / "log.txt", Troubles(shown.write))
    panel = Panel("cartpole", screen)
    observers = Observers([Lines(shown, 1.0), LogFile(kept, 1.0), panel])
    observers.evidence("Traceback:\n  somewhere")
    observers.close()
    assert (tmp_path / "log.txt").read_text() == "Traceback:\n  somewhere\n"
    assert shown.getvalue() == screen.file.getvalue() == ""  # type: ignore[attr-defined]


def test_numbers_in_words() -> None:
    assert [duration(s) for s in (0, 59.6, 61, 3600, None, float("inf"))] == [
        "0 s",
        "1:00",
        "1:01",
        "1:00:00",
        "-",
        "-",
    ]
    assert [count(n) for n in (0.4, 950, 12_345, 1.25e6)] == ["0", "950", "12.3k", "1.2M"]


def test_lines_go_on_when_nobody_reads_them_any_more() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        lines = Lines(stream, 0.0)
        lines.event("read")
        assert os.read(reader, 100) == b"read\n"
        os.close(reader)
        lines.event("lost")
        lines.event("lost as well")
