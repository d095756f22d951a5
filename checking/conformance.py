"""Whether a game keeps the games' contract: one check for each thing that can be wrong, each with a name.

A check looks at random games (`Evidence`) or plays some of its own, and says what it found in words, or
nothing. Checks come in stages: whether a game can be played at all, the form of what it returns, whether it
repeats, and all else; those of a later stage trust what an earlier one has checked. The names are those of
the functions, with hyphens.
"""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from checking.traces import Made, Recording, Seen, array_of, difference, is_true, record, same
from config import MuZeroConfig
from core.supports import transform
from games.api.shown import position_text
from games.api.spec import GameSpec, accepts_seed, game_maker

GAMES = 20
REPEATED = 3
"""Games that are played again, move by move."""
EXPERT_MOVES = 4
"""Moves of a game that its expert is asked for, since experts may think for long."""
FEWEST_ENDINGS = 3
"""Decided games of each player from which something is concluded about rewards."""
WIDE = 100.0
"""Numbers beyond this in an observation are worth a word."""
SLOW = 500.0
"""Moves a second below which a game, and not the search, sets the pace of self-play."""

Severity = Literal["fault", "advice"]


class Finding(NamedTuple):
    """Something wrong with a game."""

    name: str
    severity: Severity
    found: str
    change: str  # what to do about it

    def __str__(self) -> str:
        return f"{self.severity} {self.name}: {self.found}\n    {self.change}"


class Evidence(NamedTuple):
    """A game, and random games of it."""

    spec: GameSpec
    games: tuple[Recording, ...]
    clock: Callable[[], float]

    @property
    def config(self) -> MuZeroConfig:
        """The game's."""
        return self.spec.config

    def seen(self) -> Iterator[tuple[str, Seen]]:
        """Every position of the games, and where it was."""
        for game in self.games:
            for number, seen in enumerate(game.seen):
                yield f"game {game.seed}, after {number} move(s)", seen

    def made(self) -> Iterator[tuple[str, Made]]:
        """Every move of the games, and where it was."""
        for game in self.games:
            for number, made in enumerate(game.made, 1):
                yield f"game {game.seed}, move {number}", made


class Check(NamedTuple):
    """One thing that can be wrong."""

    find: Callable[[Evidence], str | None]
    change: str
    severity: Severity = "fault"

    @property
    def name(self) -> str:
        """As findings are called."""
        return self.find.__name__.replace("_", "-")


