import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import models
from config import MuZeroConfig
from core import supports
from core.errors import ConfigurationError
from networks.residual_network import action_planes
from search import torch_inference

FULLY_CONNECTED = MuZeroConfig()
DEEP = MuZeroConfig(
    observation_shape=(2, 3, 4),
    action_space=(0, 1, 2),
    stacked_observations=2,
    encoding_size=5,
    support_size=3,
    fc_representation_layers=(7,),
    fc_dynamics_layers=(6, 9),
    fc_reward_layers=(),
    fc_value_layers=(4, 3),
)


def residual(**options: Any) -> MuZeroConfig:
    defaults: dict[str, Any] = {
        "network": "resnet",
        "observation_shape": (3, 6, 7),
        "action_space": tuple(range(7)),
        "channels": 8,
        "blocks": 1,
    }
    return MuZeroConfig(**(defaults | options))


RESIDUALS = [
    residual(),
    residual(stacked_observations=1, blocks=0, resnet_fc_value_layers=()),
    residual(symmetry="mirror", action_planes="board"),
    residual(action_planes="one_hot", batch_norm=False),
    residual(observation_shape=(1, 96, 90), downsample="resnet"),
    residual(observation_shape=(3, 33, 96), downsample="CNN"),
]


def observations(config: MuZeroConfig, samples: int) -> torch.Tensor:
    _, height, width = config.observation_shape
    generator = torch.Generator().manual_seed(1)
    return torch.randn((samples, config.stacked_channels, height, width), generator=generator)


