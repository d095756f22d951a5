"""The menu: every entry, every prompt and what can be typed wrongly there, in a real terminal as well."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pexpect
import pytest

from commands.menu import Loaded, checkpoints, choose, look_into, menu, read_number, shown
from core.errors import ConfigurationError
from core.project import PRETRAINED, PROJECT
from data import Counters, Snapshot
from games.api.sources import OWN_GAMES, GameFolder, load_game
from saving.checkpoint import Checkpoint, save_best, save_generation
from tests.helpers.game_folders import NOTHING_SHIPS, folder_with
from tests.helpers.typing_people import type_lines

Calls = list[list[str]]
GAMES = OWN_GAMES.names()


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Works in a fresh folder."""
    monkeypatch.chdir(tmp_path)


def used(
    monkeypatch: pytest.MonkeyPatch, *lines: str | type[BaseException], games: GameFolder = NOTHING_SHIPS
) -> Calls:
    """What the menu has carried out when `lines` are typed: commands, each accepted."""
    calls: Calls = []

    def carry_out(name: str, arguments: Sequence[str]) -> int:
        calls.append([name, *arguments])
        if "--help" in arguments:
            raise SystemExit(0)
        return 2 if "--wrong" in arguments else 0

    type_lines(monkeypatch, *lines)
    assert menu(carry_out, games) == 0
    return calls


def save(run: str, game: str = "tictactoe", step: int = 5, best: bool = True) -> Path:
    folder = Path("results") / game / run
    weights = {"w": np.ones(3, np.float32)}
    config = load_game(game).config
    saved = Checkpoint(game, config.to_json(), weights, Counters(step), {"trainer": Snapshot({}, {})}, 0.25)
    save_generation(folder, saved, keep=2)
    if best:
        save_best(folder / "best.checkpoint", saved)
    return folder


# --- entries ---


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (
            ["train", "--lr-init 0.1 --note 'a b'"],
            ["train", "tictactoe", "--lr-init", "0.1", "--note", "a b"],
        ),
        (["1", ""], ["train", "tictactoe"]),
        (["resume", ""], ["resume", "tictactoe"]),
        (["evaluate", "--games 3"], ["evaluate", "tictactoe", "--checkpoint", "BEST", "--games", "3"]),
        (["5", ""], ["diagnose", "tictactoe", "--checkpoint", "BEST"]),
        (["render", ""], ["watch", "tictactoe", "--checkpoint", "BEST"]),
        (["test"], ["play", "tictactoe", "--opponent", "human"]),
        (["hyper", "--budget 1"], ["tune", "tictactoe", "--budget", "1"]),
        (
            ["play", "here", "second", "30"],
            ["play", "tictactoe", "--checkpoint", "BEST", "--seat", "2", "--simulations", "30"],
        ),
        (["7", "1", "3", ""], ["play", "tictactoe", "--checkpoint", "BEST", "--seat", "both"]),
        (
            ["play", "browser", "0"],
            ["play", "tictactoe", "--checkpoint", "BEST", "--web", "--simulations", "0"],
        ),
    ],
)
def test_entries_call_commands(
    monkeypatch: pytest.MonkeyPatch, typed: list[str], expected: list[str]
) -> None:
    best = str(save("run") / "best.checkpoint")
    assert used(monkeypatch, "tictactoe", *typed) == [[best if word == "BEST" else word for word in expected]]


def test_games_for_one_have_no_seats(monkeypatch: pytest.MonkeyPatch) -> None:
    save("run", "cartpole")
    calls = used(monkeypatch, *("cartpole", "play", "here", "2", "", "play", "here", "you", ""))
    assert [call[-2:] for call in calls] == [["--seat", "none"], ["--seat", "1"]]


def test_refused_options_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = used(monkeypatch, "cartpole", "train", "--wrong", "it's", "?", "--right", "2", "--right")
    assert [call[2:] for call in calls] == [["--wrong"], ["--help"], ["--right"], ["--right"]]
    assert [call[0] for call in calls] == ["train", "train", "train", "resume"]


