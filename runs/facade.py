"""Training, resuming and evaluating from Python: the `MuZero` class.

Everything heavy is imported when it is needed: the command line must answer at once.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from config import MuZeroConfig, field_docs
from core.errors import ConfigurationError, require
from core.options import renamed
from games.api.sources import OWN_GAMES, AnyGame, GameFolder, game_of
from games.api.spec import GameSpec, check_facts, check_learnable

if TYPE_CHECKING:
    from arena.players import AnyPlayer
    from data import Counters, EvaluationResult
    from runs.callbacks import Callback, Callbacks
    from runs.driver import Role
    from runs.session import TrainingOutcome
    from runs.status import Observer
    from saving.appending import AppendedFile, Troubles
    from saving.checkpoint import Checkpoint

AnyPath = str | PathLike[str]
PRESENT = -1
"""`lr_decay_start` for the optimiser step with which a run goes on."""
RESUMABLE_GROUPS = ("run", "evaluation")
RESUMABLE_EXCEPTIONS = ("seed", "num_workers", "games_per_worker")
RESUMABLE_FIELDS = (
    *("lr_init", "lr_decay_rate", "lr_decay_steps", "lr_decay_start", "value_loss_weight"),
    *("reward_loss_weight", "consistency_loss_weight", "ratio", "random_opening_moves"),
    *("random_move_probability", "move_temperature", "visit_softmax_temperature"),
    *("full_search_probability", "fast_simulations", "root_dirichlet_alpha", "root_exploration_fraction"),
)


class MuZero:
    """Training, resuming and evaluating from Python.

    `MuZero("cartpole", {"lr_init": 0.01}).train().agent`; paths may be text. `game` is a name, the path of a
    game's file, a class with the game API, or what makes a Gymnasium environment when it is called. Raises
    `ConfigurationError` on whatever cannot be run.
    """

    def __init__(self, game: AnyGame, options: dict[str, Any] | None = None) -> None:
        spec = game_of(game)
        self.game, self._given = spec.name, dict(options or {})
        self._usual, self.config = spec.config, spec.config.replace(**self._given)
        check_facts(spec, self.config)
        self.spec = spec if spec.says_facts else dataclasses.replace(spec, config=self.config)

    def train(
        self,
        *,
        local: bool = False,
        address: str | None = None,
        games_from: AnyPath | None = None,
        weights_from: AnyPath | None = None,
        callbacks: Sequence[Callback] = (),
        roles: Sequence[Role[Any]] | None = None,
        say_idle: bool = True,
    ) -> TrainingOutcome:
        """Trains in a new run folder until the target is reached, the steps are done, Ctrl-C, or one of the
        `callbacks` (`runs/callbacks.py`) says that it is to end.

        With `games_from`, a run's folder, it begins with the games in that run's replay buffer; with
        `weights_from`, a checkpoint of this or another game, with what of its weights fits. `roles` are the
        kinds of actors, if others than the usual ones (`runs/actors/table.py:ROLES`). Options that change
        nothing are named, if `say_idle`. Raises `CallbackError`, once the run is saved, when a callback
        raises something.
        """
        from runs.beginning import beginning
        from runs.callbacks import Callbacks
        from saving.run_folder import discarded_if_empty, new_run_folder

        _check_start(self.spec, self.config, local, address, roles)
        start: Checkpoint | None = None
        notes: tuple[str, ...] = ()
        if games_from is not None or weights_from is not None:
            start, notes = beginning(self.game, self.config, _path(games_from), _path(weights_from))
        if say_idle:
            notes += _idle(self.config, self._given, self._usual, local)
        told = Callbacks(callbacks)
        folder = new_run_folder(Path(self.config.results_path), self.game)
        with discarded_if_empty(folder), _held(folder) as log:
            sitting = Sitting(folder, log, start, notes)
            outcome = _train(
                self.spec, self.config, sitting, local=local, address=address, told=told, roles=roles
            )
        told.raise_what_was_raised()
        return outcome

    @staticmethod
    def resume(
        run: AnyPath,
        options: dict[str, Any] | None = None,
        *,
        local: bool = False,
        address: str | None = None,
        game: AnyGame | None = None,
        callbacks: Sequence[Callback] = (),
        games: GameFolder = OWN_GAMES,
        roles: Sequence[Role[Any]] | None = None,
        say_idle: bool = True,
    ) -> TrainingOutcome:
        """Goes on with the newest generation of the run folder `run`, or with the generation `run`.

        The game is the one that the run was begun with; a class of a program's has to be given again. For
        `callbacks`, `roles` and `say_idle` see `train`.
        """
        from runs.callbacks import Callbacks
        from saving.checkpoint import load_checkpoint, remove_unfinished

        run = Path(run)
        folder = _folder_to_resume(run)
        told, said = Callbacks(callbacks), list[str]()
        with _held(folder) as log:
            checkpoint = load_checkpoint(run, say=said.append)
            remove_unfinished(folder)
            spec, config, checkpoint = _gone_on_with(run, checkpoint, options or {}, game, games)
            _check_start(spec, config, local, address, roles)
            notes = (*said, *_changed(spec, checkpoint))
            if say_idle:
                usual = MuZeroConfig.from_json(checkpoint.config_json)
                notes += _idle(config, options or {}, usual, local)
            sitting = Sitting(folder, log, checkpoint, notes)
            outcome = _train(spec, config, sitting, local=local, address=address, told=told, roles=roles)
        told.raise_what_was_raised()
        return outcome

    @staticmethod
    def evaluate(
        game: AnyGame,
        checkpoint: AnyPath,
        games: int = 100,
        seed: int = 0,
        simulations: int | None = None,
        opponent: AnyPlayer | Sequence[AnyPlayer] | None = None,
    ) -> EvaluationResult:
        """Plays greedy games with a checkpoint's weights, in a game for more against `opponent`.

        `checkpoint` is a file or a run's folder, of which it is the best. An opponent is named as on the
        command line, or is a player as a value; several have one of the other seats each.
        """
        from arena.duel import Duel, play, total
        from arena.players import checkpoint_player, player_specs
        from saving.run_folder import best_of

        require(games >= 1, f"games={games}", "must be at least 1")
        require(simulations is None or simulations >= 0, f"simulations={simulations}", "must be at least 0")
        player = checkpoint_player(best_of(Path(checkpoint)), simulations)
        duel = Duel(game_of(game), player, player_specs(opponent), seed)
        return total(list(play(duel, games)))


def _folder_to_resume(run: Path) -> Path:
    """The folder of a run, with its own checkpoints. Raises `CheckpointError` if there is none at `run`."""
    from saving.checkpoint import load_checkpoint
    from saving.files import CheckpointError
    from saving.run_folder import GENERATIONS, run_folder_of

    folder = run_folder_of(run)
    if (folder / GENERATIONS).is_symlink():
        raise CheckpointError(
            f"{folder / GENERATIONS} is a symbolic link, which is not written through: put the folder itself "
            "there"
        )
    if not (folder / GENERATIONS).is_dir():
        load_checkpoint(run)
        raise CheckpointError(f"{run} holds weights only and cannot be resumed: give the run's folder")
    return folder


class GoneOnWith(NamedTuple):
    """What a run is resumed with."""

    spec: GameSpec
    config: MuZeroConfig
    checkpoint: Checkpoint


def _gone_on_with(
    run: Path, checkpoint: Checkpoint, options: dict[str, Any], game: AnyGame | None, games: GameFolder
) -> GoneOnWith:
    """The game, and the configuration with other `options`. Raises `ConfigurationError` if that cannot be."""
    from saving.files import CheckpointError

    if not checkpoint.parts:
        raise CheckpointError(f"{run} holds weights only and cannot be resumed: give the run's folder")
    earlier = checkpoint.config
    changes = renamed(options, field_docs())
    if changes.get("lr_decay_start") == PRESENT:
        changes["lr_decay_start"] = checkpoint.training_step
    # where a run was made, its files say; where it is now and may write, they do not
    here = {"results_path": MuZeroConfig().results_path}
    config = earlier.replace(**here | _resumable(changes))
    if bool(config.consistency_loss_weight) != bool(earlier.consistency_loss_weight):
        raise ConfigurationError(
            "consistency_loss_weight cannot be switched on or off when a run is resumed: train a new run"
        )
    if config.ratio != earlier.ratio:
        checkpoint = checkpoint.with_ratio_from_here()
    spec = games.load(checkpoint.game_text) if game is None else game_of(game)
    if spec.name != checkpoint.game:
        raise ConfigurationError(f"{run} is a run of {checkpoint.game!r}, not of {spec.name!r}")
    check_facts(spec, config)
    return GoneOnWith(spec, config, checkpoint)


def _check_start(
    game: GameSpec,
    config: MuZeroConfig,
    local: bool,
    address: str | None,
    roles: Sequence[Role[Any]] | None,
) -> None:
    """Raises `ConfigurationError` unless the run can be started, and all of its opponents can play."""
    from arena.players import check_opponents
    from games.api.objects import recipe_of
    from runs.launch import check_launch

    check_learnable(config)
    check_launch(config, local, address, roles)
    check_opponents(game, config)
    if not local:
        recipe_of(game)  # a class that cannot be sent to other processes is refused here


def _changed(game: GameSpec, checkpoint: Checkpoint) -> tuple[str, ...]:
    """What there is to say of a game's file that is another one than the run was made with."""
    if game.digest == checkpoint.game_digest or not checkpoint.game_digest:
        return ()
    return (f"warning: {game.text} has been changed since the run's checkpoint was written",)


