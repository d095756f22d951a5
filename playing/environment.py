"""One game of the user's behind one checked interface: what it returns is normalised or refused here."""

from __future__ import annotations

import inspect
import math
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.errors import ConfigurationError
from data import BoolArray, LostGame
from games.api.spec import RAISES, GameSpec, capabilities_of, game_maker

_TRUTHS = (bool, np.bool_)


class GameError(ConfigurationError):
    """A game broke its contract; the message says which game, what it did and what is expected."""


class GamesBreakError(GameError):
    """Games break again and again; the message is that of the newest one."""

    def __init__(self, message: str, lost: Sequence[LostGame] = ()) -> None:
        super().__init__(message)
        self.lost = tuple(lost)  # those that nobody was told of before


LARGEST = 1e15
"""Of an observation's numbers and of rewards, either way. What is learned from them is squared and added up
in single precision, which ends at 3.4e38: gradients, their norm, the optimiser's averages."""


NONE_OF_THEM = np.zeros(0, np.intp)
"""What is `beyond`, nearly always."""


class Step(NamedTuple):
    """What one move led to."""

    observation: NDArray[Any]  # [C, H, W] in the game's own dtype
    reward: float  # to the player who moved
    terminated: bool
    truncated: bool  # by the game itself or by `max_moves`
    rewards: tuple[float, ...] = ()  # to each player, in a game for more than two; () in others


class Environment:
    """Plays one game after another; every game can be repeated from its seed and its actions."""

    def __init__(self, spec: GameSpec, config: MuZeroConfig) -> None:
        self.name, self.config, self._actions = spec.name, config, config.actions
        self._make_game = game_maker(spec, config)
        self._reseeds = spec.can.reseed
        self._many = config.players > 2
        self.can = spec.can  # once the first game has been started, as that says
        self._game: Any = None
        self._dtype: np.dtype[Any] | None = None  # of the first observation
        self.answers = False  # whether the game says whose turn it is or what is legal
        self.moves = 0

    def reset(self, seed: int) -> NDArray[Any]:
        """Starts the game that `seed` determines; returns its first observation [C, H, W]."""
        self.moves = 0
        with self._raising("its constructor or reset"):
            if self._game is None or not self._reseeds:
                self.close()
                self._game = self._make_game(seed)
            observation = self._game.reset(seed=seed) if self._reseeds else self._game.reset()
        if self._dtype is None:  # the first game
            self.can = capabilities_of(self._game)
            self.answers = self.can.say_whose_turn or self.can.mask_actions
        return self._checked(observation)

    def step(self, action: int) -> Step:
        """Makes a move. Raises `GameError` when the game returns something else than its contract says."""
        mover = self.to_play() if self._many else 0
        try:
            returned = self._game.step(action)
        except RAISES as error:
            self._raised(f"step({action})", error)
        self.moves += 1
        values = len(returned) if isinstance(returned, (tuple, list)) else 1
        if values == 5:
            observation, reward, terminated, truncated, _ = returned
        elif values == 3:
            (observation, reward, terminated), truncated = returned, False
        else:
            self._refuse(f"step returned {values} value(s)", "observation, reward, done or gymnasium's five")
        rewards = self._checked_rewards(reward, mover) if self._many else ()
        reward = rewards[mover] if rewards else self._checked_reward(reward)
        if type(terminated) not in _TRUTHS:
            terminated = self._checked_end(terminated)
        truncated = not terminated and bool(truncated or self.moves >= self.config.max_moves)
        usual = self._dtype, self.config.observation_shape
        if type(observation) is not np.ndarray or (observation.dtype, observation.shape) != usual:
            observation = self._checked(observation)
        # Takes half the time of `Step(...)`, and one of these is made in each move of each game.
        return tuple.__new__(Step, (observation, reward, bool(terminated), truncated, rewards))

    def replay(self, seed: int, actions: Iterable[int]) -> None:
        """Starts the game that `seed` determines, and makes the moves `actions` in it."""
        self.reset(seed)
        for action in actions:
            self.step(action)

    @property
    def game(self) -> Any:
        """The game itself, for those who play by more than the contract (experts, searches, people)."""
        return self._game

    def to_play(self) -> int:
        """The player to move, from 0. Raises `GameError` if there is no such player."""
        try:
            player = int(self._game.to_play()) if self.can.say_whose_turn else 0
        except RAISES as error:
            self._raised("to_play", error)
        if not 0 <= player < self.config.players:
            self._refuse(f"to_play is {player}", f"a player from 0 to {self.config.players - 1}")
        return player

    def complaint(self, error: BaseException) -> ConfigurationError:
        """What there is to say of an `error` that this game has caused, in a line."""
        if isinstance(error, ConfigurationError):
            return error
        return GameError(
            f"game {self.name!r}, move {self.moves}: what it returned cannot be read: "
            f"{type(error).__name__}: {error}"
        )

    def abandon(self) -> None:
        """Lets go of a game that broke: the next one is made from scratch."""
        with suppress(*RAISES):
            self.close()
        self._game = None

    def legal_mask(self, cut: bool = False) -> BoolArray:
        """Which actions are legal, [A]. Raises `GameError` if none is, or one does not exist.

        Where the game was `cut` (truncated) it may list none: then all count as legal, for want of any.
        """
        if not self.can.mask_actions:
            return self._actions.all_legal()
        try:
            legal = np.asarray(self._game.legal_actions())
        except RAISES as error:
            self._raised("legal_actions", error)
        if legal.size == 0 and cut:
            return self._actions.all_legal()
        if legal.size == 0:
            self._refuse("legal_actions is empty before the game's end", "at least one action")
        fault = self._actions.fault(legal)
        if fault:
            self._refuse(f"legal_actions {fault.what}", fault.expected)
        return self._actions.mask(legal)

    def close(self) -> None:
        """Closes the game, if it can be closed."""
        if self._game is not None and self.can.close:
            self._game.close()

    def _checked(self, observation: Any) -> NDArray[Any]:
        """An observation in the dtype of the very first one."""
        try:
            array = np.asarray(observation)
        except ValueError:
            self._refuse("an observation is ragged", f"an array of shape {self.config.observation_shape}")
        if array.shape != self.config.observation_shape:
            self._refuse(f"an observation has shape {array.shape}", f"{self.config.observation_shape}")
        if array.dtype.kind not in "biuf":
            self._refuse(f"an observation is of type {array.dtype}", "numbers")
        if self._dtype is None:
            self._dtype = np.dtype(np.float32) if array.dtype == np.float64 else array.dtype
        if not np.can_cast(array.dtype, self._dtype, "same_kind"):
            self._refuse(f"an observation is of type {array.dtype}", f"{self._dtype}, like the first one")
        converted = array.astype(self._dtype, copy=False)
        if array.dtype != self._dtype and not _held(array, converted):
            beyond = float(np.abs(array.astype(np.float64)).max())
            self._refuse(
                f"an observation of type {array.dtype} holds numbers up to {beyond:g}",
                f"only such as fit {self._dtype}, the type of the first one; return one type throughout",
            )
        return converted

    def _checked_reward(self, reward: Any) -> float:
        try:
            number = float(reward) if type(reward) is not np.ndarray else float(reward.reshape(()))
        except (TypeError, ValueError):
            number = math.nan
        if not abs(number) <= LARGEST:
            self._refuse(f"step returned the reward {reward!r}", _expected(number, "a finite number"))
        return number

    def _checked_rewards(self, reward: Any, mover: int) -> tuple[float, ...]:
        """The reward of each player, in a game for more than two; a single number is that of the `mover`."""
        players = self.config.players
        try:
            numbers = np.asarray(reward, np.float64)
        except (TypeError, ValueError):
            numbers = np.full(1, math.nan)
        if numbers.size == 1:
            numbers = np.where(np.arange(players) == mover, numbers.reshape(()), 0.0)
        if numbers.shape != (players,) or not (np.abs(numbers) <= LARGEST).all():
            expected = f"a finite number for each of the {players} players, or one for the player who moved"
            sized = numbers.shape == (players,)
            wrong = float(np.abs(numbers).max()) if sized else math.nan
            self._refuse(f"step returned the reward {reward!r}", _expected(wrong, expected))
        return tuple(numbers.tolist())

    def _checked_end(self, end: Any) -> bool:
        """Whether a game is over, said by a number or an array of one."""
        if np.size(end) != 1:
            self._refuse(f"step said {end!r} where it says whether the game is over", "True or False")
        return bool(np.ravel(end)[0])

    @contextmanager
    def _raising(self, call: str) -> Iterator[None]:
        """Says of what the game raises where it did."""
        try:
            yield
        except RAISES as error:
            self._raised(call, error)

    def _raised(self, call: str, error: BaseException) -> NoReturn:
        """Raises `GameError`: which game, after which move, what, and where in its file."""
        if isinstance(error, ConfigurationError):
            raise error
        file = None
        with suppress(TypeError):  # a class of a notebook is in no file
            file = inspect.getsourcefile(type(self._game)) if self._game is not None else None
        frames = traceback.extract_tb(error.__traceback__)
        place = next((frame for frame in reversed(frames) if frame.filename == file), frames[-1])
        raise GameError(
            f"game {self.name!r}, move {self.moves}: {call} raised {type(error).__name__}: {error} "
            f"({place.filename}, line {place.lineno})"
        ) from error

    def _refuse(self, what: str, expected: str) -> NoReturn:
        raise GameError(f"game {self.name!r}, move {self.moves}: {what}; expected {expected}")


