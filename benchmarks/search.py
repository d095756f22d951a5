"""Simulations per second of the search on one core, beside the network alone and beside mctx.

    python -m benchmarks.search --json --batches 1,16,64,256 --nets cart,mlp64,cartpole,residual

`limit_per_s` makes the very same calls of the network without a tree. mctx (`pip install mctx`) runs the
same network, weights and simulations, compiled by XLA, in its own process on the same core; all take
turns, root inference and root noise are included, and figures are medians. `outside_us` is the search's
time outside the network per simulation.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import subprocess
import sys
from typing import Any, Self

import numpy as np

from benchmarks.common import complain, medians_in_turns, numbers, report, run_on_one_core, seconds
from config import MuZeroConfig
from data import Evaluation, InferenceModel, IntArray, Weights
from games import cartpole
from networks.perceptrons import PerceptronSizes, linear_name, perceptron_sizes
from search.inference import make_model
from search.mcts import Search
from search.rules.rule import draw_noise

HIDDEN_64 = {f"fc_{part}_layers": (64,) for part in PerceptronSizes._fields if part != "representation"}
NETS: dict[str, MuZeroConfig] = {
    "cart": MuZeroConfig(num_simulations=50),
    "mlp64": MuZeroConfig(
        observation_shape=(1, 1, 9),
        action_space=tuple(range(9)),
        encoding_size=32,
        num_simulations=25,
        **HIDDEN_64,  # type: ignore[arg-type]
    ),
    "cartpole": cartpole.MuZeroConfig(),
    "residual": MuZeroConfig(
        network="resnet",
        observation_shape=(3, 6, 7),
        action_space=tuple(range(7)),
        blocks=3,
        channels=64,
        num_simulations=50,
    ),
}
ROUND_SECONDS = 0.1
"""About how long each side runs in each of its turns."""


def random_weights(config: MuZeroConfig) -> Weights:
    """Weights for `config`, the same in every process; random heads too, so that trees are not all alike."""
    generator = np.random.default_rng(0)
    if not config.network_kind.fast_inference:
        from models import get_weights, make_network

        weights = get_weights(make_network(config))
        heads = [name for name, array in weights.items() if not array.any() and array.ndim == 2]
        return weights | {
            name: generator.normal(0, 0.1, weights[name].shape).astype(np.float32) for name in heads
        }
    weights = {}
    for part, sizes in perceptron_sizes(config)._asdict().items():
        for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            layer, matrix = linear_name(part, index), generator.normal(0, inputs**-0.5, (outputs, inputs))
            weights[f"{layer}.weight"] = matrix.astype(np.float32)
            weights[f"{layer}.bias"] = generator.normal(0, 0.1, outputs).astype(np.float32)
    return weights


def random_observations(config: MuZeroConfig, batch: int) -> np.ndarray:
    """Root observations [B, C, H, W] float32, the same in every process."""
    _, height, width = config.observation_shape
    shape = (batch, config.stacked_channels, height, width)
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


class RecordingModel:
    """Passes calls on to `model` and notes them."""

    def __init__(self, model: InferenceModel) -> None:
        self.model = model
        self.calls: list[tuple[IntArray, IntArray, int]] = []

    def root(self, observations: np.ndarray, to_play: IntArray) -> Evaluation:
        """See `data.Model`."""
        return self.model.root(observations, to_play)

    def recurrent(self, parents: IntArray, actions: IntArray, node: int) -> Evaluation:
        """See `data.Model`."""
        self.calls.append((parents.copy(), actions.copy(), node))
        return self.model.recurrent(parents, actions, node)


class OwnSearch:
    """This project's search of one net and batch, and its network alone."""

    def __init__(self, config: MuZeroConfig, batch: int) -> None:
        self.config = config
        self.batch = batch
        self.model = make_model(config, batch, config.num_simulations)
        self.model.load(random_weights(config))
        self.tree = Search(config, batch)
        self.observations = random_observations(config, batch)
        self.to_play = np.zeros(batch, np.int32)
        self.legal = np.ones((batch, config.num_actions), np.bool_)
        self.generator = np.random.default_rng(2)
        recorder = RecordingModel(self.model)
        self.search(recorder)
        self.calls = recorder.calls
        self.moves = 1 + int(ROUND_SECONDS / seconds(self.search))

    def search(self, model: RecordingModel | None = None) -> None:
        """One move of all rows."""
        noise = draw_noise(self.generator, self.legal, self.config)
        self.tree.run(
            model or self.model, self.observations, self.to_play, self.legal, noise, temperature=1.0
        )

    def network(self) -> None:
        """The calls of the network of one move."""
        self.model.root(self.observations, self.to_play)
        for parents, actions, node in self.calls:
            self.model.recurrent(parents, actions, node)

    def searching(self) -> float:
        """Seconds per move of the search."""
        return seconds(self.search, self.moves)

    def limit(self) -> float:
        """Seconds per move of the network alone."""
        return seconds(self.network, self.moves)


class MctxProcess:
    """mctx in a process of its own, which measures when it is asked."""

    def __init__(self, net: str, batch: int) -> None:
        command = [sys.executable, "-m", "benchmarks.mctx_peer", net, str(batch), str(ROUND_SECONDS)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.searching()  # waits until it has compiled

    def searching(self) -> float:
        """Seconds per move."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


def measure(net: str, batch: int, repeats: int, with_mctx: bool) -> dict[str, Any]:
    """The result line of one net and batch."""
    config = NETS[net]
    own = OwnSearch(config, batch)
    if with_mctx and config.network_kind.fast_inference:
        with MctxProcess(net, batch) as peer:
            times = medians_in_turns([own.searching, own.limit, peer.searching], repeats)
    else:
        times = medians_in_turns([own.searching, own.limit], repeats)
    simulations = batch * config.num_simulations
    rates = [round(simulations / time) for time in times]
    return {
        "name": "search",
        "net": net,
        "batch": batch,
        "simulations": config.num_simulations,
        "sims_per_s": rates[0],
        "limit_per_s": rates[1],
        "peer": "mctx" if len(rates) == 3 else None,
        "peer_sims_per_s": rates[2] if len(rates) == 3 else None,
        "outside_us": round((times[0] - times[1]) / simulations * 1e6, 3),
        "path": own.model.name,
    }


def main() -> None:
    run_on_one_core("benchmarks.search")
    parser = argparse.ArgumentParser(description="simulations per second of the search on one core")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--batches", type=numbers, default=[1, 16, 32, 64, 256], help="batch sizes")
    parser.add_argument("--nets", default=",".join(NETS), help="of " + ", ".join(NETS))
    parser.add_argument("--repeats", type=int, default=9, help="rounds of which the median is taken")
    arguments = parser.parse_args()
    nets = arguments.nets.split(",")
    if unknown := set(nets) - set(NETS):
        parser.error(f"unknown nets {', '.join(sorted(unknown))}; there are {', '.join(NETS)}")
    with_mctx = importlib.util.find_spec("mctx") is not None
    if not with_mctx:
        complain(["mctx is not installed, so there is nothing to compare with: pip install mctx"])
    for net in nets:
        for batch in arguments.batches:
            report(measure(net, batch, arguments.repeats, with_mctx), arguments.json)


if __name__ == "__main__":
    main()