def resumable(name: str) -> bool:
    """Whether a training that is resumed may go on with another value of field `name`."""
    inside = field_docs()[name].group in RESUMABLE_GROUPS and name not in RESUMABLE_EXCEPTIONS
    return inside or name in RESUMABLE_FIELDS


def _resumable(options: dict[str, Any]) -> dict[str, Any]:
    """`options` themselves. Raises `ConfigurationError` on one that a running training cannot change."""
    for name in options:
        if name in field_docs() and not resumable(name):
            raise ConfigurationError(
                f"{name} cannot be changed when a run is resumed: train a new run with it"
            )
    return options


def _path(path: AnyPath | None) -> Path | None:
    return None if path is None else Path(path)


def _idle(config: MuZeroConfig, given: dict[str, Any], usual: MuZeroConfig, local: bool) -> tuple[str, ...]:
    """What there is to say of the options `given` that are not as `usual` and change nothing."""
    from runs.without_effect import without_effect

    names = renamed(given, field_docs())
    other = [name for name in names if getattr(config, name) != getattr(usual, name)]
    return tuple(f"note: {line}" for line in without_effect(config, other, local=local))


class Sitting(NamedTuple):
    """A run's folder, what the run goes on from, and what there is to say of that."""

    folder: Path
    log: RunLogFile
    resumed: Checkpoint | None
    notes: tuple[str, ...] = ()


