"""Checks of form: whether the game can be played, and what it returns has the right form."""

from __future__ import annotations

from typing import Any

import numpy as np

from checking.evidence import Evidence, short
from checking.traces import array_of


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
    """`legal_actions` lists whole numbers, each once, and is no mask of 0 and 1."""
    masks = 0
    for where, seen in evidence.seen():
        listed = array_of([] if seen.legal is None else seen.legal)
        is_mask = listed.size == evidence.config.num_actions > 2 and set(listed.ravel().tolist()) <= {0, 1}
        masks += is_mask and listed.dtype.kind in "iu"
        if masks > 1:
            return f"{where}: legal_actions are {short(seen.legal)}, which looks like a mask"
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
            if not is_truth(end):
                return f"{where}: step said {short(end)} where it says whether the game is over"
    return None


def is_truth(end: Any) -> bool:
    """Whether `end` says yes or no: a truth value, 0 or 1, if only in an array of one."""
    value = array_of(end)
    return value.size == 1 and value.dtype.kind in "biuf" and float(value.ravel()[0]) in (0.0, 1.0)


def reward_form(evidence: Evidence) -> str | None:
    """A reward is one finite number, or in a game for more than two one for each player."""
    players = evidence.config.players
    for where, made in evidence.made():
        reward = array_of(made.reward)
        each = players > 2 and reward.shape == (players,)
        if (
            (reward.size != 1 and not each)
            or reward.dtype.kind not in "biuf"
            or not np.isfinite(reward).all()
        ):
            return f"{where}: the reward is {short(made.reward)}"
    return None


def observation_finite(evidence: Evidence) -> str | None:
    """Observations hold no NaN and no infinity."""
    for where, seen in evidence.seen():
        numbers = array_of(seen.copy)
        if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
            return f"{where}: an observation contains NaN or infinity"
        if numbers.dtype.kind == "f" and float(np.abs(numbers).max(initial=0)) > np.finfo(np.float32).max:
            return f"{where}: an observation holds numbers that float32 cannot"
    return None