def _held(array: NDArray[Any], converted: NDArray[Any]) -> bool:
    """Whether conversion has kept whole numbers as they were, and others from becoming infinite."""
    if converted.dtype.kind != "f":
        return bool((array == converted).all())
    return bool(np.isfinite(converted).all()) or not bool(np.isfinite(array).all())


def _expected(number: float, otherwise: str) -> str:
    """What is expected instead of a `number` that is finite and yet too large, or `otherwise`."""
    return f"one of at most {LARGEST:g} either way" if math.isfinite(number) else otherwise


def beyond(observations: NDArray[Any]) -> NDArray[np.intp]:
    """Which of the observations [n, ...] have numbers that nothing can be learned from: NaN, or too large."""
    if observations.dtype.kind != "f" or np.abs(observations).max(initial=0) <= LARGEST:  # not so of NaN
        return NONE_OF_THEM
    return np.flatnonzero(~(np.abs(observations) <= LARGEST).reshape(len(observations), -1).all(axis=1))


def complaint_of(observation: NDArray[Any], environment: Environment) -> GameError:
    """What there is to say of one that is `beyond`."""
    where = f"game {environment.name!r}, move {environment.moves}: an observation"
    if not np.isfinite(observation).all():
        return GameError(f"{where} contains NaN or infinity; expected finite numbers")
    largest = float(np.abs(observation).max())
    return GameError(f"{where} holds numbers up to {largest:g}; expected at most {LARGEST:g} either way")
