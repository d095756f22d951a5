"""Watching: what is shown of a game, as text, as pictures and as films, and whose games they are."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pexpect
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.GifImagePlugin import GifImageFile

from arena.network_player import CHECKPOINT, NetworkPlayer, load_player
from arena.player_kind import PlayerSpec
from arena.players import make_player, parse_player
from commands.watch import picture, view, watch_command
from core.errors import ConfigurationError
from core.project import PRETRAINED, PROJECT
from games import gridworld
from games.api.shown import ShownGame
from games.api.sources import load_game
from games.api.spec import GameSpec
from playing.exploration import play_temperatures, sample_actions
from playing.make_table import make_table
from search.rules.rule import draw_noise
from showing.films import Film, Gif, film_file, shoot
from showing.frames import INK, PAPER, STONES, fitted, frame, text_frame
from showing.interactive import InteractiveGame
from showing.moments import Moment, WatchedAgent, caption, watch
from tests.helpers.toy_games import WalkConfig, random_weights, toy_game

SHIPPED = PRETRAINED / "tictactoe" / "best.checkpoint"


def agent(simulations: int | None = 10, explore: int | None = None) -> WatchedAgent:
    spec = PlayerSpec(CHECKPOINT, simulations, SHIPPED)
    player = load_player(spec, load_game("tictactoe"), 1, "cpu")
    return WatchedAgent(player, None if explore is None else np.random.default_rng(explore))


def walker() -> WatchedAgent:
    """An untrained agent of a game for two that shows nothing."""
    config = WalkConfig()
    player = NetworkPlayer(config, 1)
    player.load(random_weights(config), 0)
    return WatchedAgent(player)


def seen(games: int = 1, opponent: str | None = None, seed: int = 0, **options: Any) -> list[Any]:
    """What each moment of games of tic-tac-toe is about."""
    game = load_game("tictactoe")
    against = [] if opponent is None else [make_player(parse_player(opponent), game, 1, 0)]
    moments = watch(game, agent(**options), against, games, seed)
    return [(m.number, m.game.to_play, m.action, m.value, m.role, m.game.moves) for m in moments]


# --- whose games are watched ---


def test_every_position_is_shown_from_the_first_to_the_last() -> None:
    moments = seen(games=2)
    for number in (1, 2):
        own = [moment for moment in moments if moment[0] == number]
        actions = [action for _, _, action, *_ in own]
        assert actions[-1] is None
        assert None not in actions[:-1]
        for moves, moment in enumerate(own):
            assert moment[5] == tuple(actions[:moves]), "a moment stands before its move"


def test_greedy_games_repeat_and_exploring_ones_follow_their_generator() -> None:
    assert seen() == seen()
    assert seen(explore=1) == seen(explore=1)
    played = {tuple(moment[2] for moment in seen(explore=seed)) for seed in range(4)}
    assert len(played) > 1


def test_the_agent_changes_seats_with_its_opponent() -> None:
    moments = seen(games=2, opponent="random")
    for number, player, action, value, role, _ in moments:
        if action is not None:
            own = player == number - 1
            assert (value is not None) == own
            assert role == (", the agent," if own else ", its opponent,")


def test_without_a_search_the_network_decides() -> None:
    alone = agent(simulations=0)
    moments = watch(load_game("tictactoe"), alone, [], 1, 0)
    first = next(moments)
    planner = alone.player.planner
    expected = planner.model.evaluate(np.asarray(first.game._table.stacks))[0]
    assert first.value == pytest.approx(float(expected))
    with pytest.raises(ConfigurationError, match="--explore needs a search"):
        agent(simulations=0, explore=1)


def test_the_value_is_turned_to_the_first_player() -> None:
    game = InteractiveGame(load_game("tictactoe"), None)
    assert Moment(1, game, 4, 0.25).first_players_value == 0.25
    game.play(4)
    assert Moment(1, game, 0, 0.25).first_players_value == -0.25
    assert Moment(1, game, 0, None).first_players_value is None


@pytest.mark.parametrize(
    ("changes", "move", "expected"),
    [
        ({}, 0, 1.0),
        ({"temperature_threshold": 3}, 2, 1.0),
        ({"temperature_threshold": 3}, 3, 0.0),
        ({"move_temperature": ((2, 0.7), (9, 0.2))}, 1, 0.7),
        ({"move_temperature": ((2, 0.7), (9, 0.2))}, 2, 0.2),
    ],
)
def test_exploration_has_self_plays_temperature(changes: dict[str, Any], move: int, expected: float) -> None:
    player = NetworkPlayer(WalkConfig(**changes), 1)
    player.load(random_weights(player.config), 0)
    planner = player.planner
    assert play_temperatures(player.config, planner.version, np.array([move]))[0] == expected
    table = make_table(toy_game("walk"), player.config, 1)
    for seed in range(20):
        table.reset(0, 84 + seed)
        for _ in range(move):
            table.move(0, int(table.legal[0].argmax()))
        seen = planner.seen(table, np.array([0]))
        noise = draw_noise(np.random.default_rng(seed), seen.legal, player.config)
        found = planner.plan(seen, noise)
        drawn = sample_actions(found.visit_counts, np.array([expected]), noise.uniform, found.action)
        watched = WatchedAgent(player, np.random.default_rng(seed))
        assert watched.choose(table, np.array([0])).tolist() == drawn.tolist()


# --- what is said of a moment ---


def test_captions_say_who_plays_what_and_what_it_is_worth() -> None:
    game = InteractiveGame(load_game("tictactoe"), None)
    game.play(4)
    assert caption(Moment(2, game, 0, 0.5)) == (
        "game 2, move 1, reward so far 0",
        "player 2 (O) plays 1",
        "value +0.50 for player 2 (O)",
    )
    assert caption(Moment(2, game, 0, None, ", its opponent,"))[1:] == (
        "player 2 (O), its opponent, plays 1",
        "",
    )
    for action in (0, 2, 1, 6):
        game.play(action)
    assert caption(Moment(2, game, None, None)) == (
        "game 2, move 5, reward so far 1",
        "player 1 (X) wins",
        "",
    )


def test_captions_of_games_for_one() -> None:
    game = InteractiveGame(load_game("gridworld"), None)
    assert caption(Moment(1, game, 0, 0.5)) == ("game 1, move 0, reward so far 0", "next: up", "value 0.50")


def test_the_terminal_shows_stones_in_colour_and_the_odds_as_a_bar() -> None:
    game = InteractiveGame(load_game("tictactoe"), None)
    game.play(4)
    shown = view(Moment(1, game, 0, 0.5), pictures=True)
    assert " 4 | X | 6" in shown.plain
    assert "wins ████████░░░░░░░░░░░░░░░░░░░░░░ 25%" in shown.plain
    assert [shown.plain[s.start : s.end] for s in shown.spans if "rgb(205,60,50)" in str(s.style)] == ["X"]
    assert "wins" not in view(Moment(1, InteractiveGame(load_game("gridworld"), None), 0, 0.5), True).plain


# --- pictures ---


class Painted:
    """A game that draws itself: red above, blue below."""

    def frame(self) -> NDArray[np.uint8]:
        picture = np.zeros((40, 60, 3), np.uint8)
        picture[:20, :, 0] = picture[20:, :, 2] = 200
        return picture

    def text(self) -> str:
        return "painted"


class Printed:
    """A game made for muzero-general, which prints itself."""

    def render(self) -> None:
        print("  x\n---")


def test_a_game_that_draws_itself_is_shown_as_it_does() -> None:
    np.testing.assert_array_equal(frame(ShownGame.of(Painted())), Painted().frame())
    blocks = picture(ShownGame.of(Painted()))
    assert set(blocks.plain) == {"▀", "\n"}
    rows = blocks.plain.strip().split("\n")
    assert (len(rows[0]), len(rows)) == (72, 24)
    assert str(blocks.spans[0].style) == "rgb(200,0,0) on rgb(200,0,0)"
    assert str(blocks.spans[-1].style) == "rgb(0,0,200) on rgb(0,0,200)"


def test_a_game_that_cannot_draw_itself_here_is_shown_by_its_text() -> None:
    class Unpainted(Painted, gridworld.Game):
        def frame(self) -> NDArray[np.uint8]:
            raise ConfigurationError("needs pygame")

    game = InteractiveGame(GameSpec("gridworld", Unpainted, gridworld.MuZeroConfig()), None)
    assert view(Moment(1, game, None, None), pictures=True).plain.startswith("painted")
    assert "▀" not in view(Moment(1, game, None, None), pictures=False).plain


def test_the_text_of_a_game_is_what_it_says_or_prints() -> None:
    assert ShownGame.of(Painted()).text() == "painted"
    assert ShownGame.of(Printed()).text() == "  x\n---"
    assert ShownGame.of(object()).text() == ""


def test_text_becomes_a_picture_with_a_cell_for_each_character() -> None:
    drawn = text_frame("X.\nO ", "XO")
    height, width, _ = drawn.shape
    quarters = [drawn[: height // 2, : width // 2], drawn[height // 2 :, : width // 2]]
    for quarter, colour in zip(quarters, STONES, strict=True):
        assert has_colour(quarter, colour), "a stone in its player's colour"
    assert (drawn[height // 2 :, width // 2 + 2 :] == PAPER).all(), "nothing is drawn for a space"
    assert has_colour(text_frame("X.\nO "), INK)
    wider = text_frame("X." * 10)
    assert wider.shape[1] > width
    assert (text_frame("") != PAPER).any(), "a game that shows nothing says so"


def has_colour(drawn: NDArray[np.uint8], colour: tuple[int, int, int]) -> bool:
    """Whether a pixel has about that colour: edges are smoothed."""
    return bool((np.abs(drawn.astype(int) - colour).max(axis=2) < 30).any())


def test_pictures_are_fitted_with_their_proportions() -> None:
    small = fitted(Painted().frame(), 90, 30)
    assert small.shape == (30, 90, 3)
    assert (small[:, :20] == PAPER).all()
    assert tuple(small[5, 45]) == (200, 0, 0)


@pytest.mark.parametrize("name", ["cartpole", "lunarlander"])
def test_gymnasiums_games_draw_themselves_without_another_course(name: str) -> None:
    pytest.importorskip("pygame")
    if name == "lunarlander":
        pytest.importorskip("Box2D")
    watched, other = (load_game(name).game_class() for _ in range(2))
    for game in (watched, other):
        game.reset(seed=3)
    for move in range(20):
        drawn = frame(ShownGame.of(watched))
        assert (drawn.shape, drawn.dtype) == ((400, 600, 3), np.dtype(np.uint8))
        mine, theirs = watched.step(move % 2), other.step(move % 2)
        np.testing.assert_array_equal(mine[0], theirs[0])
        assert mine[1:4] == theirs[1:4]
    watched.close()
    other.close()


# --- films ---


def moments(games: int = 1) -> Any:
    return watch(load_game("tictactoe"), agent(), [], games, 0)


def gif_bytes(moments: Iterable[Moment], fps: float) -> bytes:
    """The film of `moments`."""
    stream = io.BytesIO()
    gif = Gif(stream)
    for _ in shoot(moments, gif, fps):
        pass
    gif.finish()
    return stream.getvalue()


def test_a_gif_holds_every_moment_and_rests_at_the_end() -> None:
    film = cast(GifImageFile, Image.open(io.BytesIO(gif_bytes(moments(2), fps=4))))
    assert film.size == (480, 464)
    durations = []
    for number in range(film.n_frames):
        film.seek(number)
        durations.append(film.info["duration"])
    lengths = [sum(moment[0] == game for moment in seen(games=2)) for game in (1, 2)]
    expected = [250] * (lengths[0] - 1) + [2000] + [250] * (lengths[1] - 1) + [2000]
    assert sum(durations) == sum(expected)
    assert durations == expected


def test_an_mp4_holds_every_moment(tmp_path: Path) -> None:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / "new" / "film.mp4"
    with film_file(path, fps=4) as sink:
        shown = len(list(shoot(moments(), sink, fps=4)))
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert frames == shown - 1 + 8, "the end for two seconds"
    assert seconds == pytest.approx(frames / 4, abs=0.3)
    assert [file.name for file in path.parent.iterdir()] == ["film.mp4"]


def test_the_curve_is_of_the_running_game_and_goes_up_with_the_value() -> None:
    film = Film()
    game = InteractiveGame(load_game("tictactoe"), None)
    heights = [curve_end(film.picture(Moment(1, game, 0, value))) for value in (-0.9, 0.0, 0.9)]
    assert heights[0] > heights[1] > heights[2], "rows are counted from the top"
    assert len(film.points) == 3
    film.picture(Moment(2, game, 0, 0.1))
    assert len(film.points) == 1


def curve_end(drawn: NDArray[np.uint8]) -> float:
    """The row of the topmost dot of the curve at its end."""
    rows, columns = np.nonzero((drawn[390:] == STONES[1]).all(axis=2))
    return float(rows[columns >= columns.max() - 2].min())


def test_a_game_that_shows_nothing_can_be_filmed() -> None:
    assert gif_bytes(watch(toy_game("walk"), walker(), [], 1, 4), 10).startswith(b"GIF89a")


def test_what_was_broken_off_leaves_no_file(tmp_path: Path) -> None:
    def broken_off(path: Path) -> None:
        with film_file(path, 4) as sink:
            for _ in shoot(moments(), sink, 4):
                raise KeyboardInterrupt

    for name in ("film.gif", "film.mp4"):
        with pytest.raises(KeyboardInterrupt):
            broken_off(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_films_that_cannot_be_written_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigurationError, match=r"cannot write .*film\.gif: "),
        film_file(tmp_path / "file" / "film.gif", 4),
    ):
        pass
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with (
        pytest.raises(ConfigurationError, match="pip install imageio-ffmpeg"),
        film_file(tmp_path / "film.mp4", 4),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# --- the command ---


def test_the_shipped_agent_is_watched(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["tictactoe", "--simulations", "10", "--results-path", str(tmp_path)]
    assert watch_command(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("game 1, move 0, reward so far 0\nplayer 1 (X) plays ")
    assert printed.count("---+---+---") == 2 * printed.count("game 1, move")
    assert "draw" in printed or "wins" in printed


def test_films_go_to_the_runs_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = tmp_path / "tictactoe" / "run"
    run.mkdir(parents=True)
    (run / "config.json").write_text("{}")
    checkpoint = shutil.copy(SHIPPED, run)
    arguments = ["tictactoe", "--simulations", "5", "--results-path", str(tmp_path), "--record"]
    assert watch_command([*arguments, "--checkpoint", str(checkpoint)]) == 0
    (film,) = run.glob("watch-*.gif")
    assert str(film) in capsys.readouterr().out
    assert watch_command(arguments) == 0
    assert len(list((tmp_path / "tictactoe").glob("watch-*.gif"))) == 1, "not among what ships"
    assert watch_command([*arguments, str(tmp_path / "own.gif")]) == 0
    assert (tmp_path / "own.gif").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tictactoe", "--record", "film.avi"], "a film is a .gif or a .mp4 file"),
        (["cartpole", "--opponent", "random"], "cartpole is a game for one"),
        (["tictactoe", "--opponent", "randon"], "unknown player 'randon', did you mean 'random'"),
        (["tictactoe", "--explore", "--simulations", "0"], "--explore needs a search"),
        (["tictactoe", "--checkpoint", "nothing"], "nothing"),
        (["tictactoe", "--fps", "0"], "not a whole number of at least 1"),
        (["simple_grid"], "train first"),
    ],
)
def test_bad_input_is_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=message):
        watch_command([*arguments, "--results-path", str(tmp_path)])


def test_a_terminal_shows_the_game_live() -> None:
    command = [str(PROJECT / "muzero.py"), "watch", "tictactoe", "--fps", "50"]
    terminal = pexpect.spawn(
        sys.executable,
        [*command, "--opponent", "random", "--simulations", "5"],
        encoding="utf-8",
        timeout=60,
        dimensions=(40, 100),
        env={"PATH": "/usr/bin:/bin", "TERM": "xterm-256color"},
    )
    terminal.expect("the agent, plays")
    terminal.expect("game 1: ")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