class Report(NamedTuple):
    """What was looked at, and what was found."""

    findings: tuple[Finding, ...]
    passed: tuple[str, ...]  # names
    left_out: tuple[str, ...]  # names of checks that would mean nothing before the faults are mended
    games: int
    moves: int
    moves_per_second: float  # of the game alone; 0: not measured

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The findings that are no mere advice."""
        return tuple(finding for finding in self.findings if finding.severity == "fault")


def check_game(
    spec: GameSpec,
    games: int = GAMES,
    ignored: Iterable[str] = (),
    clock: Callable[[], float] = time.perf_counter,
) -> Report:
    """Plays `games` random games of `spec` and makes all checks but the `ignored` ones.

    Raises `ConfigurationError` when the game's constructor does, as games do that lack a dependency.
    """
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a game's own; whatever is wrong is found by looking
        evidence = Evidence(spec, tuple(record(spec, seed) for seed in range(games)), clock)
        found: list[tuple[Check, str | None]] = []
        rate = 0.0
        for stage in STAGES:
            if any(what and check.severity == "fault" for check, what in found):
                break
            found += [(check, found_by(check, evidence)) for check in stage if check.name not in ignored]
        else:
            rate = moves_per_second(evidence)
    done = {check.name for check, _ in found}
    return Report(
        tuple(Finding(check.name, check.severity, what, check.change) for check, what in found if what),
        tuple(check.name for check, what in found if not what),
        tuple(name for name in check_names() if name not in done and name not in ignored),
        games,
        sum(len(game.made) for game in evidence.games),
        rate,
    )


def found_by(check: Check, evidence: Evidence) -> str | None:
    """What `check` finds; that the game raises where it should not, if it does so meanwhile."""
    try:
        return check.find(evidence)
    except Exception as error:  # a game may raise anything
        return f"the game raised {short(error)} while this was looked at"


def check_names() -> list[str]:
    """The names of all checks."""
    return [check.name for stage in STAGES for check in stage]


# --- first: whether the game can be played, and what it returns has the right form ---


def raises(evidence: Evidence) -> str | None:
    """Nothing but a move raises an exception in the middle of a game."""
    failures = [game.failure for game in evidence.games if game.failure]
    return next((str(failure) for failure in failures if not failure.call.startswith("step")), None)


def legal_action_refused(evidence: Evidence) -> str | None:
    """Every legal action can be played."""
    failures = [game.failure for game in evidence.games if game.failure]
    return next((str(failure) for failure in failures if failure.call.startswith("step")), None)


def reset_value(evidence: Evidence) -> str | None:
    """`reset` returns the observation alone."""
    first = [game.seen[0].observation for game in evidence.games if game.seen]
    pair = any(isinstance(seen, tuple) and len(seen) == 2 and isinstance(seen[1], dict) for seen in first)
    return "reset returned two values, an observation and a dict" if pair else None


def step_values(evidence: Evidence) -> str | None:
    """`step` returns three or five values."""
    wrong = ((where, made) for where, made in evidence.made() if made.values not in (3, 5))
    return next((f"{where}: step returned {made.values} value(s)" for where, made in wrong), None)


def observation_shape(evidence: Evidence) -> str | None:
    """Every observation has the configured shape."""
    expected = evidence.config.observation_shape
    for where, seen in evidence.seen():
        shape = array_of(seen.copy).shape
        if shape != expected:
            return f"{where}: an observation has shape {shape}, the configuration says {expected}"
    return None


def observation_type(evidence: Evidence) -> str | None:
    """Observations are numbers, all of one kind."""
    first: np.dtype[Any] | None = None
    for where, seen in evidence.seen():
        array = array_of(seen.copy)
        kind = array.dtype
        if array.shape != evidence.config.observation_shape:
            continue  # that is a finding of its own
        first = first or kind
        if kind.kind not in "biuf":
            return f"{where}: an observation is of type {kind}"
        if not np.can_cast(kind, first, "same_kind"):
            return f"{where}: an observation is of type {kind}, the first one was of {first}"
    return None


def legal_actions_form(evidence: Evidence) -> str | None:
    """`legal_actions` lists whole numbers."""
    for where, seen in evidence.seen():
        listed = array_of([] if seen.legal is None else seen.legal)
        if listed.size and (listed.dtype.kind not in "iu" or listed.ndim != 1):
            return f"{where}: legal_actions are {short(seen.legal)}"
    return None


def legal_actions_exist(evidence: Evidence) -> str | None:
    """Legal actions are in the action space."""
    most = evidence.config.num_actions - 1
    for where, seen in evidence.seen():
        listed = array_of([] if seen.legal is None else seen.legal).ravel()
        unknown = [a for a in listed.tolist() if not isinstance(a, int) or not 0 <= a <= most]
        if listed.dtype.kind in "iu" and unknown:
            return f"{where}: legal_actions contains {unknown[0]}, the action space ends at {most}"
    return None


def legal_actions_empty(evidence: Evidence) -> str | None:
    """A running game has a legal action."""
    for where, seen in evidence.seen():
        if seen.legal is not None and array_of(seen.legal).size == 0:
            return f"{where}: the game goes on, but legal_actions is empty"
    return None


def to_play_range(evidence: Evidence) -> str | None:
    """`to_play` is one of the players."""
    players = evidence.config.players
    for where, seen in evidence.seen():
        number = array_of(seen.player)
        if number.ndim or number.dtype.kind not in "iub" or not 0 <= int(number) < players:
            return f"{where}: to_play is {short(seen.player)}, but players={players}"
    return None


def end_form(evidence: Evidence) -> str | None:
    """Whether a game is over is true or false."""
    for where, made in evidence.made():
        for end in (made.terminated, made.truncated):
            if not isinstance(end, bool | np.bool_):
                return f"{where}: step said {short(end)} where it says whether the game is over"
    return None


def reward_form(evidence: Evidence) -> str | None:
    """A reward is one finite number."""
    for where, made in evidence.made():
        reward = array_of(made.reward)
        if reward.size != 1 or reward.dtype.kind not in "biuf" or not np.isfinite(reward).all():
            return f"{where}: the reward is {short(made.reward)}"
    return None


def observation_finite(evidence: Evidence) -> str | None:
    """Observations hold no NaN and no infinity."""
    for where, seen in evidence.seen():
        numbers = array_of(seen.copy)
        if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
            return f"{where}: an observation contains NaN or infinity"
    return None


# --- then: whether it means the right thing ---


def observation_alias(evidence: Evidence) -> str | None:
    """An observation stays what it was when it was returned."""
    for where, seen in evidence.seen():
        if not same(seen.observation, seen.copy):
            return f"{where}: the observation that was returned changed later"
    return None


def observation_range(evidence: Evidence) -> str | None:
    """Observations are of a size that networks learn well from."""
    largest = max(float(np.abs(array_of(seen.copy).astype(float)).max()) for _, seen in evidence.seen())
    return f"the largest number in an observation is {largest:g}" if largest > WIDE else None


def turn_order(evidence: Evidence) -> str | None:
    """In a game for two, both move."""
    if evidence.config.players == 1:
        return None
    if not hasattr(evidence.spec.game_class, "to_play"):
        return "players=2, but the game has no to_play"
    moved = {seen.player for game in evidence.games for seen in game.seen[: len(game.made)]}
    longest = max(len(game.made) for game in evidence.games)
    if longest < FEWEST_ENDINGS or len(moved) > 1:
        return None
    return f"it was always the turn of player {moved.pop()}, in games of up to {longest} moves"


def reward_perspective(evidence: Evidence) -> str | None:
    """The reward of the move that ends a game belongs to the player who made it."""
    signs = [set(np.sign(rewards).tolist()) for rewards in last_rewards(evidence)]
    if signs == [{-1.0}, {-1.0}]:
        return "whoever made the last move of a decided game was given a negative reward"
    if signs in ([{1.0}, {-1.0}], [{-1.0}, {1.0}]):
        player = 0 if signs[0] == {1.0} else 1
        return (
            f"the last move of a decided game earned player {player} a positive reward and player "
            f"{1 - player} a negative one, always"
        )
    return None


def reward_symmetry(evidence: Evidence) -> str | None:
    """What one player can win by the last move is what the other can win."""
    wins = [sorted({reward for reward in rewards if reward > 0}) for rewards in last_rewards(evidence)]
    few = all(0 < len(won) <= 2 for won in wins)
    if few and wins[0] != wins[1]:
        return f"a won game earns player 0 {short(wins[0])} and player 1 {short(wins[1])}"
    return None


def last_rewards(evidence: Evidence) -> list[list[float]]:
    """Rewards other than 0 of the moves that ended games for two, by player; too few are none."""
    rewards: list[list[float]] = [[], []]
    for game in evidence.games:
        if evidence.config.players == 2 and game.terminated and float(game.made[-1].reward):
            rewards[int(game.seen[len(game.made) - 1].player)].append(float(game.made[-1].reward))
    return rewards if min(map(len, rewards)) >= FEWEST_ENDINGS else [[], []]


def value_support(evidence: Evidence) -> str | None:
    """The network can represent the returns and the rewards."""
    values = [value for game in evidence.games for value in values_of(game)]
    rewards = [float(made.reward) for game in evidence.games for made in game.made]
    largest = max((abs(number) for number in values + rewards), default=0.0)
    on_the_support = transform(np.array(largest)) if evidence.config.support_transform else largest
    needed = int(np.ceil(on_the_support))
    if needed <= evidence.config.support_size:
        return None
    return (
        f"a reward or a discounted return of {largest:g} was seen, which takes "
        f"support_size={needed}; the configuration says {evidence.config.support_size}"
    )


def value_bounds(evidence: Evidence) -> str | None:
    """The bounds of the values that the search is told hold."""
    low, high = evidence.config.value_bounds
    values = [value for game in evidence.games for value in values_of(game)]
    if evidence.config.q_transform != "bounds" or all(low <= value <= high for value in values):
        return None
    return f"discounted returns from {min(values):g} to {max(values):g} were seen outside [{low:g}, {high:g}]"


def values_of(game: Recording) -> list[float]:
    """The discounted return from each move on, to the player who makes it."""
    values: list[float] = []
    following = 0.0
    for number in reversed(range(len(game.made))):
        here, there = game.seen[number].player, game.seen[number + 1].player
        following = float(game.made[number].reward) + game.spec.config.discount * (
            following if here == there else -following
        )
        values.append(following)
    return values


def no_reward(evidence: Evidence) -> str | None:
    """There is something to be learned from."""
    rewards = [float(made.reward) for _, made in evidence.made()]
    return None if any(rewards) else f"all of {len(rewards)} random moves were rewarded with 0"


def never_ending(evidence: Evidence) -> str | None:
    """Games come to an end."""
    ended = [game for game in evidence.games if game.over]
    if ended or not evidence.games:
        return None
    return f"none of {len(evidence.games)} random games ended within max_moves={evidence.config.max_moves}"


# --- and how the game behaves when it is played again, in company, or wrongly ---


def determinism(evidence: Evidence) -> str | None:
    """The same seed and actions lead to the same game."""
    for game in evidence.games[:REPEATED]:
        found = difference(game, Recording(evidence.spec, game.seed).repeat(game.actions))
        if found:
            return f"seed {game.seed} with the same actions: {found} was another one the second time"
    return None


def leftover_state(evidence: Evidence) -> str | None:
    """A game that is started again on the same instance begins afresh."""
    if len(evidence.games) < 2 or not accepts_seed(evidence.spec.game_class):
        return None
    before, game = evidence.games[:2]
    for moves in (len(before.actions), len(before.actions) // 2):
        used = Recording(evidence.spec, before.seed).repeat(before.actions[:moves]).game
        found = difference(game, Recording(evidence.spec, game.seed, used).repeat(game.actions))
        if found:
            return f"after reset(seed) in an instance that had played {moves} move(s): {found} differs"
    return None


def shared_state(evidence: Evidence) -> str | None:
    """Two games that are played at the same time do not touch one another."""
    if len(evidence.games) < 2:
        return None
    first, second = (Recording(evidence.spec, game.seed) for game in evidence.games[:2])
    for number in range(max(len(game.made) for game in evidence.games[:2])):
        for game, again in zip(evidence.games, (first, second), strict=False):
            again.repeat(game.actions[number : number + 1])
    found = difference(evidence.games[0], first) or difference(evidence.games[1], second)
    return f"two games played in turns: {found} differs from the same game played alone" if found else None


def reading_changes_the_game(evidence: Evidence) -> str | None:
    """Asking a game about its position leaves it as it is."""
    for game in evidence.games[:REPEATED]:
        again = Recording(evidence.spec, game.seed)
        for action in game.actions:
            for _ in range(2):
                ask(again.game)
            again.repeat([action])
        found = difference(game, again)
        if found:
            return f"after to_play, legal_actions, text and action_to_string were asked: {found} differs"
    return None


def ask(game: Any) -> None:
    """Asks a game all that can be asked without a move; other checks see to what it raises."""
    for question in ("legal_actions", "to_play"):
        if hasattr(game, question):
            getattr(game, question)()
    with contextlib.suppress(Exception):
        position_text(game)
        game.action_to_string(0)


def illegal_action_accepted(evidence: Evidence) -> str | None:
    """A move that is not legal is refused."""
    for game in evidence.games[:REPEATED]:
        for number, seen in enumerate(game.seen[: len(game.made)]):
            legal = set(range(evidence.config.num_actions)) if seen.legal is None else set(seen.legal)
            illegal = sorted(set(range(evidence.config.num_actions)) - legal)
            if illegal:
                again = Recording(evidence.spec, game.seed).repeat(game.actions[:number])
                again.play(illegal[0])
                if again.failure is None:
                    return f"game {game.seed}, after {number} move(s): step({illegal[0]}) is not legal there"
                break
    return None


def step_after_end(evidence: Evidence) -> str | None:
    """A game that is over stays over."""
    finished = [game for game in evidence.games if game.terminated][:REPEATED]
    for game in finished:
        for action in sorted({0, game.actions[-1], evidence.config.num_actions - 1}):
            again = Recording(evidence.spec, game.seed).repeat(game.actions)
            again.play(action)
            if again.failure is None and not is_true(again.made[-1].terminated):
                return f"game {game.seed} was over, but step({action}) went on with it"
    return None


def action_names(evidence: Evidence) -> str | None:
    """Actions have names that tell them apart."""
    game = game_maker(evidence.spec, evidence.config)(0)
    if not hasattr(game, "action_to_string"):
        return None
    game.reset()
    try:
        names = [game.action_to_string(action) for action in evidence.config.action_space]
    except Exception as error:  # whatever somebody's game raises is a finding
        return f"action_to_string raised {type(error).__name__}: {error}"
    twice = [name for name in names if names.count(name) > 1]
    wrong = [name for name in names if not isinstance(name, str) or not name.strip()]
    if wrong:
        return f"action_to_string returned {short(wrong[0])}"
    return f"action_to_string calls several actions {twice[0]!r}" if twice else None


def text_of_position(evidence: Evidence) -> str | None:
    """A position can be shown."""
    game = game_maker(evidence.spec, evidence.config)(0)
    game.reset()
    try:
        text = position_text(game)
    except Exception as error:  # whatever somebody's game raises is a finding
        return f"showing the position raised {type(error).__name__}: {error}"
    return None if text.strip() else "neither text() nor render() shows anything"


def expert_move(evidence: Evidence) -> str | None:
    """The game's own expert plays legal moves."""
    if not hasattr(evidence.spec.game_class, "expert_agent"):
        return None
    for game in evidence.games[:REPEATED]:
        again = Recording(evidence.spec, game.seed)
        while again.running and len(again.made) < EXPERT_MOVES:
            try:
                action = again.game.expert_agent()
            except Exception as error:  # whatever somebody's game raises is a finding
                return f"expert_agent raised {type(error).__name__}: {error}"
            if action not in again.choices():
                return (
                    f"game {game.seed}, after {len(again.made)} move(s): expert_agent chose {short(action)}"
                )
            again.play(int(action))
    return None


