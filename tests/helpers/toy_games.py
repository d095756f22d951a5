"""Games made for tests: small, seeded, and each move can be told from every other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import config
from config import MuZeroConfig
from data import Counters, VersionedWeights, Weights
from games.api.sources import load_game
from games.api.spec import GameSpec
from runs.status import RunStatus

MAX_LENGTH = 40


class Walk:
    """Ends after a length that follows from the seed: terminated, truncated by the game, or by nobody.

    An observation is (seed % 4096, move, action before). Players take turns; one or two of three
    actions are legal; the reward follows from seed, move and action.
    """

    players = 2

    def __init__(self, seed: int | None = None) -> None:
        self.number = 0 if seed is None else seed

    def reset(self, seed: int | None = None) -> NDArray[np.float64]:
        self.number = self.number if seed is None else seed
        self.move, self.action = 0, 0
        self.length = 1 + self.number % MAX_LENGTH
        return self._observation()

    def step(self, action: int) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        assert action in self.legal_actions()
        reward = (self.number * 31 + self.move * 7 + action * 3) % 11 / 4 - 1
        self.move, self.action = self.move + 1, action
        ended = self.move >= self.length
        ending = self.number // MAX_LENGTH % 3
        return self._observation(), reward, ended and ending == 0, ended and ending == 1, {}

    def legal_actions(self) -> list[int]:
        return [self.move % 3, 2] if (self.number + self.move) % 3 else [1]

    def to_play(self) -> int:
        return (self.number + self.move) % self.players

    def _observation(self) -> NDArray[np.float64]:
        return np.array([[[self.number % 4096, self.move, self.action]]], np.float64)


class OldWalk(Walk):
    """`Walk` in muzero-general's API: the seed goes to the constructor, three values come back."""

    def reset(self) -> NDArray[np.float64]:  # type: ignore[override]
        return super().reset(None)

    def step(self, action: int) -> tuple[NDArray[np.float64], float, bool]:  # type: ignore[override]
        observation, reward, terminated, truncated, _ = super().step(action)
        return observation, reward, terminated or truncated


class WalkConfig(config.MuZeroConfig):
    """Small enough to play thousands of moves a second."""

    observation_shape = (1, 1, 3)
    action_space = (0, 1, 2)
    players = 2
    max_moves = 25

    games_per_worker = 4
    num_simulations = 3
    evaluation_simulations = 3
    encoding_size = 4
    fc_dynamics_layers = (4,)
    fc_reward_layers = (4,)
    fc_value_layers = (4,)
    fc_policy_layers = (4,)
    support_size = 3
    batch_size = 8
    num_unroll_steps = 2
    td_steps = 3
    replay_buffer_size = 4000
    learning_starts = 50


class Fragile(Walk):
    """Raises at its 2,500th move in a process."""

    moves_made = 0

    def step(self, action: int) -> Any:
        Fragile.moves_made += 1
        if Fragile.moves_made >= 2500:
            raise ZeroDivisionError("a bug of late")
        return super().step(action)


@dataclass
class Fault:
    """Something that a broken game returns at its third move, or when it starts (`at` = 0)."""

    at: int = 3
    observation: Any = None
    reward: Any = None
    returned: Any = None
    legal: Any = None
    player: Any = None


FAULTS = {
    "shape": Fault(observation=np.zeros(3)),
    "first_shape": Fault(at=0, observation=np.zeros((1, 3))),
    "ragged": Fault(observation=[[[1, 2], [3]]]),
    "text": Fault(observation=np.array([[["a", "b", "c"]]])),
    "complex": Fault(observation=np.full((1, 1, 3), 1j)),
    "nan": Fault(observation=np.array([[[0, np.nan, 0]]])),
    "infinite": Fault(observation=np.array([[[0, 0, np.inf]]])),
    "too_large": Fault(observation=np.array([[[0, 1e300, 0]]])),
    "no_legal_action": Fault(legal=[]),
    "legal_index": Fault(legal=[0, 3]),
    "negative_legal_index": Fault(legal=[0, -1, 2]),
    "legal_mask": Fault(legal=[True, False, True]),
    "four_values": Fault(returned=(np.zeros((1, 1, 3)), 0.0, False, {})),
    "nothing": Fault(returned=7),
    "nan_reward": Fault(reward=float("nan")),
    "no_reward": Fault(reward="much"),
    "player": Fault(player=2),
}


def broken(fault: Fault) -> type[Walk]:
    """A `Walk` of 40 moves with `fault`."""

    class Broken(Walk):
        def reset(self, seed: int | None = None) -> Any:
            observation = super().reset(MAX_LENGTH - 1)
            return observation if fault.at else self._value(fault.observation, observation)

        def step(self, action: int) -> Any:
            observation, reward, *ends = super().step(action)
            changed = self._value(fault.observation, observation), self._value(fault.reward, reward), *ends
            return self._value(fault.returned, changed)

        def legal_actions(self) -> list[int]:
            return self._value(fault.legal, super().legal_actions())  # type: ignore[no-any-return]

        def to_play(self) -> int:
            return self._value(fault.player, super().to_play())  # type: ignore[no-any-return]

        def _value(self, wrong: Any, right: Any) -> Any:
            return wrong if wrong is not None and self.move == fault.at else right

    return Broken


def toy_game(name: str) -> GameSpec:
    """`load_game` that also knows the games of this file: walk, old_walk and those of `FAULTS`."""
    known: dict[str, Callable[..., Any]] = {"walk": Walk, "old_walk": OldWalk, "fragile": Fragile}
    if name in known:
        return GameSpec(name, known[name], WalkConfig())
    return GameSpec(name, broken(FAULTS[name]), WalkConfig()) if name in FAULTS else load_game(name)


def random_weights(config: MuZeroConfig, seed: int = 0) -> Weights:
    """Weights of `config`'s network of which none is zero, so that every value and policy differs."""
    from models import get_weights, make_network

    generator = np.random.default_rng(seed)
    return {
        name: generator.normal(0, 0.3, array.shape).astype(np.float32)
        for name, array in get_weights(make_network(config)).items()
    }


class Source:
    """A `WeightsSource` that has one version after another, each for a number of questions."""

    def __init__(self, *versions: VersionedWeights, patience: int = 1) -> None:
        self.versions, self.patience = list(versions), patience
        self.asked: list[int] = []

    def newer_than(self, version: int) -> VersionedWeights | None:
        newest = self.versions[min(len(self.asked) // self.patience, len(self.versions) - 1)]
        self.asked.append(version)
        return newest if newest.version > version else None


def fixed_source(config: MuZeroConfig, version: int = 0) -> Source:
    """A `Source` of one version of random weights."""
    return Source(VersionedWeights(version, random_weights(config)))


class Watcher:
    """An observer that keeps everything, and may act on what it sees."""

    def __init__(self, act: Callable[[RunStatus], object] = lambda status: None) -> None:
        self.statuses: list[RunStatus] = []
        self.events: list[str] = []
        self.evidences: list[str] = []
        self.act = act

    def status(self, status: RunStatus) -> None:
        self.statuses.append(status)
        self.act(status)

    def event(self, text: str) -> None:
        self.events.append(text)

    def evidence(self, text: str) -> None:
        self.evidences.append(text)

    def close(self) -> None:
        pass

    @property
    def counters(self) -> Counters:
        """The newest."""
        return self.statuses[-1].counters if self.statuses else Counters()
