"""Checks of behaviour: how the game behaves when it is played again, in company, or wrongly.

Turns, rewards and values: `checking/meaning.py`. The form of what is returned: `checking/form.py`.
"""

from __future__ import annotations

import contextlib

from checking.evidence import Evidence, short
from checking.traces import Trace, difference, is_true
from games.api.shown import ShownGame
from games.api.spec import RAISES, capabilities_of, game_maker

REPEATED = 3
"""Games that are played again, move by move."""
EXPERT_MOVES = 4
"""Moves of a game that its expert is asked for, since experts may think for long."""
SLOW = 500.0
"""Moves a second below which a game, and not the search, sets the pace of self-play."""


def determinism(evidence: Evidence) -> str | None:
    """The same seed and actions lead to the same game."""
    for game in evidence.games[:REPEATED]:
        found = difference(game, Trace(evidence.spec, game.seed).repeat(game.actions))
        if found:
            return f"seed {game.seed} with the same actions: {found} was another one the second time"
    return None


def leftover_state(evidence: Evidence) -> str | None:
    """A game that is started again on the same instance begins afresh."""
    if len(evidence.games) < 2 or not evidence.spec.can.reseed:
        return None
    before, game = evidence.games[:2]
    for moves in (len(before.actions), len(before.actions) // 2):
        used = Trace(evidence.spec, before.seed).repeat(before.actions[:moves]).game
        found = difference(game, Trace(evidence.spec, game.seed, used).repeat(game.actions))
        if found:
            return f"after reset(seed) in an instance that had played {moves} move(s): {found} differs"
    return None


def shared_state(evidence: Evidence) -> str | None:
    """Two games that are played at the same time do not touch one another."""
    if len(evidence.games) < 2:
        return None
    first, second = (Trace(evidence.spec, game.seed) for game in evidence.games[:2])
    for number in range(max(len(game.made) for game in evidence.games[:2])):
        for game, again in zip(evidence.games, (first, second), strict=False):
            again.repeat(game.actions[number : number + 1])
    found = difference(evidence.games[0], first) or difference(evidence.games[1], second)
    return f"two games played in turns: {found} differs from the same game played alone" if found else None


def reading_changes_the_game(evidence: Evidence) -> str | None:
    """Asking a game about its position leaves it as it is."""
    for game in evidence.games[:REPEATED]:
        again = Trace(evidence.spec, game.seed)
        for action in game.actions:
            for _ in range(2):
                ask(again)
            again.repeat([action])
        found = difference(game, again)
        if found:
            return f"after to_play, legal_actions, text and action_to_string were asked: {found} differs"
    return None


def ask(trace: Trace) -> None:
    """Asks a game all that can be asked without a move; other checks see to what it raises."""
    if trace.can.mask_actions:
        trace.game.legal_actions()
    if trace.can.say_whose_turn:
        trace.game.to_play()
    with contextlib.suppress(Exception):
        ShownGame(trace.game, trace.can).text()
        trace.game.action_to_string(0)


def illegal_action_accepted(evidence: Evidence) -> str | None:
    """A move that is not legal is refused."""
    for game in evidence.games[:REPEATED]:
        for number, seen in enumerate(game.seen[: len(game.made)]):
            legal = set(range(evidence.config.num_actions)) if seen.legal is None else set(seen.legal)
            illegal = sorted(set(range(evidence.config.num_actions)) - legal)
            if illegal:
                again = Trace(evidence.spec, game.seed).repeat(game.actions[:number])
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
            again = Trace(evidence.spec, game.seed).repeat(game.actions)
            again.play(action)
            if again.failure is None and not is_true(again.made[-1].terminated):
                return f"game {game.seed} was over, but step({action}) went on with it"
    return None


def action_names(evidence: Evidence) -> str | None:
    """Actions have names that tell them apart."""
    game = game_maker(evidence.spec, evidence.config)(0)
    if not capabilities_of(game).name_actions:
        return None
    game.reset()
    try:
        names = [game.action_to_string(action) for action in evidence.config.action_space]
    except RAISES as error:
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
        text = ShownGame.of(game).text()
    except RAISES as error:
        return f"showing the position raised {type(error).__name__}: {error}"
    return None if text.strip() else "neither text() nor render() shows anything"


def expert_move(evidence: Evidence) -> str | None:
    """The game's own expert plays legal moves."""
    if not evidence.spec.can.advise:
        return None
    for game in evidence.games[:REPEATED]:
        again = Trace(evidence.spec, game.seed)
        while again.running and len(again.made) < EXPERT_MOVES:
            try:
                action = again.game.expert_agent()
            except RAISES as error:
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
    """Of the game alone, setting it up included, in the repeated games; 0 if it is not known."""
    seconds, moves = 0.0, 0
    for game in evidence.games[:REPEATED]:
        started = evidence.clock()  # what it takes to set a game up is waited for as well
        instance = Trace(evidence.spec, game.seed).game
        try:
            for action in game.actions:
                instance.step(action)
        except RAISES:  # a game that is not the same again, which another check says
            return 0.0
        seconds += evidence.clock() - started
        moves += len(game.made)
    return moves / seconds if seconds > 0 else 0.0
