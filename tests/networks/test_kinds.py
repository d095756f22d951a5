"""Kinds of networks that the project does not know, defined here: found by name, trained, searched, saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.train import random_batch
from config import MuZeroConfig, field_docs
from core.errors import ConfigurationError
from core.network_kinds import NETWORKS, NetworkKind
from data import Batch, Gradients, InferenceModel, LossStatistics, SearchResult
from learning.gradient_path import TrainingError
from learning.gradients import AutogradGradients
from models import LatentStore, MuZeroNetwork, make_network, mlp
from networks.fast_inference import FullyConnectedModel
from networks.fused_update import FusedUpdate
from runs.facade import MuZero
from runs.machine import parameters_of
from saving.checkpoint import load_checkpoint
from search.inference import make_model
from search.mcts import Search
from search.rules.rule import draw_noise
from search.torch_inference import TorchModel
from showing.agent import Agent
from tests.helpers.small_runs import SMALL
from trainer import Trainer

# --- a kind from outside: all that it takes ---


@dataclass(frozen=True)
class Gated(NetworkKind[MuZeroConfig]):
    """The dynamics is a gated recurrent unit whose hidden state is the latent."""

    width: int = 8

    title = "gated"

    def make(self, config: MuZeroConfig) -> MuZeroNetwork:
        return GatedNetwork(config, self.width)

    def latent_shape(self, config: MuZeroConfig) -> tuple[int, ...]:
        return (self.width,)


class GatedNetwork(MuZeroNetwork):
    def __init__(self, config: MuZeroConfig, width: int) -> None:
        inputs = config.stacked_channels * config.observation_shape[1] * config.observation_shape[2]
        see = nn.Sequential(nn.Flatten(), nn.Linear(inputs, width), nn.Tanh())
        dynamics = nn.GRUCell(config.num_actions, width)
        super().__init__(config, see, dynamics, lambda _, outputs: mlp([width, outputs]), scaled=False)

    def transition(self, latent: Tensor, actions: Tensor) -> Tensor:
        taken = functional.one_hot(actions.long(), self.num_actions).to(latent.dtype)
        return cast(Tensor, self.dynamics(taken, latent))


GATED = f"{__name__}:Gated"


def config_of(network: str, **changes: Any) -> MuZeroConfig:
    sizes = {"observation_shape": (2, 2, 3), "action_space": (0, 1, 2), "num_simulations": 12, "seed": 3}
    return MuZeroConfig(**{**sizes, "network": network, "num_unroll_steps": 3, **changes})


def searched(config: MuZeroConfig, model: InferenceModel, rows: int = 4) -> SearchResult:
    """What a search over random observations finds."""
    generator = np.random.default_rng(5)
    _, height, width = config.observation_shape
    observations = generator.normal(size=(rows, config.stacked_channels, height, width)).astype(np.float32)
    legal = np.ones((rows, config.num_actions), np.bool_)
    noise = draw_noise(generator, legal, config)
    search = Search(config, rows)
    return search.run(model, observations, np.zeros(rows, np.int32), legal, noise, temperature=1.0)


@pytest.mark.parametrize("search", ["puct", "gumbel"])
def test_a_kind_from_outside_learns_and_is_searched(search: str) -> None:
    config = config_of(f"{GATED}(width=11)", search=search, lr_init=0.02, weight_decay=0.0)
    trainer = Trainer(config, "cpu")
    batch = random_batch(config, 32, np.random.default_rng(1))
    losses = [trainer.train([batch]).metrics.loss for _ in range(40)]
    assert losses[-1] < 0.9 * losses[0]

    model = make_model(config, 4, config.num_simulations)
    assert model.name == "torch (cpu)"
    model.load(trainer.weights())
    found = searched(config, model)
    assert (found.visit_counts.sum(1) == config.num_simulations).all()
    assert config.latent_size == 11
    with torch.no_grad():
        observations = np.random.default_rng(5).normal(size=(4, 2, 2, 3)).astype(np.float32)
        network = trainer.network.eval()
        values = network.decode(network.initial_inference(torch.from_numpy(observations)).value_logits)
    np.testing.assert_allclose(model.evaluate(observations), values, atol=1e-5)


def test_a_run_with_it_is_saved_resumed_and_played_with(tmp_path: Path) -> None:
    options = SMALL | {"network": f"{GATED}(width=6)", "results_path": str(tmp_path), "training_steps": 12}
    outcome = MuZero("cartpole", options).train(local=True)
    checkpoint = load_checkpoint(outcome.folder)
    assert MuZeroConfig.from_json(checkpoint.config_json).network == options["network"]
    again = MuZero.resume(outcome.folder, {"training_steps": 20}, local=True)
    assert load_checkpoint(again.folder).training_step == 20
    agent = Agent.load(outcome.folder)
    assert agent.act(np.zeros((1, 1, 4), np.float32), simulations=4) in (0, 1)


def test_its_size_is_counted_where_it_does_not_say_it() -> None:
    made = make_network(config_of(GATED))
    assert parameters_of(config_of(GATED)) == sum(parameter.numel() for parameter in made.parameters())
    assert parameters_of(config_of(f"{GATED}(width=80)")) > parameters_of(config_of(GATED))


# --- what a kind may have beyond others ---


class Quick(Gated):
    """Has a fast model and gradients of its own, both of which can be told from others."""

    title = "quick"
    options = ("fused_update",)
    fast_inference = True
    own_gradients = True
    plays_on_gpu = True

    def fast_model(self, config: MuZeroConfig, batch: int, simulations: int) -> InferenceModel:
        model = TorchModel(config, batch, simulations)
        model.name = "quick"
        return model

    def gradients(
        self,
        config: MuZeroConfig,
        parameters: Mapping[str, NDArray[np.float32]],
        gradients: Mapping[str, NDArray[np.float32]],
    ) -> Gradients:
        assert set(parameters) == set(gradients) == set(dict(make_network(config).named_parameters()))

        def ones(batch: Batch, scale: float) -> LossStatistics:
            for array in gradients.values():
                array[...] = 1
            return LossStatistics((1.0, 2.0, 3.0), 0.0, 0.0, np.zeros(len(batch.actions), np.float32))

        return ones


QUICK = f"{__name__}:Quick"


def test_gradients_of_its_own_are_used_where_they_may_be() -> None:
    config = config_of(QUICK, optimizer="SGD", momentum=0.0, weight_decay=0.0, lr_init=0.1, max_grad_norm=0.0)
    batch = random_batch(config, 4, np.random.default_rng(0))
    trainer = Trainer(config, "cpu")
    before = trainer.weights()
    assert [term.loss for term in trainer.train([batch]).metrics.terms] == [1.0, 2.0, 3.0]
    for name, array in trainer.weights().items():
        np.testing.assert_allclose(array, before[name] - 0.1, atol=1e-6)
    for off in ({"fused_update": False}, {"consistency_loss_weight": 0.5}):
        other = Trainer(config.replace(**off), "cpu")
        assert isinstance(other._gradients, AutogradGradients)


def test_a_fast_model_is_used_on_the_cpu_only() -> None:
    config = config_of(QUICK)
    assert make_model(config, 2, 3).name == "quick"
    assert make_model(config.replace(inference="numba"), 2, 3).name == "quick"
    assert make_model(config.replace(inference="torch"), 2, 3).name == "torch (cpu)"
    with pytest.raises(ConfigurationError, match="inference numba evaluates"):
        config_of(GATED, inference="numba")


def test_self_play_uses_the_gpu_where_the_kind_is_worth_it() -> None:
    assert [config_of(name).playing_device("cuda") for name in (QUICK, GATED)] == ["cuda", "cpu"]


class Mistaken(Gated):
    """Says another shape than its network's."""

    def latent_shape(self, config: MuZeroConfig) -> tuple[int, ...]:
        return self.width, 1


