"""What a game returns is normalised, or refused in one line that names the game and the move."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from core.actions import ActionSpace
from core.errors import ConfigurationError
from games.api.spec import GameSpec
from playing.environment import Environment, GameError
from playing.game_table import GameTable
from playing.history_builder import HistoryBuilder
from playing.observations import earlier_steps, push, stack_observations
from tests.helpers.toy_games import FAULTS, OldWalk, Walk, WalkConfig, toy_game

MESSAGES = {
    "shape": "move 3: an observation has shape (3,); expected (1, 1, 3)",
    "first_shape": "move 0: an observation has shape (1, 3); expected (1, 1, 3)",
    "ragged": "move 3: an observation is ragged; expected an array of shape (1, 1, 3)",
    "text": "move 3: an observation is of type <U1; expected numbers",
    "complex": "move 3: an observation is of type complex128; expected numbers",
    "nan": "move 3: an observation contains NaN or infinity; expected finite numbers",
    "infinite": "move 3: an observation contains NaN or infinity; expected finite numbers",
    "too_large": "move 3: an observation of type float64 holds numbers up to 1e+300; expected only such as "
    "fit float32, the type of the first one; return one type throughout",
    "no_legal_action": "move 3: legal_actions is empty before the game's end; expected at least one action",
    "legal_index": "move 3: legal_actions contains 3; expected actions from 0 to 2",
    "negative_legal_index": "move 3: legal_actions contains -1; expected actions from 0 to 2",
    "legal_mask": "move 3: legal_actions are of type bool; expected whole numbers",
    "four_values": "move 3: step returned 4 value(s); expected observation, reward, done or gymnasium's five",
    "nothing": "move 3: step returned 1 value(s); expected observation, reward, done or gymnasium's five",
    "nan_reward": "move 3: step returned the reward nan; expected a finite number",
    "no_reward": "move 3: step returned the reward 'much'; expected a finite number",
    "player": "move 3: to_play is 2; expected a player from 0 to 1",
}


def walk(seed: int, game: type[Walk] = Walk, **changes: Any) -> Environment:
    environment = Environment(GameSpec("walk", game, WalkConfig()), WalkConfig(**changes))
    environment.reset(seed)
    return environment


def play(environment: Environment) -> list[Any]:
    steps: list[Any] = []
    while not steps or not (steps[-1].terminated or steps[-1].truncated):
        steps.append(environment.step(int(environment.legal_mask().argmax())))
    return steps


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_broken_game_is_refused_in_one_line(fault: str) -> None:
    table = GameTable(toy_game(fault), WalkConfig(), 2)
    with pytest.raises(GameError) as caught:
        play_table(table)
    assert str(caught.value) == f"game {fault!r}, {MESSAGES[fault]}"


def play_table(table: GameTable) -> None:
    for row in range(2):
        table.reset(row, row)
    for _ in range(5):
        table.step(np.arange(2), table.legal.argmax(axis=1).astype(np.int32))


def test_dtypes_are_kept_except_double_precision() -> None:
    def kept(dtype: type) -> Any:
        class Typed(Walk):
            def reset(self, seed: int | None = None) -> Any:
                return super().reset(seed).astype(dtype)

        return Environment(GameSpec("typed", Typed, WalkConfig()), WalkConfig()).reset(0).dtype

    assert kept(np.float64) == np.float32
    for dtype in (np.uint8, np.int64, np.bool_, np.float16):
        assert kept(dtype) == dtype


def test_the_first_observation_decides_the_dtype() -> None:
    class Mixed(Walk):
        def reset(self, seed: int | None = None) -> Any:
            return super().reset(seed).astype(np.uint8)

    with pytest.raises(GameError, match="move 1: an observation is of type float64; expected uint8, like"):
        walk(9, Mixed).step(1)

    class Narrowing(Walk):
        def step(self, action: int) -> Any:
            observation, *rest = super().step(action)
            return observation.astype(np.float16), *rest

    assert walk(9, Narrowing).step(1).observation.dtype == np.float32


def test_whole_numbers_that_the_first_type_cannot_hold_are_refused() -> None:
    class Growing(Walk):
        """Counts in int8 until there are too many to count."""

        def reset(self, seed: int | None = None) -> Any:
            return super().reset(seed).astype(np.int8)

        def step(self, action: int) -> Any:
            observation, *rest = super().step(action)
            return np.full_like(observation, self.counted, np.int64), *rest

        counted = 100

    environment = walk(9, Growing)
    first = environment.step(1).observation
    assert first.dtype == np.int8
    assert int(first.max()) == 100
    Growing.counted = 200
    with pytest.raises(GameError, match=r"move 2: .* of type int64 holds numbers up to 200; .* int8"):
        environment.step(1)


@pytest.mark.parametrize("call", ["step(1)", "to_play", "legal_actions"])
def test_what_a_game_raises_is_one_line_with_its_file_and_line(call: str) -> None:
    class Wrong(Walk):
        asked = ""

        def step(self, action: int) -> Any:
            return self.raising("step(1)") or super().step(action)

        def to_play(self) -> int:
            return self.raising("to_play") or super().to_play()

        def legal_actions(self) -> list[int]:
            return self.raising("legal_actions") or super().legal_actions()

        def raising(self, name: str) -> Any:
            if name == self.asked:
                raise KeyError(name)  # the line that is named

    environment = walk(9, Wrong)
    environment.step(1)
    Wrong.asked = call
    text = Path(__file__).read_text().splitlines()
    line = 1 + next(i for i, code in enumerate(text) if code.endswith("# the line that is named"))
    with pytest.raises(GameError) as caught:
        {"step(1)": lambda: environment.step(1), "to_play": environment.to_play}.get(
            call, environment.legal_mask
        )()
    where = f"({__file__}, line {line})"
    assert str(caught.value) == f"game 'walk', move 1: {call} raised KeyError: {call!r} {where}"


def test_a_constructor_that_raises_is_named() -> None:
    class Unready(Walk):
        def __init__(self, seed: int | None = None) -> None:
            raise OSError("no rom")

    with pytest.raises(GameError, match=r"game 'walk', move 0: .*reset raised OSError: no rom \("):
        walk(0, Unready)


class Twice(Walk):
    """A A B B: everybody moves twice."""

    def to_play(self) -> int:
        return self.move // 2 % 2


def test_a_player_who_moves_twice_in_a_row_is_refused_before_the_second_move() -> None:
    table, rows = GameTable(GameSpec("twice", Twice, WalkConfig()), WalkConfig(), 2), np.arange(2)
    for row in rows:
        table.reset(int(row), 9)
    table.require_alternation(rows)
    table.move(1, 1)
    table.require_alternation(rows[:1])
    with pytest.raises(GameError, match="game 'twice', move 1: player 0 moves twice in a row"):
        table.require_alternation(rows)
    table.reset(1, 9)
    table.require_alternation(rows)


def test_in_a_game_for_one_the_same_player_moves_again_and_again() -> None:
    class Alone(Walk):
        players = 1

    config = WalkConfig(players=1)
    table = GameTable(GameSpec("alone", Alone, config), config, 1)
    table.reset(0, 9)
    for moves in range(3):
        table.require_alternation(np.arange(1))
        assert len(table.played[0]) == moves
        table.move(0, int(table.legal[0].argmax()))
        assert table.to_play[0] == table.movers[0] == 0


def test_only_positions_from_which_a_move_is_made_count() -> None:
    class Last(Walk):
        """Alternates, but says at the end that whoever moved last is still to move."""

        def to_play(self) -> int:
            return min(self.move, 1) % 2 if self.move < 3 else 0

    class Ends(Last):
        def step(self, action: int) -> Any:
            observation, reward, *_ = super().step(action)
            return observation, reward, self.move >= 2, False, {}

    spec = GameSpec("ends", Ends, WalkConfig())
    table = GameTable(spec, WalkConfig(), 1)
    table.reset(0, 9)
    table.require_alternation(np.arange(1))
    table.move(0, 1)
    table.require_alternation(np.arange(1))
    assert table.move(0, 1).terminated


def test_a_game_that_cuts_itself_off_may_list_no_action_then() -> None:
    class Cut(Walk):
        """Truncated after two moves, when it has nothing more to offer."""

        def step(self, action: int) -> Any:
            observation, reward, *_ = super().step(action)
            return observation, reward, False, self.move >= 2, {}

        def legal_actions(self) -> list[int]:
            return [] if self.move >= 2 else [0, 1]

    table = GameTable(GameSpec("cut", Cut, WalkConfig()), WalkConfig(), 1)
    table.reset(0, 9)
    assert not table.move(0, 1).truncated
    assert table.move(0, 1).truncated
    assert table.legal.tolist() == [[True, True, True]]


@pytest.mark.parametrize(
    ("later", "message"),
    [
        (np.zeros(3, np.float32), MESSAGES["shape"]),
        (np.zeros((1, 3, 1), np.float32), "move 3: an observation has shape (1, 3, 1); expected (1, 1, 3)"),
        (np.array([[[0, np.nan, 0]]], np.float32), MESSAGES["nan"]),
        (np.zeros((1, 1, 3), np.complex64), "move 3: an observation is of type complex64; expected numbers"),
    ],
)
def test_arrays_of_the_usual_type_are_checked_too(later: Any, message: str) -> None:
    class Single(Walk):
        def reset(self, seed: int | None = None) -> Any:
            return super().reset(39).astype(np.float32)

        def step(self, action: int) -> Any:
            observation, *rest = super().step(action)
            return later if self.move == 3 else observation.astype(np.float32), *rest

    with pytest.raises(GameError) as caught:
        play_table(GameTable(GameSpec("single", Single, WalkConfig()), WalkConfig(), 2))
    assert str(caught.value) == f"game 'single', {message}"


def test_observations_may_be_lists_and_arrays_by_turns() -> None:
    class Mixed(Walk):
        def step(self, action: int) -> Any:
            observation, *rest = super().step(action)
            return observation.tolist() if self.move % 2 else observation.astype(np.float32), *rest

    for one, other in zip(play(walk(9, Mixed)), play(walk(9)), strict=True):
        np.testing.assert_array_equal(one.observation, other.observation)
        assert one.observation.dtype == other.observation.dtype == np.float32


def test_termination_and_truncation_are_told_apart() -> None:
    # Lengths 10; seeds choose between termination, truncation by the game, and none before move 25.
    for seed, length, terminated in ((9, 10, True), (49, 10, False), (89, 25, False)):
        steps = play(walk(seed))
        assert len(steps) == length
        assert (steps[-1].terminated, steps[-1].truncated) == (terminated, not terminated)
        assert not any(step.terminated or step.truncated for step in steps[:-1])


def test_a_game_that_terminates_at_max_moves_is_not_truncated() -> None:
    assert play(walk(9, max_moves=10))[-1][2:4] == (True, False)
    assert play(walk(9, max_moves=9))[-1][2:4] == (False, True)


def test_a_reset_starts_the_moves_anew() -> None:
    environment = walk(89)
    play(environment)
    environment.reset(89)
    assert len(play(environment)) == 25


def test_three_values_and_a_seed_for_the_constructor_give_the_same_games() -> None:
    for seed in (9, 12):
        new, old = play(walk(seed)), play(walk(seed, OldWalk))
        assert len(new) == len(old)
        for a, b in zip(new, old, strict=True):
            np.testing.assert_array_equal(a.observation, b.observation)
            assert a[1:] == b[1:]


def test_a_game_without_turns_and_legal_actions_is_for_one_player_and_every_action() -> None:
    class Bare:
        def __init__(self, seed: int) -> None:
            pass

        def reset(self) -> Any:
            return np.zeros((1, 1, 3))

    environment = Environment(GameSpec("bare", Bare, WalkConfig()), WalkConfig(players=1))
    environment.reset(4)
    assert environment.legal_mask().tolist() == [True, True, True]
    assert environment.to_play() == 0
    environment.close()


def test_a_constructor_that_takes_the_configuration_gets_it() -> None:
    class Configured(Walk):
        def __init__(self, seed: int, config: Any = None) -> None:
            super().__init__(seed)
            self.config = config

    class OldConfigured(OldWalk, Configured):
        pass

    for game in (Configured, OldConfigured):
        environment = walk(3, game, board_size=9)
        assert environment.game.config is environment.config
        assert environment.game.config.board_size == 9
        assert environment.game.number == 3
    assert not hasattr(walk(3).game, "config")


def test_games_are_closed_when_they_are_replaced() -> None:
    closed: list[int] = []

    class Closing(OldWalk):
        def close(self) -> None:
            closed.append(self.number)

    environment = walk(1, Closing)
    assert closed == []
    environment.reset(2)
    assert closed == [1]
    environment.close()
    assert closed == [1, 2]


# --- tables of games ---


def test_a_table_plays_each_row_like_a_game_of_its_own() -> None:
    config = WalkConfig(stacked_observations=2)
    table = GameTable(GameSpec("walk", Walk, config), config, 3)
    alone = [walk(seed) for seed in (30, 31, 35)]
    for row, seed in enumerate((30, 31, 35)):
        table.reset(row, seed)
    totals = np.zeros(3)
    for _ in range(6):
        actions = (2 - table.legal[:, ::-1].argmax(axis=1)).astype(np.int32)
        players = table.to_play.copy()
        moves = table.step(np.arange(3), actions)
        for row, game in enumerate(alone):
            step = game.step(int(actions[row]))
            np.testing.assert_array_equal(moves.observations[row], step.observation)
            assert moves.rewards[row] == np.float32(step.reward)
            np.testing.assert_array_equal(table.legal[row], game.legal_mask())
            assert table.to_play[row] == game.to_play()
            totals[row] += step.reward if players[row] == 0 else -step.reward
    np.testing.assert_array_equal(table.returns, np.stack([totals, -totals], axis=1))
    assert set(players.tolist()) == {0, 1}


def test_what_is_not_finite_is_said_of_the_game_it_is_in() -> None:
    class Breaks(Walk):
        def step(self, action: int) -> Any:
            observation, *rest = super().step(action)
            return observation / (self.number != 2 or self.move < 2), *rest

    config = WalkConfig()
    table = GameTable(GameSpec("breaks", Breaks, config), config, 3)
    for row, seed in enumerate((39, 79, 2)):
        table.reset(row, seed)

    def step(*rows: int) -> None:
        table.step(np.array(rows), table.legal[list(rows)].argmax(axis=1).astype(np.int32))

    step(0, 1, 2)
    step(0, 1)
    with (
        np.errstate(all="ignore"),
        pytest.raises(GameError, match="'breaks', move 2: an observation contains NaN"),
    ):
        step(1, 2)


@pytest.mark.parametrize("tells", [("to_play",), ("legal_actions",), ()])
def test_a_table_asks_games_only_for_what_they_tell(tells: tuple[str, ...]) -> None:
    class Terse:
        def __init__(self, seed: int | None = None) -> None:
            self.walk = Walk()

        def reset(self, seed: int | None = None) -> Any:
            for name in tells:
                setattr(self, name, getattr(self.walk, name))
            return self.walk.reset(seed)

        def step(self, action: int) -> Any:
            return self.walk.step(int(self.walk.legal_actions()[0]))

    config = WalkConfig()
    table, full = (GameTable(GameSpec("terse", game, config), config, 2) for game in (Terse, Walk))
    for row in range(2):
        table.reset(row, 30 + row)
        full.reset(row, 30 + row)
    for _ in range(6):
        actions = np.array([game.game.legal_actions()[0] for game in full.environments], np.int32)
        for played in (table, full):
            played.step(np.arange(2), actions)
        np.testing.assert_array_equal(table.to_play, full.to_play if "to_play" in tells else 0)
        np.testing.assert_array_equal(table.legal, full.legal if "legal_actions" in tells else True)
        np.testing.assert_array_equal(table.stacks, full.stacks)


def test_stacks_show_earlier_observations_and_actions_and_zeros_before_the_start() -> None:
    config = WalkConfig(stacked_observations=2)
    table = GameTable(GameSpec("walk", Walk, config), config, 1)
    first = table.reset(0, 3)
    row = np.array([0])
    assert np.count_nonzero(table.stacks[0, 1:]) == 0
    observations, actions = [first], []
    for move in range(4):
        actions.append(int(np.flatnonzero(table.legal[0])[-1]))
        observations.append(table.step(row, np.array(actions[-1:], np.int32)).observations[0])
        planes = [observations[-1][0]]
        for back in (1, 2):
            known = move + 1 >= back
            planes.append(observations[-1 - back][0] if known else np.zeros((1, 3)))
            planes.append(np.full((1, 3), actions[-back] / 3 if known else 0))
        np.testing.assert_array_equal(table.stacks[0], np.array(planes, np.float32))
    table.reset(0, 3)
    assert np.count_nonzero(table.stacks[0, 1:]) == 0


def test_a_table_goes_on_from_seeds_and_actions() -> None:
    config = WalkConfig(stacked_observations=2)
    tables = [GameTable(GameSpec("walk", OldWalk, config), config, 2) for _ in range(2)]
    for row in range(2):
        tables[0].reset(row, 75 + row)
    for rows in ([0, 1], [0], [0, 1], [0]):
        tables[0].step(np.array(rows), np.ones(len(rows), np.int32) * tables[0].legal[rows].argmax(axis=1))
    tables[1].load_state(tables[0].state())
    for name in ("seeds", "returns", "to_play", "legal", "stacks"):
        np.testing.assert_array_equal(getattr(tables[0], name), getattr(tables[1], name), err_msg=name)
    assert tables[0].played == tables[1].played
    assert [len(actions) for actions in tables[1].played] == [4, 2]


def test_a_game_that_is_played_again_stands_where_it_stood() -> None:
    table = GameTable(toy_game("walk"), WalkConfig(stacked_observations=2), 2)
    again = walk(3)
    for row in range(2):
        table.reset(row, 75)
    for _ in range(5):
        table.move(0, int(table.legal[0].argmax()))
    table.move(1, int(table.legal[1].argmax()))  # and on from a game that is under way
    table.replay(1, 75, table.played[0])
    again.replay(75, table.played[0])
    assert table.played[1] == table.played[0]
    assert (again.moves, again.to_play()) == (5, table.to_play[1])
    for found in (table.stacks, table.legal, table.to_play, table.returns):
        np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(again.legal_mask(), table.legal[1])
    action = int(table.legal[1].argmax())
    np.testing.assert_array_equal(again.step(action).observation, table.move(1, action).observations[0])


def test_a_stack_that_is_moved_on_is_the_one_that_is_made_anew() -> None:
    generator = np.random.default_rng(0)
    observations = generator.normal(size=(6, 2, 3, 4)).astype(np.float32)
    actions = generator.integers(5, size=6).astype(np.int32)
    for earlier in (0, 1, 3):
        stack = np.zeros((2 * (earlier + 1) + earlier, 3, 4), np.float32)
        stack[:2] = observations[0]
        assert np.shares_memory(earlier_steps(stack[None], 2), stack) == (earlier > 0)
        for move in range(1, 6):
            push(stack, observations[move], int(actions[move - 1]), ActionSpace(5))
            back = np.arange(earlier)
            window = observations[move - np.arange(earlier + 1)][None]
            anew = stack_observations(
                window, actions[move - 1 - back][None], np.array([move]), ActionSpace(5)
            )
            np.testing.assert_array_equal(stack, anew[0])


# --- more than two players ---


class Sharing:
    """Three players move in turn; `step` returns what the test says."""

    returned: ClassVar[Any] = 0.0

    def __init__(self, seed: int | None = None) -> None:
        self.moves = 0

    def reset(self) -> Any:
        self.moves = 0
        return np.zeros((1, 1, 3), np.float32)

    def step(self, action: int) -> tuple[Any, Any, bool]:
        self.moves += 1
        return np.zeros((1, 1, 3), np.float32), self.returned, self.moves == 5

    def to_play(self) -> int:
        return self.moves % 3


def sharing(returned: Any) -> GameSpec:
    game = type("Game", (Sharing,), {"returned": returned})
    return GameSpec("sharing", game, WalkConfig(players=3))


@pytest.mark.parametrize("returned", [[1.0, -0.25, -0.5], (1, -0.25, -0.5), np.array([1.0, -0.25, -0.5])])
def test_a_game_for_three_may_reward_each_player(returned: Any) -> None:
    spec = sharing(returned)
    environment = Environment(spec, spec.config)
    environment.reset(0)
    steps = [environment.step(0) for _ in range(3)]
    assert [step.reward for step in steps] == [1.0, -0.25, -0.5], "the reward is that of who moved"
    assert [step.rewards for step in steps] == [(1.0, -0.25, -0.5)] * 3


def test_a_single_reward_of_a_game_for_three_is_the_movers() -> None:
    spec = sharing(2)
    environment = Environment(spec, spec.config)
    environment.reset(0)
    assert [environment.step(0).rewards for _ in range(2)] == [(2.0, 0.0, 0.0), (0.0, 2.0, 0.0)]


def test_a_table_adds_up_what_each_of_three_players_earns() -> None:
    for returned, expected in (([1.0, -0.25, -0.5], [5.0, -1.25, -2.5]), (2.0, [4.0, 4.0, 2.0])):
        spec = sharing(returned)
        table = GameTable(spec, spec.config, 2)
        for row in range(2):
            table.reset(row, 0)
        for _ in range(5):
            moves = table.step(np.array([1]), np.zeros(1, np.int32))
        assert table.returns.tolist() == [[0.0] * 3, expected]
        assert moves.terminated[0]
        table.reset(1, 0)
        assert not table.returns.any()


@pytest.mark.parametrize("returned", [[1.0, 2.0], [1.0, np.nan, 0.0], [[1.0, 2.0, 3.0]], "much", [1, [2], 3]])
def test_what_is_no_reward_for_three_is_refused(returned: Any) -> None:
    spec = sharing(returned)
    environment = Environment(spec, spec.config)
    environment.reset(0)
    with pytest.raises(GameError, match="expected a finite number for each of the 3 players, or one for the"):
        environment.step(0)


def test_a_game_for_two_returns_one_reward_as_ever() -> None:
    game = type("Game", (Sharing,), {"returned": [1.0, -1.0], "to_play": lambda self: self.moves % 2})
    spec = GameSpec("sharing", game, WalkConfig())
    environment = Environment(spec, spec.config)
    environment.reset(0)
    with pytest.raises(GameError, match="expected a finite number"):
        environment.step(0)


def test_no_history_is_kept_of_a_game_for_three() -> None:
    with pytest.raises(ConfigurationError, match="agents are trained for games of one and two players only"):
        HistoryBuilder(sharing(0.0).config, 1, np.dtype(np.float32))
