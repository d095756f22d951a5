"""Whether a game keeps the games' contract: one check for each thing that can be wrong, each with a name.

A check (of `form`, `meaning` or `behaviour`) looks at random games (`Evidence`) or plays some of its own, and
says what it found in words, or nothing. Checks come in stages: whether a game can be played at all, the form
of what it returns, whether it repeats, and all else; those of a later stage trust what an earlier one has
checked. The names are those of the functions, with hyphens.
"""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from checking import behaviour, form, meaning
from checking.evidence import Evidence, short
from checking.traces import record
from games.api.spec import RAISES, GameSpec

GAMES = 20

Severity = Literal["fault", "advice"]


class Finding(NamedTuple):
    """Something wrong with a game."""

    name: str
    severity: Severity
    found: str
    change: str  # what to do about it

    def __str__(self) -> str:
        return f"{self.severity} {self.name}: {self.found}\n    {self.change}"


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
            rate = behaviour.moves_per_second(evidence)
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
    except RAISES as error:
        return f"the game raised {short(error)} while this was looked at"


def check_names() -> list[str]:
    """The names of all checks."""
    return [check.name for stage in STAGES for check in stage]


STAGES: tuple[tuple[Check, ...], ...] = (
    (
        Check(form.raises, "mend the method, or what it was given"),
        Check(form.reset_value, "return the observation alone from reset: drop gymnasium's second value"),
        Check(
            form.legal_action_refused,
            "if the action is not legal there, legal_actions must not list it; else step must play it",
        ),
        Check(form.step_values, "return observation, reward, done; or gymnasium's five values"),
    ),
    (
        Check(
            form.observation_shape,
            "return arrays of three axes, channels, height and width (1, 1, n for a vector), and state that "
            "shape as observation_shape",
        ),
        Check(form.observation_type, "return arrays of one type throughout, such as float32 or int8"),
        Check(form.legal_actions_form, "return a list of action numbers, [0, 3], not a mask"),
        Check(
            form.legal_actions_exist, "list numbers from 0; make action_space as long as there are actions"
        ),
        Check(form.legal_actions_empty, "end the game where nobody can move, or add an action that passes"),
        Check(form.to_play_range, "return 0 or 1, the player to move; set players to the number of players"),
        Check(form.end_form, "return True or False for done (terminated, truncated)"),
        Check(
            form.reward_form,
            "return one finite number as the reward, or in a game for more than two one for each player",
        ),
        Check(
            form.observation_finite,
            "look for a division by zero or an overflow in what makes the observation",
        ),
    ),
    (
        Check(
            behaviour.determinism,
            "draw all chance from numpy.random.default_rng(seed), made from the seed of the constructor and "
            "again from that of reset; keep no state outside the instance; do not use the time, random or "
            "numpy.random's own state",
        ),
    ),
    (
        Check(meaning.observation_alias, "return a new array from reset and step, for instance array.copy()"),
        Check(
            meaning.observation_range,
            "networks learn best from numbers of about -1 to 1: divide by the largest",
            "advice",
        ),
        Check(
            meaning.turn_order, "let to_play() return whose turn it is after each move; or set players = 1"
        ),
        Check(
            meaning.turns_alternate,
            "let turns alternate, for instance by an action that passes, or by one action for both moves: "
            "learned models take it that they do",
        ),
        Check(
            meaning.reward_perspective,
            "give the reward to the player who made the move: 1 for a winning move, whoever makes it. If in "
            "your game whoever moves last really loses, use --ignore reward-perspective",
        ),
        Check(meaning.reward_symmetry, "make the game zero-sum: both players win the same"),
        Check(meaning.value_support, "raise support_size to that at least, or make the rewards smaller"),
        Check(
            meaning.values_of_long_games,
            "raise support_size to that if such games are possible, else values are cut",
            "advice",
        ),
        Check(
            meaning.value_bounds,
            "set value_bounds to what values can be, or leave q_transform at its default",
        ),
        Check(
            meaning.no_reward,
            "the agent learns nothing until it sees a reward: shorten the game or reward progress",
            "advice",
        ),
        Check(
            meaning.never_ending,
            "let step return done=True at the end of a game; raise max_moves if games take longer. If random "
            "play does not arrive, or a game for one is meant to go on for ever, all is well",
            "advice",
        ),
        Check(behaviour.leftover_state, "set every attribute anew in reset"),
        Check(
            behaviour.shared_state,
            "keep state in attributes set in __init__ (self.board = ...), not on the class or in the module; "
            "draw chance from a generator of the instance",
        ),
        Check(behaviour.reading_changes_the_game, "let only step and reset change the game or draw chance"),
        Check(behaviour.illegal_action_accepted, "raise an exception in step when the action is not legal"),
        Check(
            behaviour.step_after_end,
            "raise an exception in step when the game is over, or return done=True again",
        ),
        Check(behaviour.action_names, "return a different word for every action from action_to_string"),
        Check(
            behaviour.text_of_position,
            "add a method text() that returns the position as lines of text",
            "advice",
        ),
        Check(behaviour.expert_move, "let expert_agent return one of the legal actions, as a number"),
        Check(
            behaviour.speed,
            "self-play waits for the game: look for slow loops in step and legal_actions",
            "advice",
        ),
    ),
)
"""All checks; those of a stage are made if those before have found no fault."""