class Nothing(Gated):
    """Makes something else."""

    def make(self, config: MuZeroConfig) -> MuZeroNetwork:
        return cast(MuZeroNetwork, nn.Linear(1, 1))


def test_what_a_kind_gets_wrong_is_said() -> None:
    with pytest.raises(TrainingError, match=r"shape \[8\], where its kind says \[8, 1\]"):
        Trainer(config_of(f"{__name__}:Mistaken"), "cpu")
    with pytest.raises(ConfigurationError, match=r"network .*:Nothing makes no MuZeroNetwork"):
        make_network(config_of(f"{__name__}:Nothing"))


# --- a network with history ---

HISTORY = 3


class Remembering(NetworkKind[MuZeroConfig]):
    """Sees the latents of the last positions on the way from the root: [H, D], the newest first."""

    title = "remembering"
    own_store = False

    def make(self, config: MuZeroConfig) -> MuZeroNetwork:
        return RememberingNetwork(config, self.own_store)

    def latent_shape(self, config: MuZeroConfig) -> tuple[int, ...]:
        return HISTORY, config.encoding_size


class RememberingOnce(Remembering):
    """The same, whose search keeps each position's latent once."""

    own_store = True


class RememberingNetwork(MuZeroNetwork):
    def __init__(self, config: MuZeroConfig, own_store: bool) -> None:
        width, inputs = config.encoding_size, config.stacked_channels * config.observation_shape[1] * 3
        see = nn.Sequential(nn.Flatten(), nn.Linear(inputs, width), nn.Tanh())
        dynamics = nn.Sequential(nn.Linear(HISTORY * width + config.num_actions, width), nn.Tanh())
        super().__init__(
            config,
            see,
            dynamics,
            lambda _, outputs: nn.Sequential(nn.Flatten(), nn.Linear(HISTORY * width, outputs)),
            scaled=False,
        )
        self.own_store = own_store

    def represent(self, observations: Tensor) -> Tensor:
        newest = cast(Tensor, self.representation(observations))
        return functional.pad(newest[:, None], (0, 0, 0, HISTORY - 1))

    def transition(self, latent: Tensor, actions: Tensor) -> Tensor:
        taken = functional.one_hot(actions.long(), self.num_actions).to(latent.dtype)
        newest = cast(Tensor, self.dynamics(torch.cat([latent.flatten(1), taken], 1)))
        return torch.cat([newest[:, None], latent[:, :-1]], 1)

    def make_store(self, nodes: int, rows: int, example: Tensor) -> LatentStore:
        return PathStore(nodes, rows, example) if self.own_store else super().make_store(nodes, rows, example)


