"""The replay buffer: keeps games' steps, draws training batches from them, has old steps looked at again.

What a stored step is and which targets follow from it is in `learning/targets.py`, how steps are drawn by
priority in `learning/sum_tree.py`. `Reanalyse`, below, looks at old steps with newer weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config import MuZeroConfig
from core.errors import ConfigurationError
from core.randomness import Stream, make_generator
from data import (
    Batch,
    BufferStatus,
    FloatArray,
    GameHistory,
    ReanalyseRequest,
    ReanalyseResult,
    Snapshot,
    Weights,
)
from learning.stored_positions import legal_at, stacked_at
from learning.sum_tree import SumTree
from learning.symmetry import Symmetries, make_symmetries, turned_targets
from learning.targets import (
    OWN,
    PAST,
    StepRows,
    compute_targets,
    history_rows,
    n_step_returns,
    row_layout,
)
from saving.rows import Cut
from search.inference import make_model
from search.mcts import Search
from search.rules.rule import draw_noise

PRIORITY_FLOOR = 1e-3
"""Added to every priority, so that no step is lost for good and no importance weight dwarfs the others."""

CHANGING = ("policies", "root_values", "versions")
"""The columns that reanalysis writes anew; all others stay as they were added."""

START_WINDOW = 3
"""Steps that a young run keeps, in `learning_starts`."""


class ReplayBuffer:
    """A ring of step rows under a byte budget, with prioritised sampling.

    Rows are numbered through in the order of arrival; a row's number is its position, never reused, and
    its place in the ring is that number modulo the capacity. Whole histories leave, oldest first.

    New steps enter with the priority of the MuZero paper (appendix G), |root value - n-step return|,
    rather than the largest one so far: it is on the same scale as what the trainer reports, costs one
    pass over the history, and one freak error does not rank all later games.

    With `policy_surprise` every priority, now and later, is multiplied by the step's `frequency` (see
    `sampling_frequency` in learning/targets.py). The importance weights do not undo this factor: unlike
    priorities it is meant to change what is learnt from. Without PER it is all that there is.

    With `symmetry` every sample is varied by a random one of the board's symmetries.

    Raises `ConfigurationError` when the budget does not hold a single step.
    """

    def __init__(self, config: MuZeroConfig, generator: np.random.Generator) -> None:
        self.config, self.generator = config, generator
        self.alpha = config.PER_alpha if config.PER else 0.0
        self._reach = config.support_reach
        self.symmetries = make_symmetries(config)
        self._allocate(np.dtype(np.float32))

    def _allocate(self, observations: np.dtype[Any]) -> None:
        layout = row_layout(self.config, observations)
        self.row_bytes = SumTree.BYTES_PER_LEAF + sum(
            math.prod(shape) * dtype.itemsize for shape, dtype in layout
        )
        affordable = self.config.replay_buffer_mb * 2**20 // self.row_bytes
        if affordable < 1:
            raise ConfigurationError(
                f"replay_buffer_mb={self.config.replay_buffer_mb} does not hold one step "
                f"of {self.row_bytes} bytes: raise it"
            )
        longest = longest_rows(self.config)
        if affordable < longest:
            raise ConfigurationError(
                f"replay_buffer_mb={self.config.replay_buffer_mb} holds {affordable} steps of "
                f"{self.row_bytes} bytes, but a history may have {longest}: raise it, or lower "
                "segment_length or td_steps"
            )
        self.capacity = min(affordable, max(rows_wanted(self.config), longest))
        # Memory pages are only taken up as the rows are written.
        self.rows = StepRows(*(np.zeros((self.capacity, *shape), dtype) for shape, dtype in layout))
        self.tree = SumTree(self.capacity)
        self.first = self.next = self.cursor = 0  # positions: oldest kept, next new, next to reanalyse
        self.steps = self.games = self.added = 0
        self.added_before = 0  # steps, in earlier sittings

    def add(self, histories: Sequence[GameHistory]) -> BufferStatus:
        """Stores `histories` in place of the oldest ones.

        Raises `ConfigurationError` when one is longer than the buffer, and `ValueError` when its shapes
        are not the configuration's or its numbers are not finite.
        """
        for history in histories:
            self._add(history)
        return self.status()

    def _add(self, history: GameHistory) -> None:
        check_history(history, self.config)
        dtype = row_layout(self.config, history.observations.dtype)[0][1]
        if self.next == 0 and dtype != self.rows.observations.dtype:
            self._allocate(dtype)
        run = history_rows(history, self.config.stacked_observations, self.config.policy_surprise)
        size = len(run.actions)
        self._make_room(size, history.steps)
        places = self._places(self.next, size)
        for name, column in self.rows._asdict().items():
            column[places] = getattr(run, name)
        own = np.arange(history.past, history.past + history.steps)
        # An exploratory step's own target is its root value: by that alone it would never be drawn.
        whole = run._replace(exploratory=np.zeros_like(run.exploratory))
        returns = n_step_returns(whole, own, self.config.td_steps, self.config.discount)
        told = np.clip(returns, -self._reach, self._reach)
        self._set_priorities(places[own], np.abs(run.root_values[own] - told))
        self.next += size
        self.steps += history.steps
        self.added += history.steps
        self.games += history.game_return is not None

    def _make_room(self, rows: int, steps: int) -> None:
        if rows > self.capacity or steps > self.config.replay_buffer_size:
            raise ConfigurationError(
                f"a history of {steps} steps ({rows} rows) does not fit into the replay buffer of "
                f"{self.status().capacity_steps} steps ({self.capacity} rows): raise replay_buffer_size or "
                f"replay_buffer_mb, or lower segment_length"
            )
        kept = max(steps, self._window(self.added_before + self.added + steps))
        while self.next + rows - self.first > self.capacity or self.steps + steps > kept:
            self._evict_oldest()

    def _window(self, ever: int) -> int:
        """Steps to be kept once `ever` have been added. A run's first games are those of a bad player.

        Their returns say what that player was worth, and keep saying so for as long as they are drawn.
        """
        config = self.config
        share = math.ceil(config.replay_window * ever)
        return min(config.replay_buffer_size, max(share, START_WINDOW * config.learning_starts))

    def _evict_oldest(self) -> None:
        place = self.first % self.capacity
        size = self.rows.remaining[place] + (not self.rows.terminated[place])
        places = self._places(self.first, int(size))
        self.tree[places] = np.zeros(len(places))
        self.steps -= int(np.count_nonzero(self.rows.kind[places] == OWN))
        self.games -= int(self.rows.ends_game[place])
        self.first += len(places)

    def _places(self, position: int, size: int) -> NDArray[np.int64]:
        return np.arange(position, position + size) % self.capacity

    def sample(self, num_batches: int) -> list[Batch]:
        """`num_batches` batches. Raises `ValueError` when the buffer is empty."""
        if not self.steps:
            raise ValueError("the replay buffer is empty: nothing to sample")
        return [self._sample() for _ in range(num_batches)]

    def _sample(self) -> Batch:
        config, size = self.config, self.config.batch_size
        # One draw from each of S equal parts of the total priority (Schaul et al. 2015, appendix B.2.1).
        places = self.tree.draw((np.arange(size) + self.generator.random(size)) / size)
        random_actions = config.actions.draw(self.generator, size, config.num_unroll_steps)
        targets = compute_targets(self.rows, places, random_actions, config.td_steps, config.discount)
        # (1 / (N p))^beta over its largest: N and the total cancel.
        priorities = self.tree[places] / self.rows.frequency[places]
        weights = (priorities.min() / priorities) ** config.PER_beta
        drawn = self.symmetries.draw(self.generator, size) if self.symmetries else None
        if drawn is not None:
            targets = turned_targets(targets, drawn)
        next_observations, next_mask = self._next_observations(places, drawn)
        return Batch(
            observations=self._stacked(places, drawn),
            actions=targets.actions,
            target_value=targets.value,
            target_reward=targets.reward,
            target_policy=targets.policy,
            value_mask=targets.value_mask,
            reward_mask=targets.reward_mask,
            policy_mask=targets.policy_mask,
            weights=weights.astype(np.float32),
            positions=self.first + (places - self.first) % self.capacity,
            next_observations=next_observations,
            next_mask=next_mask,
        )

    def _next_observations(
        self, places: NDArray[np.int64], symmetries: Symmetries | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """`Batch.next_observations` and `Batch.next_mask` for the steps at `places` [S]."""
        steps = self.config.num_unroll_steps if self.config.consistency_loss_weight else 0
        # a terminal position has no row
        known = self.rows.remaining[places] - self.rows.terminated[places]
        mask = np.arange(1, steps + 1) <= known[:, None]
        observations = [
            self._stacked((places + np.where(mask[:, k], k + 1, 0)) % self.capacity, symmetries)
            for k in range(steps)
        ]
        shape = (len(places), steps, self.config.stacked_channels, *self.config.observation_shape[1:])
        stacked = np.stack(observations, axis=1) if observations else np.empty(shape, np.float32)
        return stacked, mask.astype(np.float32)

    def _stacked(
        self, places: NDArray[np.int64], symmetries: Symmetries | None = None
    ) -> NDArray[np.float32]:
        """The stacked observations of the steps at `places` [S], each turned by its one of `symmetries`."""
        return stacked_at(self.rows, places, self.config, symmetries)

    def update_priorities(self, positions: NDArray[np.int64], priorities: FloatArray) -> None:
        """Sets the priorities [n] of the steps `positions` [n]; steps that have left are passed over.

        Raises `ValueError` when a priority is negative or not finite.
        """
        if not (np.isfinite(priorities) & (priorities >= 0)).all():
            raise ValueError("priorities must be finite and not negative: has the training diverged?")
        places, present = self._present(positions)
        own = self.rows.kind[places] == OWN
        self._set_priorities(places[own], priorities[present][own])

    def _set_priorities(self, places: NDArray[np.int64], priorities: FloatArray) -> None:
        scaled = (priorities.astype(np.float64) + PRIORITY_FLOOR) ** self.alpha
        self.tree[places] = scaled * self.rows.frequency[places]

    def _present(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The places of those `positions` [n] that are still there, and which [n] those are."""
        present = (positions >= self.first) & (positions < self.next)
        return positions[present] % self.capacity, present

    def reanalyse_request(self, steps: int) -> ReanalyseRequest | None:
        """The next `steps` positions to look at again (fewer at the buffer's end), or None if it is empty.

        They go round the buffer from the oldest position to the newest, and include the positions that
        only serve as look-ahead and the last ones, whose values targets bootstrap from.
        """
        positions = self._next_positions(steps)
        if len(positions) == 0:
            return None
        self.cursor = int(positions[-1]) + 1
        places = positions % self.capacity
        return ReanalyseRequest(
            positions,
            self._stacked(places),
            self.rows.to_play[places].astype(np.int32),
            legal_at(self.rows, places),
        )

    def _next_positions(self, steps: int) -> NDArray[np.int64]:
        """The next `steps` positions with a root value from the cursor on, or else from the oldest on."""
        valued = np.empty(0, np.int64)
        for start in (max(self.cursor, self.first), self.first):
            # More than `steps`, because rows before a history's own steps have no value: at most 64 in a row.
            positions = np.arange(start, min(start + 2 * steps + 64, self.next))
            valued = positions[self.rows.kind[positions % self.capacity] != PAST][:steps]
            if len(valued):
                break
        return valued

    def reanalyse_update(self, result: ReanalyseResult) -> None:
        """Writes fresh root values (and policies) to steps that are still there and not known any better.

        Fresh policies come from full searches: they also reach steps that were searched fast and taught none.
        What a resigned game is worth stays, whatever weights think of its last position.
        """
        places, present = self._present(result.positions)
        fresh = self.rows.versions[places] <= result.version
        places, chosen = places[fresh], np.flatnonzero(present)[fresh]
        self.rows.root_values[places] = result.root_values[chosen]
        if result.policies is not None:
            self.rows.policies[places] = result.policies[chosen]
        self.rows.versions[places] = result.version

    def status(self) -> BufferStatus:
        """What the buffer holds; `bytes` counts the rows written so far, which stay allocated."""
        return BufferStatus(
            steps=self.steps,
            games=self.games,
            bytes=min(self.next, self.capacity) * self.row_bytes,
            capacity_steps=min(self.config.replay_buffer_size, self.capacity),
            capacity_bytes=self.capacity * self.row_bytes,
            added=self.added,
        )

    def shrink(self) -> BufferStatus:
        """Gives about half of the memory back: the oldest histories leave, and the ring is made smaller.

        It always holds the longest history, and the steps that a young run keeps.
        """
        least = max(longest_rows(self.config), START_WINDOW * self.config.learning_starts)
        capacity = max((self.next - self.first) // 2, least)
        if capacity < min(self.next, self.capacity):
            while self.next - self.first > capacity:
                self._evict_oldest()
            self._lay_out_anew(capacity)
        return self.status()

    def _lay_out_anew(self, capacity: int) -> None:
        """Moves the rows, which fit, into a ring of another size, one column after another."""
        positions = np.arange(self.first, self.next)
        old, new = positions % self.capacity, positions % capacity
        weights = self.tree[old]
        for name in StepRows._fields:
            column = getattr(self.rows, name)
            moved = np.zeros((capacity, *column.shape[1:]), column.dtype)
            moved[new] = column[old]
            self.rows = self.rows._replace(**{name: moved})
        self.capacity, self.tree = capacity, SumTree(capacity)
        self.tree[new] = weights

    def state(self) -> Snapshot:
        """All rows and priorities, the oldest first, and the generator: sampling goes on as it would have."""
        places = self._places(self.first, self.next - self.first)
        arrays = {name: column[places] for name, column in self.rows._asdict().items()}
        return Snapshot(arrays | {"weights": self.tree[places]}, self._facts())

    def _facts(self) -> dict[str, Any]:
        return {
            "first": self.first,
            "cursor": self.cursor,
            "ever": self.added_before + self.added,
            "generator": self.generator.bit_generator.state,
        }

    def cut(self) -> Cut:
        """What `state` is of, at this moment, without the rows (`saving/rows.py`)."""
        return Cut(self.first, self.next, self._facts())

    def constant_rows(self, start: int, stop: int) -> dict[str, NDArray[Any]]:
        """What never changes in the rows at positions `start` to `stop`, copied."""
        places = self._places(start, stop - start)
        names = (name for name in StepRows._fields if name not in CHANGING)
        return {name: getattr(self.rows, name)[places] for name in names}

    def changing_rows(self, start: int, stop: int) -> dict[str, NDArray[Any]]:
        """What reanalysis and the trainer change in them, copied."""
        places = self._places(start, stop - start)
        arrays = {name: getattr(self.rows, name)[places] for name in CHANGING}
        return arrays | {"weights": self.tree[places]}

    def load_state(self, state: Snapshot) -> None:
        """Goes on from `state`; a buffer that has become smaller keeps the newest histories."""
        # buffers from before there were exploratory moves do not know which theirs are
        unknown = {"exploratory": np.zeros(len(state.arrays["actions"]), np.bool_)}
        saved = StepRows(**{name: (unknown | state.arrays)[name] for name in StepRows._fields})
        self._allocate(saved.observations.dtype)
        start = self._first_that_fits(saved)
        self.first = state.facts["first"] + start
        self.next = state.facts["first"] + len(saved.actions)
        places = self._places(self.first, self.next - self.first)
        for name, column in self.rows._asdict().items():
            column[places] = getattr(saved, name)[start:]
        self.tree[places] = state.arrays["weights"][start:]
        self.steps = int(np.count_nonzero(saved.kind[start:] == OWN))
        self.games = int(np.count_nonzero((last_rows(saved) & saved.ends_game)[start:]))
        self.cursor = state.facts["cursor"]
        self.added_before = state.facts.get("ever", self.next)  # buffers from before kept all that they could
        self.generator.bit_generator.state = state.facts["generator"]

    def _first_that_fits(self, saved: StepRows) -> int:
        """The first row of the oldest history of `saved` from which on everything fits."""
        starts = np.append(0, np.flatnonzero(last_rows(saved)) + 1)
        steps_before = np.append(0, np.cumsum(saved.kind == OWN))
        fits = (starts[-1] - starts <= self.capacity) & (
            steps_before[-1] - steps_before[starts] <= self.config.replay_buffer_size
        )
        return int(starts[np.argmax(fits)])


def steps_in(state: Snapshot) -> int:
    """The steps to learn from in a buffer's `state`."""
    return int(np.count_nonzero(state.arrays["kind"] == OWN))


def check_games(state: Snapshot, config: MuZeroConfig) -> None:
    """Raises `ValueError` unless the games in a buffer's `state` are like those of `config`."""
    found = state.arrays["observations"].shape[1:], state.arrays["policies"].shape[-1]
    wanted = config.observation_shape, config.num_actions
    if found != wanted:
        raise ValueError(
            f"its games have observations {found[0]} and {found[1]} actions, this configuration has "
            f"{wanted[0]} and {wanted[1]}"
        )


class Reanalyse:
    """Looks at stored positions again with newer weights (MuZero paper, appendix H): values, and policies.

    Fresh values are the network's; with `reanalyse_policy` the positions are searched again, with
    self-play's noise, and both the policy and the root's value after the search are returned. The noise
    follows from the seed, the weights' version and the positions: there is no state to lose or to save.
    """

    BATCH = 64

    def __init__(self, config: MuZeroConfig, device: str = "cpu") -> None:
        simulations = config.num_simulations if config.reanalyse_policy else 1
        self.config = config
        self.model = make_model(config, self.BATCH, simulations, device)
        self.search = Search(config, self.BATCH, simulations) if config.reanalyse_policy else None
        self.version = -1

    def load(self, weights: Weights, version: int) -> None:
        """Uses `weights`, which `version` updates have made, from now on."""
        self.model.load(weights)
        self.version = version

    def refresh(self, request: ReanalyseRequest) -> ReanalyseResult:
        """Fresh root values (and policies) for the positions of `request`."""
        if self.search is None:
            values = self.model.evaluate(request.observations)
            return ReanalyseResult(request.positions, values, None, self.version)
        generator = make_generator(
            self.config.seed, Stream.REANALYSE, self.version, int(request.positions[0])
        )
        found = []
        for start in range(0, len(request.positions), self.BATCH):
            rows = slice(start, start + self.BATCH)
            legal = request.legal_actions[rows]
            noise = draw_noise(generator, legal, self.config, rule=self.search.rule)
            found.append(
                self.search.run(self.model, request.observations[rows], request.to_play[rows], legal, noise)
            )
        return ReanalyseResult(
            request.positions,
            np.concatenate([result.target_value[:, 0] for result in found]).astype(np.float32, copy=False),
            np.concatenate([result.policy for result in found]).astype(np.float32, copy=False),
            self.version,
        )


def rows_wanted(config: MuZeroConfig) -> int:
    """Rows for `replay_buffer_size` steps that come in segments of full length."""
    length = min(config.segment_length, config.max_moves)
    segment = length + 1
    if config.max_moves > length:
        segment += config.stacked_observations + config.td_steps + config.num_unroll_steps
    return math.ceil(config.replay_buffer_size / length) * segment


def longest_rows(config: MuZeroConfig) -> int:
    """Rows that a history may have, with the steps before it and its last position."""
    return config.stacked_observations + config.longest_history + 1


def last_rows(rows: StepRows) -> NDArray[np.bool_]:
    """Which rows [n] are the last of their history."""
    return np.equal(rows.remaining, rows.terminated)


def check_history(history: GameHistory, config: MuZeroConfig) -> None:
    """Raises `ValueError` when `history` is not of the configuration's shapes or not finite."""
    shape = history.observations.shape[1:]
    if shape != config.observation_shape or history.policies.shape[1] != config.num_actions:
        raise ValueError(
            f"history of observations {shape} and {history.policies.shape[1]} actions does not fit "
            f"observation_shape={config.observation_shape} and {config.num_actions} actions"
        )
    for name in ("observations", "rewards", "policies", "root_values", "surprises"):
        numbers = getattr(history, name)
        if numbers is not None and not np.isfinite(numbers).all():
            raise ValueError(f"{name} of the game with seed {history.seed} are not finite")
