"""The configuration: what is accepted, what is refused and with which line, and the round trip."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from typing import Any, Literal, cast, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import config
from config import MuZeroConfig, field_docs, field_types, parse_option
from core.errors import ConfigurationError, nearest
from core.network_kinds import NETWORKS
from core.options import parse_json_object, type_name
from core.temperatures import schedule_value

QUICK = settings(max_examples=100, deadline=None, derandomize=True)
NAMES = list(field_docs())
BOUNDED = [n for n, d in field_docs().items() if math.isfinite(d.low) or math.isfinite(d.high)]


def test_every_field_is_documented_and_grouped_together() -> None:
    assert [field.name for field in dataclasses.fields(MuZeroConfig)] == NAMES
    assert all(len(doc.doc) > 5 for doc in field_docs().values())
    groups = [doc.group for doc in field_docs().values()]
    changes = sum(a != b for a, b in itertools.pairwise(groups))
    assert changes == len(set(groups)) - 1


def test_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        MuZeroConfig().seed = 1  # type: ignore[misc]


def values(name: str) -> st.SearchStrategy[Any]:
    """Values of field `name` that are valid on their own."""
    expected, doc = field_types()[name], field_docs()[name]
    if name == "network":
        return st.sampled_from([*NETWORKS.names, "tests.networks.test_kinds:Gated(width=3)"])
    if get_origin(expected) is Literal:
        return st.sampled_from(get_args(expected))
    if expected is bool:
        return st.booleans()
    if expected is int:
        return st.integers(max(int(doc.low), -9999), int(min(doc.high, 9999)))
    if expected is float:
        return st.floats(max(doc.low, -1e9), min(doc.high, 1e9), allow_nan=False)
    return st.just(getattr(MuZeroConfig(), name))


@QUICK
@given(data=st.data())
def test_json_round_trip(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(NAMES), max_size=8, unique=True))
    changes = {name: data.draw(values(name), label=name) for name in names}
    try:
        changed = MuZeroConfig().replace(**changes)
    except ConfigurationError:  # a combination that cannot work
        return
    assert MuZeroConfig.from_json(changed.to_json()) == changed
    assert json.loads(changed.to_json()).keys() == set(NAMES)


@QUICK
@given(data=st.data())
def test_options_read_what_json_writes(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    value = data.draw(values(name))
    text = value if isinstance(value, str) else json.dumps(value)
    assert parse_option(name, text) == value


@pytest.mark.parametrize("name", BOUNDED)
def test_out_of_range_is_refused(name: str) -> None:
    doc = field_docs()[name]
    for bound, step in ((doc.low, -1), (doc.high, 1)):
        if math.isfinite(bound):
            value = field_types()[name](bound + step)
            with pytest.raises(ConfigurationError, match=f"{name}=.* out of range"):
                MuZeroConfig().replace(**{name: value})


@pytest.mark.parametrize("value", [float("nan"), None, "text", [], {}, True])
@pytest.mark.parametrize("name", ["lr_init", "batch_size", "observation_shape", "visit_softmax_temperature"])
def test_wrong_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=name):
        MuZeroConfig().replace(**{name: value})


def test_integers_are_floats_but_not_the_reverse() -> None:
    changed = MuZeroConfig(lr_init=1, target_reward=475)
    assert (type(changed.lr_init), type(changed.target_reward)) == (float, float)
    with pytest.raises(ConfigurationError, match=r"batch_size=1\.0 must be int"):
        MuZeroConfig(batch_size=1.0)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="PER=1 must be bool"):
        MuZeroConfig(PER=1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"observation_shape": (4,)}, "observation_shape must be three positive numbers"),
        ({"observation_shape": (1, 0, 4)}, "observation_shape must be three positive numbers"),
        ({"action_space": (1, 2)}, "action_space must be 0, 1"),
        ({"action_space": ()}, "action_space must be 0, 1"),
        ({"value_bounds": (1.0, -1.0)}, "value_bounds must be"),
        ({"visit_softmax_temperature": ()}, "visit_softmax_temperature must be"),
        ({"visit_softmax_temperature": ((0.5, 1.0), (0.2, 1.0))}, "visit_softmax_temperature must be"),
        ({"visit_softmax_temperature": ((0.5, -1.0),)}, "visit_softmax_temperature must be"),
        ({"batch_size": 10, "gradient_accumulation": 3}, "gradient_accumulation must divide batch_size=10"),
        ({"inference": "numba", "network": "resnet"}, "inference numba evaluates fully connected"),
        (
            {
                "consistency_loss_weight": 0.5,
                "batch_size": 4,
                "gradient_accumulation": 4,
                "num_unroll_steps": 1,
            },
            "consistency_loss_weight needs more than one unrolled step",
        ),
        (
            {"network": "resnet", "action_space": tuple(range(300)), "autocast": True},
            "action_planes scalar cannot tell more than 256 actions apart",
        ),
        ({"learning_starts": 11, "replay_buffer_size": 10}, "learning_starts must not exceed"),
        (
            {"action_planes": "board"},
            "action_planes board needs downsample=none and an action for each of the 4",
        ),
        (
            {"action_planes": "board", "action_space": (0, 1, 2, 3), "downsample": "CNN"},
            "action_planes board needs downsample=none",
        ),
        ({"fc_value_layers": (16, 0)}, "must be positive sizes"),
        ({"search": "uct"}, r"search='uct' must be puct\|gumbel"),
    ],
)
def test_combinations_that_cannot_work(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigurationError, match=line) as caught:
        MuZeroConfig().replace(**changes)
    assert "\n" not in str(caught.value)


def test_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(ConfigurationError, match="unknown option 'lr_int', did you mean 'lr_init'"):
        MuZeroConfig().replace(lr_int=1)
    with pytest.raises(ConfigurationError, match=r"unknown option 'zzzz'$"):
        MuZeroConfig().replace(zzzz=1)
    with pytest.raises(ConfigurationError, match="did you mean 'discount'"):
        type("Bad", (MuZeroConfig,), {"discout": 0.9})


def test_nearest_ignores_case() -> None:
    assert nearest("per_alpah", NAMES) == "PER_alpha"
    assert nearest("qqqq", NAMES) is None


class Small(MuZeroConfig):
    """A game's configuration as a game's file states it."""

    observation_shape = (3, 5, 5)
    action_space = cast(tuple[int, ...], range(4))
    lr_init = 1


def test_a_subclass_overrides_defaults_and_is_validated() -> None:
    small = Small()
    assert small.action_space == (0, 1, 2, 3)
    assert small.lr_init == 1.0
    assert small.batch_size == MuZeroConfig().batch_size
    assert Small(lr_init=2.0).replace(seed=3) == Small(seed=3, lr_init=2.0)
    assert Small.from_json(small.to_json()) == small
    assert dataclasses.asdict(MuZeroConfig.from_json(small.to_json())) == dataclasses.asdict(small)
    with pytest.raises(ConfigurationError, match="lr_init='x' must be float"):
        type("Bad", (MuZeroConfig,), {"lr_init": "x"})


@pytest.mark.parametrize("text", ["", "{", "[1]", "1", "null"])
def test_malformed_json_is_refused(text: str) -> None:
    for parse in (MuZeroConfig.from_json, lambda t: parse_json_object(t, "configuration")):
        with pytest.raises(ConfigurationError, match=r"configuration .*JSON"):
            parse(text)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("lr_init", "1e-3", 0.001),
        ("lr_init", "1", 1.0),
        ("PER", "True", True),
        ("PER", "false", False),
        ("fc_value_layers", "16", (16,)),
        ("fc_value_layers", "[16, 32]", (16, 32)),
        ("fc_value_layers", "16, 32", (16, 32)),
        ("opponents", "expert,mcts:1000", ("expert", "mcts:1000")),
        ("target_reward", "none", None),
        ("target_reward", "-3", -3.0),
        ("device", "cuda:1", "cuda:1"),
        ("results_path", "7", "7"),
        ("optimizer", "SGD", "SGD"),
        ("visit_softmax_temperature", "[[1, 0.5]]", ((1.0, 0.5),)),
    ],
)
def test_option_text(name: str, text: str, value: object) -> None:
    assert parse_option(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("PER", "1"), ("seed", "1.5"), ("seed", "x"), ("fc_value_layers", "a"), ("optimizer", "1")],
)
def test_option_text_of_another_type(name: str, text: str) -> None:
    with pytest.raises(
        ConfigurationError,
        match=f"{name}=.* must be {type_name(field_types()[name]).removeprefix('list of ')}",
    ):
        parse_option(name, text)


def test_schedules() -> None:
    schedule = ((0.5, 1.0), (0.75, 0.5), (1.0, 0.25))
    assert [schedule_value(schedule, p) for p in (0, 0.49, 0.5, 0.75, 1, 2)] == [1, 1, 0.5, 0.25, 0.25, 0.25]
    made = MuZeroConfig(training_steps=100, visit_softmax_temperature=schedule)
    assert [made.temperature(step) for step in (0, 50, 99)] == [1.0, 0.5, 0.25]


@pytest.mark.parametrize(
    ("sizes", "longest"),
    [
        ({"max_moves": 500, "segment_length": 200, "td_steps": 10, "num_unroll_steps": 5}, 215),
        ({"max_moves": 60, "segment_length": 200, "td_steps": 10, "num_unroll_steps": 5}, 60),
        ({"max_moves": 210, "segment_length": 200, "td_steps": 10, "num_unroll_steps": 5}, 210),
    ],
)
def test_a_buffer_too_small_for_one_history_is_refused(sizes: dict[str, Any], longest: int) -> None:
    enough: dict[str, Any] = {"learning_starts": 10} | sizes
    assert MuZeroConfig(replay_buffer_size=longest, **enough).longest_history == longest
    with pytest.raises(
        ConfigurationError, match=f"replay_buffer_size is {longest - 1}, but a history may have"
    ):
        MuZeroConfig(replay_buffer_size=longest - 1, **enough)


def test_derived_shapes() -> None:
    made = MuZeroConfig(observation_shape=(3, 4, 5), stacked_observations=2, support_size=7)
    assert (made.stacked_channels, made.full_support_size, made.num_actions) == (3 * 3 + 2, 15, 2)


def test_importing_it_is_cheap() -> None:
    imported = {name.split(".")[0] for name in vars(config)}
    assert not imported & {"numpy", "torch", "ray", "numba"}


@pytest.mark.parametrize(
    ("asked", "network", "training", "playing"),
    [
        (None, "fullyconnected", "cuda", "cpu"),
        (None, "resnet", "cuda", "cuda"),
        (None, "resnet", "cpu", "cpu"),
        (True, "fullyconnected", "cuda:1", "cuda:1"),
        (True, "resnet", "cpu", "cpu"),
        (False, "resnet", "cuda", "cpu"),
    ],
)
def test_self_play_follows_the_network_to_the_gpu_unless_told(
    asked: bool | None, network: str, training: str, playing: str
) -> None:
    config = MuZeroConfig(observation_shape=(3, 3, 3), selfplay_on_gpu=asked)
    assert config.replace(network=network).playing_device(training) == playing