def speed(evidence: Evidence) -> str | None:
    """The game is fast enough not to hold up self-play."""
    rate = moves_per_second(evidence)
    return f"it makes {rate:,.0f} moves a second" if 0 < rate < SLOW else None


def moves_per_second(evidence: Evidence) -> float:
    """Of the game alone, in the repeated games; 0 if it is not known."""
    seconds, moves = 0.0, 0
    for game in evidence.games[:REPEATED]:
        instance = Recording(evidence.spec, game.seed).game
        started = evidence.clock()
        try:
            for action in game.actions:
                instance.step(action)
        except Exception:  # a game that is not the same again, which another check says
            return 0.0
        seconds += evidence.clock() - started
        moves += len(game.made)
    return moves / seconds if seconds > 0 else 0.0


def short(value: Any, most: int = 60) -> str:
    """`value` as text of bounded length."""
    text = " ".join(repr(value).split())
    return text if len(text) <= most else text[: most - 3] + "..."


STAGES: tuple[tuple[Check, ...], ...] = (
    (
        Check(raises, "mend the method, or what it was given"),
        Check(reset_value, "return the observation alone from reset: drop gymnasium's second value"),
        Check(
            legal_action_refused,
            "if the action is not legal there, legal_actions must not list it; else step must play it",
        ),
        Check(step_values, "return observation, reward, done; or gymnasium's five values"),
    ),
    (
        Check(
            observation_shape,
            "return arrays of three axes, channels, height and width (1, 1, n for a vector), and state that "
            "shape as observation_shape",
        ),
        Check(observation_type, "return arrays of one type throughout, such as float32 or int8"),
        Check(legal_actions_form, "return a list of action numbers, [0, 3], not a mask"),
        Check(legal_actions_exist, "list numbers from 0; make action_space as long as there are actions"),
        Check(legal_actions_empty, "end the game where nobody can move, or add an action that passes"),
        Check(to_play_range, "return 0 or 1, the player to move; set players to the number of players"),
        Check(end_form, "return True or False for done (terminated, truncated)"),
        Check(reward_form, "return one finite number as the reward"),
        Check(observation_finite, "look for a division by zero or an overflow in what makes the observation"),
    ),
    (
        Check(
            determinism,
            "draw all chance from numpy.random.default_rng(seed), made from the seed of the constructor and "
            "again from that of reset; keep no state outside the instance; do not use the time, random or "
            "numpy.random's own state",
        ),
    ),
    (
        Check(observation_alias, "return a new array from reset and step, for instance array.copy()"),
        Check(
            observation_range,
            "networks learn best from numbers of about -1 to 1: divide by the largest",
            "advice",
        ),
        Check(turn_order, "let to_play() return whose turn it is after each move; or set players = 1"),
        Check(
            reward_perspective,
            "give the reward to the player who made the move: 1 for a winning move, whoever makes it. If in "
            "your game whoever moves last really loses, use --ignore reward-perspective",
        ),
        Check(reward_symmetry, "make the game zero-sum: both players win the same"),
        Check(value_support, "raise support_size to that at least, or make the rewards smaller"),
        Check(value_bounds, "set value_bounds to what values can be, or leave q_transform at its default"),
        Check(
            no_reward,
            "the agent learns nothing until it sees a reward: shorten the game or reward progress",
            "advice",
        ),
        Check(
            never_ending,
            "let step return done=True at the end of a game; raise max_moves if games take longer. If a game "
            "for one is meant to go on for ever, use --ignore never-ending",
        ),
        Check(leftover_state, "set every attribute anew in reset"),
        Check(
            shared_state,
            "keep state in attributes set in __init__ (self.board = ...), not on the class or in the module; "
            "draw chance from a generator of the instance",
        ),
        Check(reading_changes_the_game, "let only step and reset change the game or draw chance"),
        Check(illegal_action_accepted, "raise an exception in step when the action is not legal"),
        Check(step_after_end, "raise an exception in step when the game is over, or return done=True again"),
        Check(action_names, "return a different word for every action from action_to_string"),
        Check(text_of_position, "add a method text() that returns the position as lines of text", "advice"),
        Check(expert_move, "let expert_agent return one of the legal actions, as a number"),
        Check(speed, "self-play waits for the game: look for slow loops in step and legal_actions", "advice"),
    ),
)
"""All checks; those of a stage are made if those before have found no fault."""
