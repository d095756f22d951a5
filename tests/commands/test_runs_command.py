"""Runs are listed, shown, named and deleted."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import muzero
from arena.agents import named_agent
from commands._finding import find_run
from core.errors import ConfigurationError
from games.api.sources import load_game
from runs.reports import catalogue
from runs.reports.catalogue import delete, give_name, room_note, row_of, runs_in, surplus
from saving.run_folder import hold
from tests.helpers.checkpoints import saved


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Works in a fresh folder, with nobody at a terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())


def made(game: str, date: str, best: float | None = None, updates: int = 7, size: int = 0) -> Path:
    folder = Path("results") / game / date
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.json").write_text(load_game(game).config.to_json())
    (folder / "replay").write_bytes(b"x" * size)
    scalars = {} if best is None else {"reward/evaluation_best": best}
    points = [
        {"updates": 1, "played_steps": 10, "seconds": 1.0},
        {"updates": updates, "played_steps": 1234, "seconds": 90.0} | scalars,
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
    return folder


def run(*arguments: str) -> int:
    return muzero.run(["runs", *arguments])


def refused(*arguments: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        run(*arguments)
    return str(caught.value)


def test_runs_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    assert capsys.readouterr().out == "no runs under results yet: train first\n"
    made("cartpole", "2026-01-02--00-00-00", 345.25, size=2 << 20)
    made("tictactoe", "2026-01-01--00-00-00", 0.5, updates=12_345)
    made("tictactoe", "2026-01-03--00-00-00")
    assert run("list") == 0
    heading, first, second, third, total = capsys.readouterr().out.splitlines()
    assert heading.split() == ["run", "updates", "played", "steps", "minutes", "best", "MiB", "name"]
    assert first.split()[:5] == ["tictactoe/2026-01-01--00-00-00", "12,345", "1,234", "1.5", "score"]
    assert "75%" in first
    assert "mean return 345.2" in second
    assert second.split()[-1] == "2.0"
    assert third.split()[4] == "-"
    assert total == "3 runs, 2 MiB"
    assert run("list", "cartpole", "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["game"], row["updates"], row["best"], row["running"]) == ("cartpole", 7, 345.25, False)
    assert "did you mean 'cartpole'" in refused("list", "cartpol")


def test_damaged_runs_are_listed_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    folder = made("cartpole", "2026-01-02--00-00-00")
    (folder / "config.json").write_text("{")
    (folder / "metrics.jsonl").unlink()
    (folder / "name.txt").write_bytes(b"\xff\xfe\xfa")
    assert run("list") == 0
    assert "cartpole/2026-01-02--00-00-00" in capsys.readouterr().out
    assert run("show", "2026-01-02--00-00-00") == 0


def test_a_name_is_known_to_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    folder = made("tictactoe", "2026-01-01--00-00-00")
    best = saved(folder / "best.checkpoint")
    assert run("name", "2026-01-01--00-00-00", "first-try") == 0
    assert capsys.readouterr().out == f"{folder} is first-try\n"
    assert find_run("first-try", Path("results")) == folder
    assert named_agent("first-try", "tictactoe", Path("results")).path == best
    with pytest.raises(ConfigurationError, match="did you mean 'first-try'"):
        named_agent("first-ty", "tictactoe", Path("results"))
    with pytest.raises(ConfigurationError):
        named_agent("first-try", "cartpole", Path("results"))
    assert row_of(folder).name == "first-try"
    assert run("name", "first-try", "") == 0
    assert row_of(folder).name == ""


@pytest.mark.parametrize(
    "name",
    [
        *("a/b", "-x", " x", "tictactoe", "2026-01-02--00-00-00", "taken", "a\nb", "shipped", "pretrained"),
        *("v0001", "v12", "results", "othello", "mine.py"),
    ],
)
def test_names_that_cannot_be(name: str) -> None:
    folder = made("tictactoe", "2026-01-01--00-00-00")
    other = made("tictactoe", "2026-01-02--00-00-00")
    give_name(Path("results"), other, "taken")
    with pytest.raises(ConfigurationError):
        give_name(Path("results"), folder, name)
    assert not (folder / "name.txt").exists()
    give_name(Path("results"), other, "taken")  # its own


def test_runs_are_deleted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = made("tictactoe", "2026-01-01--00-00-00"), made("tictactoe", "2026-01-02--00-00-00")
    assert refused("delete", "2026-01-01--00-00-00") == "nobody is there to be asked: add --yes"
    assert "tictactoe is a game" in refused("delete", "tictactoe", "--yes")
    assert "name the runs, or --keep" in refused("delete")
    assert "no run at nothing" in refused("delete", str(one), "nothing", "--yes")
    assert one.exists(), "all are looked for before any is deleted"
    assert run("delete", str(one), "--yes") == 0
    assert "1 run deleted" in capsys.readouterr().out
    assert [one.exists(), two.exists()] == [False, True]

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    for answer, left in (("", True), ("n", True), ("y", False)):
        monkeypatch.setattr("builtins.input", lambda prompt, answer=answer: answer)
        assert run("delete", str(two)) == 0
        assert two.exists() == left


def test_the_newest_runs_are_kept() -> None:
    folders = [made("tictactoe", f"2026-01-0{day}--00-00-00") for day in range(1, 6)]
    other = made("cartpole", "2026-01-01--00-00-00")
    give_name(Path("results"), folders[0], "dear")
    log = (folders[1] / "log.txt").open("a")
    hold(log, folders[1])  # it is running
    with (
        (folders[1] / "log.txt").open("a") as second,
        pytest.raises(ConfigurationError, match="is running in"),
    ):
        hold(second, folders[1])
    assert [row.folder for row in surplus(runs_in(Path("results")), 2)] == [folders[2]]
    with pytest.raises(ConfigurationError, match="seems to be running"):
        delete(row_of(folders[1]))
    assert run("delete", "--keep", "0", "--yes", "tictactoe") == 0
    assert [folder.exists() for folder in folders] == [True, True, False, False, False]
    log.close()
    assert not row_of(folders[1]).running
    delete(row_of(folders[1]))
    assert other.exists()


def test_a_folder_that_is_no_run_is_not_deleted() -> None:
    Path("results/cartpole/mine").mkdir(parents=True)
    assert "is no run's folder" in refused("delete", "results/cartpole/mine", "--yes")
    assert Path("results/cartpole/mine").exists()


def test_results_that_take_much_room_are_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    made("cartpole", "2026-01-01--00-00-00", size=3 << 20)
    assert room_note(Path("results")) is None
    assert room_note(Path("nowhere")) is None
    monkeypatch.setattr(catalogue, "LARGE", 2 << 20)
    said = room_note(Path("results"))
    assert said is not None
    assert said.startswith("results takes 0.0 GiB (1 runs): python muzero.py runs list shows them")


def test_where_a_run_comes_from_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    folder = made("cartpole", "2026-01-01--00-00-00", 500.0)
    sitting: dict[str, Any] = {
        "date": "2026-01-01T00:00:00+0000",
        "command": "python muzero.py cartpole --seed 3",
        "changed": True,
        "packages": {"torch": "2.0", "ray": "2.1"},
        "gpus": [],
        "began_with": ["weights from x"],
    }
    (folder / "provenance.json").write_text(json.dumps([sitting]))
    assert run("show", "cartpole/2026-01-01--00-00-00") == 0
    shown = capsys.readouterr().out
    for line in (
        f"folder         {folder}",
        "best           mean return 500",
        "agent          none that was evaluated",
        "sitting 1",
        "  command      python muzero.py cartpole --seed 3",
        "  changed      yes",
        "  packages     torch 2.0, ray 2.1",
        "  began_with   weights from x",
    ):
        assert line in shown
    assert "gpus" not in shown