def test_what_is_loaded_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    save("2026-01-01--00-00-00")
    used(monkeypatch, "tictactoe", "back", "cartpole", "play", "diagnose", "exit", "never read")
    printed = capsys.readouterr().out
    best = "results/tictactoe/2026-01-01--00-00-00/best.checkpoint"
    assert f"tictactoe, loaded: {best} (5 updates, score 62%)" in printed
    assert "cartpole, nothing loaded: train first, or load a checkpoint" in printed
    assert printed.count("no model of cartpole is loaded: train one, or load a checkpoint") == 2
    assert printed.count("Which game?") == 2, "exit leaves the program"


def test_the_newest_training_is_loaded_after_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def carry_out(name: str, arguments: Sequence[str]) -> int:
        save("new", step=77)
        return 0

    type_lines(monkeypatch, "tictactoe", "train", "")
    menu(carry_out, NOTHING_SHIPS)
    assert "loaded: results/tictactoe/new/best.checkpoint (77 updates" in capsys.readouterr().out


# --- checkpoints ---


def test_a_checkpoint_is_loaded_by_number_name_or_path(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    older, newer = save("2026-01-01--00-00-00"), save("2026-01-02--00-00-00", best=False)
    other = save("run", "cartpole")
    answers = ["2", "pretrained", str(older), "2026-01-01--00-00-00"]
    wrong = ["", "0", "9", "nofile", str(other)]
    lines = [word for answer in answers for word in ("load", *wrong, answer)]
    calls = used(monkeypatch, "tictactoe", *lines, "evaluate", "", games=OWN_GAMES)
    assert calls[0][3] == str(older / "best.checkpoint")
    printed = capsys.readouterr().out
    states = [line.split("loaded: ")[1].split(" (")[0] for line in printed.splitlines() if "loaded: " in line]
    pretrained = shown(PRETRAINED / "tictactoe" / "best.checkpoint")
    best = str(older / "best.checkpoint")
    assert states[1:] == [str(newer), pretrained, str(older), best, best]
    assert printed.count("nothing was typed: try again") == 4
    assert printed.count("no checkpoint at nofile") == 4
    assert printed.count("is a checkpoint of 'cartpole': give one of 'tictactoe': try again") == 4


def test_checkpoints_are_listed_newest_first() -> None:
    assert checkpoints("simple_grid", Path("results"), OWN_GAMES) == {}
    for day in range(10, 22):
        save(f"2026-01-{day}--00-00-00", best=day != 20)
    (Path("results/tictactoe/2026-02-01--00-00-00/checkpoints")).mkdir(parents=True)  # none in it
    names = list(checkpoints("tictactoe", Path("results"), OWN_GAMES))
    assert names == ["pretrained", *(f"2026-01-{day}--00-00-00" for day in range(21, 13, -1))]
    paths = checkpoints("tictactoe", Path("results"), OWN_GAMES)
    assert [paths[name].name for name in names[1:3]] == ["best.checkpoint", "2026-01-20--00-00-00"]


def test_what_is_loaded_in_words() -> None:
    folder = save("run", step=9)
    assert str(look_into(folder, "tictactoe")) == "results/tictactoe/run (9 updates, score 62%)"
    assert str(Loaded(Path("x"), 3, None, 2, 50)) == "x (3 updates)"
    assert shown(Path("/somewhere/else")) == "/somewhere/else"
    with pytest.raises(ConfigurationError):
        look_into(folder, "cartpole")


# --- prompts ---


@pytest.mark.parametrize(("answer", "index"), [("1", 0), ("3", 2), ("o", 1), ("ONE more", 2), (" two ", 1)])
def test_choices_by_number_and_name(monkeypatch: pytest.MonkeyPatch, answer: str, index: int) -> None:
    type_lines(monkeypatch, answer)
    assert (
        choose("Which?", ["connect4", "or two", "one more"][:3] if answer != "o" else ["a", "or", "b"])
        == index
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "nothing was typed: type a number or a name"),
        ("0", "'0' is none of 1 to 2, nor a name above: type"),
        ("3", "'3' is none of 1 to 2, nor a name above: type"),
        ("9" * 5000, "is none of 1 to 2"),
        ("conect4", "did you mean 'connect4'?: type a number or a name"),
        ("-1", "'-1' is none of"),
    ],
)
def test_bad_choices_are_asked_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, reason: str
) -> None:
    type_lines(monkeypatch, answer, "2")
    assert choose("Which?", ["connect4", "othello"]) == 1
    assert reason in capsys.readouterr().out


