"""The configuration of a run: one flat, frozen, validated dataclass.

Every field states its type, its meaning, its bounds and its group once, here; the command line, `--help`
and the validation are derived from that. A game's configuration is a subclass that states only what
differs from these defaults. Field names are muzero-general's wherever the meaning is the same. What is not
about MuZero (`option`, reading values from text) is in `core/options.py`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from core.errors import ConfigurationError, did_you_mean, require
from core.network_kinds import NETWORKS, NetworkKind
from core.options import FieldDoc, coerce, option, parse_json_object, parse_value, renamed
from core.search_kinds import SEARCHES, SearchKind
from core.temperatures import Schedule, check_temperatures, schedule_value

if TYPE_CHECKING:  # numpy, which `--help` does without
    from core.actions import ActionSpace


@dataclass(frozen=True, kw_only=True)
class MuZeroConfig:
    """Everything that a run can be told. Raises `ConfigurationError` on values that cannot work."""

    # --- game ---
    observation_shape: tuple[int, ...] = option(
        (1, 1, 4), "game", "shape of one observation, (channels, height, width); (1, 1, n) for a vector"
    )
    action_space: tuple[int, ...] = option((0, 1), "game", "all actions, numbered from 0")
    players: int = option(1, "game", "players who take turns; 2: zero-sum; more: only for matches", 1, 64)
    stacked_observations: int = option(
        0, "game", "earlier observations and actions stacked under the current observation", 0, 64
    )
    max_moves: int = option(500, "game", "moves after which a game is truncated", 1, 1_000_000_000)
    board_size: int = option(
        0, "game", "side of the board, where a game lets one choose it; 0: its own", 0, 64
    )
    symmetry: Literal["none", "mirror", "dihedral"] = option(
        "none",
        "game",
        "symmetry of the board by which training positions are varied: mirror (left and right) or dihedral "
        "(the eight of a square)",
    )

    # --- run ---
    seed: int = option(0, "run", "the one seed from which every random number generator is derived", 0)
    results_path: str = option("results", "run", "folder under which the run's own folder is made")
    device: str = option(
        "auto", "run", "device of the trainer: auto (GPU if there is one), cpu, cuda, or with --local cuda:N"
    )
    selfplay_on_gpu: bool | None = option(
        None,
        "run",
        "self-play and reanalysis use the GPU as well; none: if the network is worth it, as resnet is",
    )
    num_workers: int = option(0, "run", "self-play actors; 0: as many as this machine has room for", 0, 4096)
    games_per_worker: int = option(16, "run", "games that one self-play actor plays in lock-step", 1, 65536)
    training_steps: int = option(10_000, "run", "optimiser steps after which training ends", 1)
    training_minutes: float = option(0.0, "run", "minutes after which training ends; 0: no limit", 0.0)
    checkpoint_interval: float = option(60.0, "run", "seconds between two checkpoints", 1.0)
    keep_checkpoints: int = option(2, "run", "newest checkpoint generations that are kept", 1)
    log_interval: float = option(3.0, "run", "seconds between two lines of a run without a terminal", 0.1)
    call_deadline: float = option(0.0, "run", "seconds an actor may take to answer; 0: by what is usual", 0.0)
    object_store_mb: int = option(256, "run", "size of Ray's shared object store in MiB", 80)
    wandb: bool = option(
        False,
        "run",
        "log to Weights & Biases as well (a package of its own); WANDB_MODE=offline needs no account",
    )

    # --- self-play ---
    num_simulations: int = option(50, "self-play", "simulations per move", 1, 65535)
    discount: float = option(0.997, "self-play", "discount per move", 0.0, 1.0)
    temperature_threshold: int = option(
        0,
        "self-play",
        "move from which on the best is played, sampled before; 0: never (puct), always (gumbel)",
        0,
    )
    visit_softmax_temperature: Schedule = option(
        ((0.5, 1.0), (0.75, 0.5), (1.0, 0.25)),
        "self-play",
        "temperature of the sampled moves by training progress: (until, value) pairs",
    )
    move_temperature: Schedule = option(
        (),
        "self-play",
        "temperature by move of the game instead: (until move, value) pairs; (): not used",
    )
    random_opening_moves: int = option(
        0,
        "self-play",
        "each game's first moves, between none and so many of them, are drawn from all legal ones: more "
        "varied games",
        0,
    )
    random_move_probability: float = option(
        0.0,
        "self-play",
        "probability that a later move is drawn from all legal ones: the model learns where they lead",
        0.0,
        0.99,
    )
    resign_value: float = option(
        -1.0,
        "self-play",
        "a player whose root value falls below this resigns and loses (-1); two players; -1: never",
        -1.0,
        0.0,
    )
    resign_check: float = option(
        0.1,
        "self-play",
        "share of games that are played out in spite of it, to count wrong resignations",
        0.0,
        1.0,
    )
    full_search_probability: float = option(
        1.0, "self-play", "share of moves searched in full (playout cap randomisation); 1: all", 0.01, 1.0
    )
    fast_simulations: int = option(
        8, "self-play", "simulations of the other moves, without noise, which teach no policy", 1, 65535
    )
    policy_surprise: float = option(
        0.0,
        "self-play",
        "share of a game's sampling weight that follows KL(search policy || network's policy); the rest is "
        "the same for each step; priorities are multiplied by it",
        0.0,
        1.0,
    )
    segment_length: int = option(
        200, "self-play", "moves after which a running game is sent on as a segment", 1
    )

    # --- search ---
    search: str = option(
        "puct", "search", "rule: MuZero's, Gumbel MuZero's, or one of your own", choices=SEARCHES.choices
    )
    root_dirichlet_alpha: float = option(0.25, "search", "concentration of the root's Dirichlet noise", 1e-6)
    root_exploration_fraction: float = option(
        0.25, "search", "share of that noise in the root's prior", 0.0, 1.0
    )
    pb_c_base: float = option(19652.0, "search", "PUCT: visits at which exploration starts to grow", 1.0)
    pb_c_init: float = option(1.25, "search", "PUCT: weight of the prior", 0.0)
    q_transform: Literal["parent_and_siblings", "bounds", "min_max"] = option(
        "parent_and_siblings",
        "search",
        "how PUCT brings action values to [0, 1]: by the node's value and its visited actions, by known "
        "bounds (value_bounds), or by the tree's minimum and maximum (MuZero paper)",
    )
    value_bounds: tuple[float, float] = option((-1.0, 1.0), "search", "known bounds for q_transform=bounds")
    min_q_range: float = option(
        0.0,
        "search",
        "least range that action values are scaled by, lest rounding decide (EfficientZero V2)",
        0.0,
    )
    value_scale: float = option(0.1, "search", "Gumbel: scale of the completed action values", 0.0)
    maxvisit_init: float = option(50.0, "search", "Gumbel: offset of the visit count in that scale", 0.0)
    rescale_values: bool = option(True, "search", "Gumbel: bring completed action values to [0, 1] first")
    max_num_considered_actions: int = option(16, "search", "Gumbel: actions sampled at the root", 1)
    gumbel_scale: float = option(1.0, "search", "Gumbel: scale of the noise in self-play (0: none)", 0.0)
    max_depth: int = option(0, "search", "deepest node; 0: as deep as the number of simulations allows", 0)

    # --- network ---
    network: str = option(
        "fullyconnected", "network", "kind of network, or one of your own", choices=NETWORKS.choices
    )
    support_size: int = option(
        10,
        "network",
        "value and reward are categorical over [-support_size, support_size]",
        1,
        1000,
    )
    support_transform: bool = option(
        True,
        "network",
        "values and rewards go onto that range by sign(x) (sqrt(|x| + 1) - 1) + 0.001 x (MuZero, appendix "
        "F); off suits small ones, such as the outcomes of board games",
    )
    latent_scaling: Literal["min_max", "none"] = option(
        "min_max",
        "network",
        "resnet: latent states are brought to [0, 1] (MuZero, appendix G), or left as they are",
    )
    encoding_size: int = option(8, "network", "fully connected: size of the latent state", 1)
    fc_representation_layers: tuple[int, ...] = option((), "network", "hidden layers of the representation")
    fc_dynamics_layers: tuple[int, ...] = option((16,), "network", "hidden layers of the dynamics")
    fc_residual_dynamics: bool = option(
        False,
        "network",
        "fully connected: the dynamics' output is added to the latent state, not put in its place",
    )
    fc_reward_layers: tuple[int, ...] = option((16,), "network", "hidden layers of the reward head")
    fc_value_layers: tuple[int, ...] = option((16,), "network", "hidden layers of the value head")
    fc_policy_layers: tuple[int, ...] = option((16,), "network", "hidden layers of the policy head")
    downsample: Literal["none", "resnet", "CNN"] = option(
        "none", "network", "resnet: how images are made smaller before the residual blocks"
    )
    blocks: int = option(3, "network", "resnet: residual blocks of representation and of dynamics", 0)
    channels: int = option(64, "network", "resnet: channels of a block", 1)
    batch_norm: bool = option(True, "network", "resnet: batch norm after every convolution of the blocks")
    action_planes: Literal["scalar", "one_hot", "board"] = option(
        "scalar",
        "network",
        "resnet: what tells the dynamics the action: scalar (a plane filled with action / actions), one_hot "
        "(a plane for each action) or board (a plane with 1 on the action's cell or column, 0 elsewhere and "
        "for further actions such as a pass)",
    )
    reduced_channels_reward: int = option(2, "network", "resnet: channels in front of the reward head", 1)
    reduced_channels_value: int = option(2, "network", "resnet: channels in front of the value head", 1)
    reduced_channels_policy: int = option(4, "network", "resnet: channels in front of the policy head", 1)
    resnet_fc_reward_layers: tuple[int, ...] = option(
        (64,), "network", "resnet: hidden layers of the reward head"
    )
    resnet_fc_value_layers: tuple[int, ...] = option(
        (64,), "network", "resnet: hidden layers of the value head"
    )
    resnet_fc_policy_layers: tuple[int, ...] = option(
        (64,), "network", "resnet: hidden layers of the policy head"
    )
    inference: Literal["auto", "numba", "torch", "compile"] = option(
        "auto",
        "network",
        "how search evaluates the network: numba (fully connected, CPU), torch (any), compile "
        "(torch.compile, needs a C compiler); auto: numba where it applies, else torch",
    )
    inference_bfloat16: bool = option(
        False,
        "network",
        "searches of 8 games and more evaluate in bfloat16 (torch's paths) where the device has it",
    )

    # --- training ---
    batch_size: int = option(128, "training", "positions per optimiser step", 1)
    num_unroll_steps: int = option(5, "training", "steps that the model is unrolled (K)", 1, 255)
    td_steps: int = option(10, "training", "steps of reward before the value target bootstraps (n)", 1, 65535)
    optimizer: Literal["AdamW", "SGD"] = option("AdamW", "training", "optimiser")
    lr_init: float = option(3e-3, "training", "learning rate at the start", 0.0)
    lr_decay_rate: float = option(1.0, "training", "factor of the learning rate per lr_decay_steps", 0.0, 1.0)
    lr_decay_steps: int = option(1000, "training", "optimiser steps in which lr_decay_rate applies once", 1)
    lr_decay_start: int = option(
        0, "training", "optimiser step at which the decay begins; -1 with resume: the present one", -1
    )
    lr_warmup_steps: int = option(0, "training", "optimiser steps of linear warm-up", 0)
    weight_decay: float = option(1e-4, "training", "weight decay", 0.0)
    momentum: float = option(0.9, "training", "momentum of SGD", 0.0, 1.0)
    max_grad_norm: float = option(5.0, "training", "gradients are scaled down to this norm; 0: never", 0.0)
    gradient_accumulation: int = option(1, "training", "parts in which a batch is computed to save memory", 1)
    value_loss_weight: float = option(0.25, "training", "weight of the value loss", 0.0)
    reward_loss_weight: float = option(1.0, "training", "weight of the reward loss", 0.0)
    consistency_loss_weight: float = option(
        0.0,
        "training",
        "weight of the distance between imagined latent states and those of the observations that came "
        "(EfficientZero, section 4.1); 0: off",
        0.0,
    )
    autocast: bool = option(
        False,
        "training",
        "updates in bfloat16 (autograd's) where the hardware has it: GPUs, AVX512-BF16, AMX",
    )
    compile: bool = option(False, "training", "torch.compile of the update (needs a C compiler)")
    fused_update: bool = option(
        True,
        "training",
        "hand-derived gradients for fully connected networks on CPU, without consistency loss (equal, "
        "several times faster)",
    )
    weights_interval: float = option(0.25, "training", "seconds between two publications of new weights", 0.0)

    # --- replay ---
    replay_buffer_size: int = option(100_000, "replay", "steps kept, at most", 1)
    replay_window: float = option(
        1.0, "replay", "share of all steps so far that is kept, at least 3 learning_starts", 0.01, 1.0
    )
    replay_buffer_mb: int = option(
        512, "replay", "memory of the replay buffer in MiB; it may hold fewer steps", 1
    )
    PER: bool = option(True, "replay", "prioritised replay (else uniform)")
    PER_alpha: float = option(0.5, "replay", "exponent of the priorities", 0.0, 1.0)
    PER_beta: float = option(1.0, "replay", "exponent of the importance weights", 0.0, 1.0)
    ratio: float = option(
        0.5, "replay", "optimiser steps per step added to the replay buffer; 0: neither side waits", 0.0
    )
    learning_starts: int = option(1000, "replay", "steps in the replay buffer before the first update", 1)
    num_reanalyse_workers: int = option(0, "replay", "reanalysis actors", 0, 4096)
    reanalyse_policy: bool = option(
        False, "replay", "reanalysis searches again for policies (else values only)"
    )
    reanalyse_batch: int = option(512, "replay", "steps that are reanalysed in one go", 1)
    reanalyse_ratio: float = option(32.0, "replay", "reanalysed steps per optimiser step, at most", 0.0)
    target_update_interval: int = option(
        100, "replay", "optimiser steps between two copies of the weights to the target network", 1
    )

    # --- evaluation ---
    evaluation_interval: float = option(5.0, "evaluation", "seconds between two evaluations; 0: none", 0.0)
    evaluation_games: int = option(16, "evaluation", "greedy games of one evaluation", 1)
    evaluation_simulations: int = option(50, "evaluation", "simulations per move in evaluation", 1, 65535)
    target_reward: float | None = option(
        None, "evaluation", "training ends when the mean of target_games fresh greedy games reaches this"
    )
    target_games: int = option(100, "evaluation", "games of that mean", 1)
    video_interval: int = option(
        0,
        "evaluation",
        "updates between two films of a greedy game in TensorBoard, made after an evaluation; 0: none",
        0,
    )
    opponents: tuple[str, ...] = option(
        ("random",),
        "evaluation",
        "two players: whom to play against in evaluation (random, expert, minimax, minimax:DEPTH, "
        "mcts:SIMULATIONS, or a checkpoint's path); the first decides which weights are best",
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A subclass overrides defaults by plain class attributes; an unknown one is refused."""
        super().__init_subclass__(**kwargs)
        annotations = MuZeroConfig.__annotations__
        own = [n for n, v in vars(cls).items() if not n.startswith("_") and not callable(v)]
        for name in own:
            if name not in annotations:
                raise ConfigurationError(
                    f"{cls.__module__}: unknown option {name!r}{did_you_mean(name, list(annotations))}"
                )
            setattr(cls, name, coerce(_TYPES[name], getattr(cls, name), name))
        cls.__annotations__ = {name: annotations[name] for name in own}
        dataclass(frozen=True, kw_only=True)(cls)

    def __post_init__(self) -> None:
        for name, expected in _TYPES.items():
            value = coerce(expected, getattr(self, name), name)
            check_bounds(name, value)
            object.__setattr__(self, name, value)
        self._check_combinations()

    def _check_combinations(self) -> None:
        self._check_game()
        self._check_play()
        self._check_board()
        self._check_run()
        self._check_network()

    def _check_game(self) -> None:
        require(
            len(self.observation_shape) == 3 and min(self.observation_shape, default=0) > 0,
            "observation_shape",
            "must be three positive numbers (channels, height, width)",
        )
        require(
            self.action_space == tuple(range(len(self.action_space))) and len(self.action_space) > 0,
            "action_space",
            "must be 0, 1, ..., n-1",
        )

    def _check_play(self) -> None:
        SEARCHES.check(self.search)
        low, high = self.value_bounds
        require(low < high, "value_bounds", "must be (low, high) with low < high")
        require(
            bool(self.visit_softmax_temperature), "visit_softmax_temperature", "must be (until, value) pairs"
        )
        check_temperatures("visit_softmax_temperature", self.visit_softmax_temperature)
        check_temperatures("move_temperature", self.move_temperature)
        require(
            self.resign_value == -1 or self.players == 2,
            "resign_value",
            f"is for games of two players; with players={self.players} leave it at -1",
        )
        require(
            self.full_search_probability == 1 or self.fast_simulations < self.num_simulations,
            "fast_simulations",
            f"must be below num_simulations={self.num_simulations} with full_search_probability below 1",
        )

    def _check_run(self) -> None:
        require(
            not self.video_interval or self.evaluation_interval > 0,
            "video_interval",
            "needs evaluations: set evaluation_interval above 0",
        )
        require(
            self.batch_size % self.gradient_accumulation == 0,
            "gradient_accumulation",
            f"must divide batch_size={self.batch_size}",
        )
        require(
            re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device) is not None,
            "device",
            f"is {self.device!r} and must be auto, cpu, cuda or cuda:N",
        )
        require(
            self.learning_starts <= self.replay_buffer_size,
            "learning_starts",
            f"must not exceed replay_buffer_size={self.replay_buffer_size}",
        )
        require(
            self.longest_history <= self.replay_buffer_size,
            "replay_buffer_size",
            f"is {self.replay_buffer_size}, but a history may have {self.longest_history} steps; raise it or "
            "lower segment_length or td_steps",
        )

    def _check_network(self) -> None:
        require(
            self.inference != "numba" or self.network_kind.fast_inference,
            "inference",
            "numba evaluates fully connected networks only, or others with a fast_model; use auto or torch",
        )
        require(
            not self.consistency_loss_weight
            or self.batch_size // self.gradient_accumulation * self.num_unroll_steps > 1,
            "consistency_loss_weight",
            "needs more than one unrolled step in a batch",
        )
        layers = [self.fc_representation_layers, self.fc_dynamics_layers, self.fc_reward_layers]
        layers += [self.fc_value_layers, self.fc_policy_layers]
        require(all(size > 0 for sizes in layers for size in sizes), "fc_*_layers", "must be positive sizes")
        heads = [self.resnet_fc_reward_layers, self.resnet_fc_value_layers, self.resnet_fc_policy_layers]
        positive = all(size > 0 for sizes in heads for size in sizes)
        require(positive, "resnet_fc_*_layers", "must be positive sizes")
        self.network_kind.check(self)

    @property
    def search_kind(self) -> SearchKind:
        """What `search` names. Raises `ConfigurationError` when it names nothing."""
        return SEARCHES.find(self.search)

    @property
    def folders(self) -> list[str]:
        """Where other processes have to look for what is named by `MODULE:CLASS`."""
        return [*NETWORKS.folders(self.network), *SEARCHES.folders(self.search)]

    @property
    def network_kind(self) -> NetworkKind[MuZeroConfig]:
        """What `network` names. Raises `ConfigurationError` when it names nothing."""
        return NETWORKS.find(self.network)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of a latent state."""
        return self.network_kind.latent_shape(self)

    @property
    def latent_size(self) -> int:
        """Numbers in a latent state."""
        return math.prod(self.latent_shape)

    def _check_board(self) -> None:
        _, height, width = self.observation_shape
        cells, columns = self.actions_are_cells, self.actions_are_columns
        require(
            self.symmetry != "dihedral" or (height == width and cells),
            "symmetry",
            f"dihedral needs a square board and an action for each cell: the board is {height}x{width}, "
            f"the actions are {self.num_actions}; use mirror or none",
        )
        require(
            self.symmetry != "mirror" or cells or columns,
            "symmetry",
            f"mirror needs an action for each of the {width} columns or the {height * width} cells, not "
            f"{self.num_actions}; use none",
        )
        require(
            self.action_planes != "board" or ((cells or columns) and self.downsample == "none"),
            "action_planes",
            f"board needs downsample=none and an action for each of the {width} columns or the "
            f"{height * width} cells, not {self.num_actions}; use scalar",
        )

    @property
    def actions(self) -> ActionSpace:
        """What may be done in the game."""
        from core.actions import ActionSpace

        return ActionSpace(self.num_actions)

    @property
    def num_actions(self) -> int:
        """A, the size of the action space."""
        return len(self.action_space)

    @property
    def actions_are_cells(self) -> bool:
        """Whether there is an action for each cell of the board, row by row, before any others."""
        return self.num_actions >= math.prod(self.observation_shape[1:])

    @property
    def actions_are_columns(self) -> bool:
        """Whether there is an action for each column of the board, and no other."""
        return not self.actions_are_cells and self.num_actions == self.observation_shape[2]

    @property
    def explores(self) -> bool:
        """Whether self-play draws some moves at random, whatever the search found."""
        return self.random_opening_moves > 0 or self.random_move_probability > 0

    @property
    def stacked_channels(self) -> int:
        """Channels of a stacked observation: the current one, and one more plane for each earlier action."""
        return self.observation_shape[0] * (self.stacked_observations + 1) + self.stacked_observations

    @property
    def longest_history(self) -> int:
        """Steps of the longest history that self-play sends: own ones and look-ahead, or a whole game."""
        segment = min(self.segment_length, self.max_moves)
        return min(segment + self.td_steps + self.num_unroll_steps, self.max_moves)

    @property
    def support_reach(self) -> float:
        """The largest value or reward that the network can tell; larger ones are learned as this."""
        from core.supports import support_reach  # brings numpy, which `--help` does without

        return support_reach(self.support_size, self.support_transform)

    @property
    def full_support_size(self) -> int:
        """Atoms of the value and reward distributions, 2 * support_size + 1."""
        return 2 * self.support_size + 1

    def training_device(self, gpu: bool, finder: str) -> str:
        """The trainer's device, `auto` resolved by whether `finder` has found a GPU.

        Raises `ConfigurationError` when a GPU is asked for and there is none.
        """
        missing = self.device.startswith("cuda") and not gpu
        require(not missing, "device", f"asks for a GPU, but {finder} has found none")
        if self.device != "auto":
            return self.device
        return "cuda" if gpu else "cpu"

    def playing_device(self, training: str) -> str:
        """Device of self-play where training is on `training`: some kinds of network are worth a GPU's."""
        open_ = self.selfplay_on_gpu is None
        wanted = self.network_kind.plays_on_gpu if open_ else self.selfplay_on_gpu
        return training if wanted else "cpu"

    def temperature(self, training_step: int) -> float:
        """The visit-count temperature of self-play after `training_step` optimiser steps."""
        return schedule_value(self.visit_softmax_temperature, training_step / self.training_steps)

    def replace(self, **changes: Any) -> Self:
        """A validated copy with `changes`. Raises `ConfigurationError` on an unknown name or bad value."""
        values = renamed(changes, _DOCS)
        for name in values:
            if name not in _DOCS:
                raise ConfigurationError(f"unknown option {name!r}{did_you_mean(name, list(_DOCS))}")
        return dataclasses.replace(self, **values)

    def to_json(self) -> str:
        """All fields as a JSON object; `from_json` gives an equal configuration back."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The configuration that `to_json` wrote. Raises `ConfigurationError` on anything else."""
        return cls().replace(**parse_json_object(text, "configuration"))


def field_docs() -> dict[str, FieldDoc]:
    """Every field's documentation, in order of definition."""
    return {field.name: field.metadata["doc"] for field in dataclasses.fields(MuZeroConfig)}


def field_types() -> dict[str, Any]:
    """Every field's resolved type."""
    hints = typing.get_type_hints(MuZeroConfig)
    return {field.name: hints[field.name] for field in dataclasses.fields(MuZeroConfig)}


_DOCS = field_docs()
_TYPES = field_types()


def parse_option(name: str, text: str) -> Any:
    """The value of field `name` written as command-line text. Raises `ConfigurationError`."""
    return parse_value(_TYPES[name], text, name)


def check_bounds(name: str, value: Any) -> None:
    """Raises `ConfigurationError` when a number is outside its field's bounds."""
    doc = _DOCS[name]
    if isinstance(value, int | float) and not doc.low <= value <= doc.high:
        raise ConfigurationError(f"{name}={value} is out of range [{doc.low:g}, {doc.high:g}]")