class RunLogFile(NamedTuple):
    """A run's log while this process trains in its folder."""

    file: AppendedFile
    troubles: Troubles  # of all files that the run appends to
    note: str | None  # where the folder cannot be locked


def _train(
    game: GameSpec,
    config: MuZeroConfig,
    sitting: Sitting,
    *,
    local: bool,
    address: str | None,
    told: Callbacks,
    roles: Sequence[Role[Any]] | None,
) -> TrainingOutcome:
    from runs import provenance
    from runs.launch import train
    from runs.machine import fitted_here
    from runs.reports.catalogue import room_note
    from runs.reports.panel import Observers
    from saving.files import write_whole
    from saving.run_folder import RUN_CONFIG

    folder, log, resumed, before = sitting
    config, notes = fitted_here(config, local=local, address=address)
    try:
        write_whole(folder / RUN_CONFIG, (config.to_json() + "\n").encode())
        provenance.note(folder, provenance.here(before))
        counters = None if resumed is None else resumed.counters
        observer = _observer(f"MuZero: {game.name}, {folder}", config, folder, log, counters)
    except OSError as error:
        raise _unwritable(folder, error) from None
    try:
        observer.event(f"run folder: {folder}")
        room = room_note(Path(config.results_path))
        for note in filter(None, (log.note, *game.notes, *before, *notes, room)):
            observer.event(note)
        return train(
            game,
            config,
            folder,
            local=local,
            address=address,
            resume_from=resumed,
            observer=Observers([observer, told]),
            stopped=lambda: told.stopped,
            roles=roles,
        )
    finally:
        observer.close()


@contextmanager
def _held(folder: Path) -> Iterator[RunLogFile]:
    """A run's log, to be written on; meanwhile nobody else trains in its `folder`."""
    from core.output import say_on_stderr
    from saving.appending import AppendedFile, Troubles
    from saving.run_folder import LOG_NAME, hold

    troubles = Troubles(say_on_stderr)
    try:
        file = AppendedFile(folder / LOG_NAME, troubles)
    except OSError as error:
        raise _unwritable(folder, error) from None
    with closing(file):
        yield RunLogFile(file, troubles, hold(file, folder))


def _unwritable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(f"cannot write to {folder}: {error.strerror or error}")


def _observer(
    title: str, config: MuZeroConfig, folder: Path, log: RunLogFile, resumed: Counters | None
) -> Observer:
    """The panel or the lines, the log file and whatever keeps the figures, which go on from `resumed`."""
    from runs.reports.metrics_log import MetricsLog
    from runs.reports.panel import Lines, LogFile, Observers, Panel
    from runs.reports.tensorboard_log import TensorBoardLog

    interval = config.log_interval
    shown = Panel(title) if sys.stdout.isatty() else Lines(sys.stdout, interval)
    observers: list[Observer] = [shown, LogFile(log.file, interval)]
    log.troubles.say = Observers(observers).event
    observers += [
        TensorBoardLog(folder, config, resumed=resumed, troubles=log.troubles),
        MetricsLog(folder, interval, resumed, troubles=log.troubles),
    ]
    if config.wandb:
        from runs.reports.wandb_log import WandbLog

        observers.append(WandbLog(folder, config))
    return Observers(observers)