@pytest.mark.parametrize("word", ["q", "quit", "Exit", "bye"])
def test_words_that_leave(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    assert used(monkeypatch, word) == []
    assert used(monkeypatch, "tictactoe", word) == []
    assert used(monkeypatch, "tictactoe", "Train", word, "Back to the games", word) == [], "one level back"
    save("run")
    assert used(monkeypatch, "tictactoe", "Play against MuZero", "here", word) == []
    assert used(monkeypatch, "tictactoe", "Play against MuZero", "here", "watch", word, word) == []


@pytest.mark.parametrize("word", ["?", "help", "H"])
def test_words_that_ask_for_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    assert used(monkeypatch, word, "tictactoe", word, "q") == []
    printed = capsys.readouterr().out
    assert printed.count("Type a number or a name, or its beginning; Ctrl-D: one level back; q: leave.") == 2
    assert printed.count("  1. cartpole\n") == 2
    assert printed.count("  1. Train\n") == 2


def test_numbers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    type_lines(monkeypatch, "many", "-1", "11", "1.5", "10")
    assert read_number("How many? ", 10) == 10
    assert capsys.readouterr().out.count("is not a whole number from 0 to 10: try again") == 4
    type_lines(monkeypatch, "")
    assert read_number("How many? ", 10) is None


@pytest.mark.parametrize("leave", [KeyboardInterrupt, EOFError])
def test_ctrl_c_and_ctrl_d_go_one_level_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], leave: type[BaseException]
) -> None:
    save("run")
    calls = used(
        monkeypatch,
        *("tictactoe", "train", leave, "load", leave, "play", leave, "play", "1", leave),
        *("play", "1", "1", leave, leave, "cartpole", leave, leave, "never read"),
    )
    assert calls == []
    printed = capsys.readouterr().out
    assert (printed.count("tictactoe, loaded"), printed.count("cartpole, nothing loaded")) == (6, 1)
    assert printed.count("Which game?") == 3


# --- as a person meets it ---