def randomised(network: models.MuZeroNetwork) -> models.MuZeroNetwork:
    """Every weight and statistic moved away from its initial value, so that none is neutral."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.add_((torch.rand(tensor.shape, generator=generator) * 0.3).to(tensor.dtype))
    return network


@settings(derandomize=True, deadline=None)
@given(st.floats(-1e4, 1e4))
def test_inverse_transform_undoes_transform(value: float) -> None:
    array = np.array([value])
    assert supports.inverse_transform(supports.transform(array)) == pytest.approx(array, abs=1e-6)
    tensor = torch.tensor(value, dtype=torch.float64)
    assert models.inverse_transform(models.transform(tensor)).item() == pytest.approx(value, abs=1e-6)


def test_transform_is_the_papers() -> None:
    values = np.array([0.0, 3.0, -8.0])
    np.testing.assert_allclose(supports.transform(values), [0.0, 1.003, -2.008])
    np.testing.assert_allclose(models.transform(torch.tensor(values)), [0.0, 1.003, -2.008])


def test_inverse_transform_is_exact_enough_in_single_precision() -> None:
    values = np.linspace(-15, 15, 301)
    exact = supports.inverse_transform(values)
    np.testing.assert_allclose(supports.inverse_transform(values.astype(np.float32)), exact, 1e-5, 1e-6)
    np.testing.assert_allclose(models.inverse_transform(torch.tensor(values).float()), exact, 1e-5, 1e-6)


def test_two_hot_shares_a_value_between_its_neighbours() -> None:
    value = supports.inverse_transform(np.array([1.25, -1.25, 2.0, 9.0, -9.0]))
    expected: list[list[float]] = [
        [0, 0, 0, 0.75, 0.25],
        [0.25, 0.75, 0, 0, 0],
        [0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1],
        [1, 0, 0, 0, 0],
    ]
    np.testing.assert_allclose(supports.scalar_to_support(value, 2), expected, atol=1e-6)
    np.testing.assert_allclose(models.scalar_to_support(torch.tensor(value), 2), expected, atol=1e-6)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=8))
def test_supports_decode_what_they_encode_in_numpy_and_in_torch(values: list[float]) -> None:
    array = np.array(values, np.float32).reshape(1, -1)
    encoded = supports.scalar_to_support(array, 15)
    np.testing.assert_allclose(models.scalar_to_support(torch.tensor(array), 15), encoded, atol=1e-4)
    logits = np.log(encoded + np.float32(1e-30))
    np.testing.assert_allclose(supports.support_to_scalar(logits), array, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(models.support_to_scalar(torch.tensor(logits)), array, rtol=1e-3, atol=1e-3)


def test_supports_without_the_transform() -> None:
    value = np.array([-1.0, 0.25, 1.0, 7.0])
    expected: list[list[float]] = [[1, 0, 0], [0, 0.75, 0.25], [0, 0, 1], [0, 0, 1]]
    np.testing.assert_allclose(supports.scalar_to_support(value, 1, False), expected, atol=1e-6)
    np.testing.assert_allclose(models.scalar_to_support(torch.tensor(value), 1, False), expected, atol=1e-6)
    logits = np.log(np.array(expected) + 1e-30)
    clipped = [-1.0, 0.25, 1.0, 1.0]
    np.testing.assert_allclose(supports.support_to_scalar(logits, False), clipped, atol=1e-6)
    np.testing.assert_allclose(models.support_to_scalar(torch.tensor(logits), False), clipped, atol=1e-6)


def test_scale_gradient_keeps_the_value_and_scales_the_gradient() -> None:
    x = torch.tensor([2.0, -3.0], requires_grad=True)
    y = models.scale_gradient(x, 0.25)
    torch.testing.assert_close(y, x)
    (gradient,) = torch.autograd.grad((y * 4).sum(), x)
    assert gradient.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("config", [FULLY_CONNECTED, DEEP, *RESIDUALS])
def test_outputs_have_the_promised_shapes_and_latents_their_range(config: MuZeroConfig) -> None:
    network = randomised(models.make_network(config)).eval()
    root = network.initial_inference(observations(config, 3))
    edge = network.recurrent_inference(root.latent, torch.tensor([0, 1, 0]))
    for output in (root, edge):
        assert output.value_logits.shape == output.reward_logits.shape == (3, config.full_support_size)
        assert output.policy_logits.shape == (3, config.num_actions)
        assert output.latent.shape == root.latent.shape
        planes = output.latent.flatten(1 if output.latent.dim() == 2 else 2)
        assert (planes.amin(-1) == 0).all()
        assert (planes.amax(-1) <= 1).all()
        assert (planes.amax() > 0.99).all()
    assert not root.reward_logits.any()
    assert not torch.equal(edge.latent[0], network.recurrent_inference(root.latent, torch.ones(3)).latent[0])


def test_latents_may_be_left_as_they_are() -> None:
    scaled, plain = (
        randomised(models.make_network(residual(latent_scaling=scaling))).eval()
        for scaling in ("min_max", "none")
    )
    seen, actions = observations(residual(), 3), torch.tensor([0, 1, 0])
    raw = plain.represent(seen)
    assert raw.amax() > 1
    torch.testing.assert_close(scaled.represent(seen), models.scale_latent(raw))
    following = plain.transition(raw, actions)
    assert following.amax() > 1
    torch.testing.assert_close(scaled.transition(raw, actions), models.scale_latent(following))


@pytest.mark.parametrize("config", [c for c in RESIDUALS if c.downsample != "none"])
def test_downsampling_brings_images_to_a_sixteenth(config: MuZeroConfig) -> None:
    _, height, width = config.observation_shape
    latent = models.make_network(config).eval().represent(observations(config, 2))
    assert latent.shape == (2, 8, -(-height // 16), -(-width // 16))


@pytest.mark.parametrize("config", [DEEP, RESIDUALS[0]])
def test_a_new_network_predicts_nothing(config: MuZeroConfig) -> None:
    network = models.make_network(config)
    output = network.recurrent_inference(network.represent(observations(config, 2)), torch.tensor([0, 1]))
    assert not output.value_logits.any()
    assert not output.reward_logits.any()
    assert not output.policy_logits.any()


def test_the_seed_alone_decides_the_initial_weights() -> None:
    torch.manual_seed(5)
    first = models.get_weights(models.make_network(MuZeroConfig(seed=3)))
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1)), "the global generator was moved"
    second = models.get_weights(models.make_network(MuZeroConfig(seed=3)))
    other = models.get_weights(models.make_network(MuZeroConfig(seed=4)))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["dynamics.0.weight"], other["dynamics.0.weight"])


def test_weights_travel_as_float32_copies_and_come_back() -> None:
    config = RESIDUALS[0]
    source, target = randomised(models.make_network(config)).eval(), models.make_network(config).eval()
    weights = models.get_weights(source)
    assert all(array.dtype == np.float32 for array in weights.values())
    models.set_weights(target, weights)
    torch.testing.assert_close(
        source.initial_inference(observations(config, 2)), target.initial_inference(observations(config, 2))
    )
    weights["policy.0.weight"] += 1
    assert not np.array_equal(weights["policy.0.weight"], models.get_weights(source)["policy.0.weight"])
    del weights["policy.0.weight"]
    with pytest.raises(RuntimeError, match=r"policy\.0\.weight"):
        models.set_weights(target, weights)


def test_fully_connected_names_are_those_of_the_layers() -> None:
    names = set(models.get_weights(models.make_network(DEEP)))
    layers = {"representation": 2, "dynamics": 3, "reward": 1, "value": 3, "policy": 2}
    assert names == {
        f"{part}.{2 * i}.{kind}"
        for part, n in layers.items()
        for i in range(n)
        for kind in ("weight", "bias")
    }


@pytest.mark.parametrize("config", RESIDUALS)
def test_folding_batch_norms_changes_nothing(config: MuZeroConfig) -> None:
    network = randomised(models.make_network(config)).eval()
    folded = torch_inference.fold_batch_norms(copy.deepcopy(network))
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    assert isinstance(folded, models.MuZeroNetwork)
    torch.testing.assert_close(
        folded.initial_inference(observations(config, 2)),
        network.initial_inference(observations(config, 2)),
        rtol=1e-3,
        atol=1e-3,
    )


def test_action_planes_mark_columns_or_cells() -> None:
    columns = action_planes(residual(observation_shape=(1, 2, 7), action_planes="board"))
    assert columns.shape == (7, 1, 2, 7)
    for action in range(7):
        np.testing.assert_array_equal(columns[action, 0], np.tile(np.arange(7) == action, (2, 1)))
    with_pass = {"observation_shape": (1, 2, 3), "action_space": tuple(range(7))}
    cells = action_planes(residual(**with_pass, action_planes="board"))
    np.testing.assert_array_equal(cells[:6].reshape(6, 6), np.eye(6))
    assert not cells[6].any()


def test_scalar_action_planes_are_filled_with_the_actions_share() -> None:
    planes = action_planes(residual())
    np.testing.assert_allclose(planes, np.broadcast_to(np.arange(7)[:, None, None, None] / 7, (7, 1, 6, 7)))


def test_one_hot_action_planes() -> None:
    planes = action_planes(residual(action_planes="one_hot"))
    np.testing.assert_array_equal(planes, np.eye(7)[:, :, None, None] * np.ones((6, 7)))


def test_the_dynamics_see_the_action_plane() -> None:
    network = models.make_network(residual(action_planes="board"))
    latent = torch.zeros((2, 8, 6, 7))
    joined = network.join(latent, torch.tensor([0, 6]))
    assert joined.shape == (2, 9, 6, 7)
    np.testing.assert_array_equal(joined[:, 8].sum(1), 6 * np.eye(7)[[0, 6]])


ONE_CELL: dict[str, dict[str, Any]] = {
    "downsampled board": {"observation_shape": (3, 10, 10), "downsample": "resnet"},
    "downsampled by CNN": {"observation_shape": (3, 10, 10), "downsample": "CNN"},
    "vector": {"observation_shape": (6, 1, 1)},
}


@pytest.mark.parametrize("options", ONE_CELL.values(), ids=ONE_CELL)
def test_latents_of_a_single_cell_tell_inputs_apart(options: dict[str, Any]) -> None:
    """Min-max scaling over the one cell of each channel would make them all 0."""
    config = MuZeroConfig(network="resnet", channels=8, blocks=1, action_planes="one_hot", **options)
    network = models.make_network(config).eval()
    generator = torch.Generator().manual_seed(0)
    observations = torch.randn((5, *config.observation_shape), generator=generator)
    latents = network.represent(observations)
    assert latents.shape == (5, 8, 1, 1)
    for latent in (latents, network.transition(latents, torch.zeros(5, dtype=torch.long))):
        flat = latent.flatten(1).detach()
        torch.testing.assert_close(flat.amin(1), torch.zeros(5))
        torch.testing.assert_close(flat.amax(1), torch.ones(5), atol=1e-3, rtol=0)
        assert (flat[0] - flat[1]).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"encoding_size": 1}, "encoding_size"),
        ({"network": "resnet", "channels": 1, "observation_shape": (3, 1, 1)}, "channels"),
        (
            {"network": "resnet", "channels": 1, "observation_shape": (3, 9, 9), "downsample": "CNN"},
            "channels",
        ),
    ],
)
def test_a_latent_of_one_number_is_refused(options: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} is 1, which leaves nothing of a latent state"):
        MuZeroConfig(**options)


def test_one_number_that_is_not_scaled_may_be() -> None:
    as_it_is = MuZeroConfig(network="resnet", channels=1, observation_shape=(3, 1, 1), latent_scaling="none")
    board = MuZeroConfig(network="resnet", channels=1, observation_shape=(3, 2, 1))
    assert (as_it_is.latent_shape, board.latent_shape) == ((1, 1, 1), (1, 2, 1))