class PathStore(LatentStore):
    """Keeps the newest latent of each node and its parent, and gathers a history along the parents."""

    def __init__(self, nodes: int, rows: int, example: Tensor) -> None:
        super().__init__(nodes + 1, rows, example[:, 0])  # node -1, the last, is before the root: zeros
        self._parents = torch.full((nodes + 1, rows), -1)
        self._gathered = self._parents[0]

    def put(self, node: int, latents: Tensor) -> None:
        super().put(node, latents[:, 0])
        self._parents[node, : len(latents)] = self._gathered[: len(latents)] if node else -1

    def gather(self, parents: Tensor) -> Tensor:
        self._gathered, path = parents, [parents]
        for _ in range(HISTORY - 1):
            path.append(self._parents[path[-1], torch.arange(len(parents))])
        nodes = len(self._latents)
        return torch.stack([super(PathStore, self).gather(node % nodes) for node in path], 1)


def test_a_network_with_history_has_a_store_of_its_own() -> None:
    """What a store keeps once for each node is what the plain one keeps for each node and its history."""
    results = []
    for kind, store in (("Remembering", LatentStore), ("RememberingOnce", PathStore)):
        config = config_of(f"{__name__}:{kind}", num_simulations=30, encoding_size=5)
        trainer = Trainer(config.replace(lr_init=0.05), "cpu")
        trainer.train([random_batch(config, 16, np.random.default_rng(2)) for _ in range(5)])
        model = TorchModel(config, 4, config.num_simulations)
        assert type(model._store) is store
        model.load(trainer.weights())
        results.append(searched(config, model))
    assert results[0].depth.max() > HISTORY + 1
    for plain, own in zip(*results, strict=True):
        np.testing.assert_array_equal(plain, own)


# --- the project's own kinds ---


@pytest.fixture
def fields_read(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Which attributes of any configuration have been read."""
    read: set[str] = set()
    plain = object.__getattribute__

    def noticed(config: MuZeroConfig, name: str) -> Any:
        read.add(name)
        return plain(config, name)

    monkeypatch.setattr(MuZeroConfig, "__getattribute__", noticed)
    return read


@pytest.mark.parametrize("name", NETWORKS.names)
def test_a_kind_names_the_options_that_it_reads(name: str, fields_read: set[str]) -> None:
    config = config_of(name, num_simulations=3)
    fields_read.clear()
    trainer = Trainer(config, "cpu")
    trainer.train([random_batch(config, 2, np.random.default_rng(0))])
    model = make_model(config, 2, config.num_simulations)
    model.load(trainer.weights())
    searched(config, model, rows=2)
    seen = set(fields_read)
    options = {option for each in NETWORKS.names for option in NETWORKS.find(each).options}
    assert seen & options == set(NETWORKS.find(name).options)


@pytest.mark.parametrize(("word", "name"), [("fully connected", "fullyconnected"), ("resnet", "resnet")])
def test_options_say_whose_they_are(word: str, name: str) -> None:
    said = {option for option, doc in field_docs().items() if doc.doc.startswith(f"{word}:")}
    assert said
    assert said <= set(NETWORKS.find(name).options)


def test_what_each_can_do() -> None:
    able = {name: NETWORKS.find(name) for name in NETWORKS.names}
    assert [name for name, kind in able.items() if kind.fast_inference] == ["fullyconnected"]
    assert [name for name, kind in able.items() if kind.own_gradients] == ["fullyconnected"]
    assert [name for name, kind in able.items() if kind.image_input] == ["resnet"]
    config = config_of("fullyconnected")
    assert isinstance(make_model(config, 1, 1), FullyConnectedModel)
    assert isinstance(Trainer(config, "cpu")._gradients, FusedUpdate)


def test_latent_states_have_the_shape_that_is_said() -> None:
    assert config_of("fullyconnected", encoding_size=5).latent_shape == (5,)
    image = config_of("resnet", observation_shape=(3, 33, 96), downsample="CNN", channels=7)
    assert (image.latent_shape, image.latent_size) == ((7, 3, 6), 126)
    Trainer(image, "cpu")  # refuses another