class Terminal:
    """`python muzero.py` in a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self.seen = io.StringIO()
        self.child = pexpect.spawn(
            sys.executable,
            [str(PROJECT / "muzero.py")],
            cwd=folder,
            encoding="utf-8",
            timeout=180,
            dimensions=(50, 120),
            # tests in the background ignore Ctrl-C, and children inherit that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.child.logfile_read = self.seen

    def __call__(self, typed: str, *answers: str) -> None:
        """Types a line (`^C` and `^D` are the keys), and waits for the answers, one after the other."""
        if typed.startswith("^"):
            # as a person does: what comes before Python waits for keys is seen at the next key only
            time.sleep(0.5)
            self.child.sendcontrol(typed[1].lower())
        else:
            self.child.sendline(typed)
        self.reads(*answers)

    def reads(self, *answers: str) -> None:
        """Waits for the answers, one after the other."""
        for answer in answers:
            self.child.expect_exact(answer)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    if made.child.isalive():
        made.child.kill(signal.SIGKILL)
        made.child.wait()
    made.child.close()


def enter_and_train(terminal: Terminal, game: str) -> None:
    """From the games to a training, with bad input at each prompt."""
    terminal.reads("Which game?", "> ")
    terminal("chess", "'chess' is none of 1 to", "> ")
    terminal("", "nothing was typed", "> ")
    terminal(game, f"{game}, loaded: ", "pretrained", "11. Exit", "> ")
    terminal("99", "'99' is none of 1 to 11", "> ")
    terminal("train", "Options")
    terminal("--lr-int 1", "error: unknown option '--lr-int', did you mean '--lr-init'?", "Options")
    terminal("--lr-init '1", "No closing quotation", "Options")
    terminal("?", "--lr-init FLOAT", "Options")
    short = "--local --num-simulations 2 --evaluation-games 2"
    terminal(f"--training-steps 3 {short}", "run folder: ", f"{game}, loaded: results/{game}/", "> ")
    terminal("resume", "Options")
    terminal("--seed 4", "error: seed cannot be changed", "Options")
    terminal("--training-steps 4 --local", f"{game}, loaded: results/{game}/", "> ")


def load_and_look(terminal: Terminal, game: str) -> None:
    """Loads the shipped agent and has it evaluated, diagnosed and shown."""
    terminal("load", "Which checkpoint of", "1. pretrained", "> ")
    terminal("nofile", "no checkpoint at nofile", "> ")
    terminal("1", f"{game}, loaded: ", "pretrained", "> ")
    terminal("evaluate", "Options")
    terminal("--games none", "'none' is not a whole number", "Options")
    terminal("--games 2 --simulations 0", "2 games", f"{game}, loaded", "> ")
    terminal("diagnose", "Options")
    terminal("--bogus", "error: unknown option '--bogus'", "Options")
    # one draw of tic-tac-toe, without any reward, says nothing of the model
    verdict = "the model cannot be judged" if game == "tictactoe" else "the model is "
    terminal("--games 1 --simulations 2", verdict, "report: ", f"{game}, loaded", "> ")
    terminal("diagnose", "Options")
    terminal("^C", f"{game}, loaded", "> ")
    terminal("render", "Options")
    terminal("--games 0", "'0' is not a whole number of at least 1", "Options")
    terminal("--simulations 0 --fps 2000", "game 1: ", f"{game}, loaded", "> ")


def play_and_test(terminal: Terminal, game: str, move: str) -> None:
    """Plays a move against the agent, and one by hand."""
    terminal("play", "Where?", "> ")
    terminal("there", "'there' is none of 1 to 2", "> ")
    terminal("here", "Who plays?", "> ")
    terminal("0", "'0' is none of 1 to", "> ")
    terminal("1", "How many simulations per move? (Enter: ")
    terminal("few", "'few' is not a whole number", "How many")
    terminal("4", f"{game}, 0 moves", "4 simulations per move", "your move")
    terminal("jump", "'jump' is no legal move", "your move")
    terminal(move, "1 move", "your move")
    terminal("hint", "MuZero would play", "your move")
    terminal("^D", f"{game}, loaded", "> ")
    terminal("test", f"{game}, 0 moves", "Play by hand.", "your move")
    terminal("jump", "'jump' is no legal move", "your move")
    terminal(move, "1 move", "your move")
    terminal("^C", f"{game}, loaded", "> ")


def search(terminal: Terminal, game: str, trial: bool) -> None:
    """Searches hyperparameters by a single small trial, or has a look only."""
    terminal("hyperparameter", "Options")
    terminal("--bogus", "error: unknown option '--bogus'", "Options")
    terminal("--param lr=0.1", "error: ", "Options")
    if trial:
        short = "--budget 1 --steps 2 --games 2 --rungs 0"
        terminal(f"--param lr_init=log:1e-4:1e-1 {short}", "best: trial 1", f"{game}, loaded", "> ")
    else:
        terminal("^D", f"{game}, loaded", "> ")


@pytest.mark.parametrize(("game", "move", "leave"), [("cartpole", "left", "exit"), ("tictactoe", "9", "^D")])
def test_a_session_at_the_terminal(terminal: Terminal, game: str, move: str, leave: str) -> None:
    enter_and_train(terminal, game)
    load_and_look(terminal, game)
    play_and_test(terminal, game, move)
    search(terminal, game, trial=game == "cartpole")
    terminal("back", "Which game?", "> ")
    terminal(leave)
    terminal.child.expect(pexpect.EOF)
    terminal.child.close()
    assert (terminal.child.exitstatus, terminal.child.signalstatus) == (0, None)
    assert "Traceback" not in terminal.seen.getvalue()


def test_the_same_when_piped(tmp_path: Path) -> None:
    lines = ["what", "tictactoe", "0", "test", "1", "1", "quit", "train", "--zzz"]
    finished = subprocess.run(
        [sys.executable, str(PROJECT / "muzero.py")],
        input="\n".join(lines), cwd=tmp_path, text=True, capture_output=True, timeout=600, check=False,
    )  # fmt: skip
    assert finished.returncode == 0
    for words in ("'what' is none of", "'0' is none of", "1 move ", "'1' is no legal move", "Options"):
        assert words in finished.stdout
    assert finished.stderr == "error: unknown option '--zzz' (see --help)\n"
    assert finished.stdout.count("tictactoe, loaded") == 3
    assert finished.stdout.count("Which game?") == 2


def test_a_game_that_cannot_be_loaded_is_no_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = folder_with(tmp_path, monkeypatch, "othello")
    assert used(monkeypatch, "othello", "exit", games=folder) == []
    printed = capsys.readouterr().out
    assert "/othello.py must define Game" in printed
    assert printed.count("Which game?") == 2
