import numpy as np
import pytest

from benchmarks.search import NETS, OwnSearch, measure, random_observations, random_weights
from search.mcts import Search
from search.noise import RootNoise


def test_a_result_line_has_what_readers_need() -> None:
    line = measure("cart", 2, repeats=1, with_mctx=False)
    assert line["net"] == "cart"
    assert line["batch"] == 2
    assert line["simulations"] == 50
    assert line["sims_per_s"] > 0
    assert line["limit_per_s"] > 0
    assert line["peer"] is line["peer_sims_per_s"] is None
    assert {"name", "outside_us"} <= set(line)


def test_the_limit_repeats_the_searchs_own_calls() -> None:
    own = OwnSearch(NETS["cart"], 3)
    assert [node for _, _, node in own.calls] == list(range(1, 51))
    assert len({parents.tobytes() for parents, _, _ in own.calls}) > 10


@pytest.mark.parametrize("net", ["cart", "mlp64"])
def test_mctx_searches_the_same_network_in_the_same_way(net: str) -> None:
    pytest.importorskip("mctx")
    import jax

    from benchmarks.mctx_peer import make_search

    config = NETS[net].replace(root_exploration_fraction=0.0, num_simulations=8)
    own = OwnSearch(config, 4)
    noise = RootNoise.none(4, config.num_actions)
    ours = Search(config, 4).run(own.model, own.observations, own.to_play, own.legal, noise)
    observations = random_observations(config, 4).reshape(4, -1)
    theirs = make_search(config)(random_weights(config), jax.random.PRNGKey(0), observations)
    summary = theirs.search_tree.summary()
    np.testing.assert_allclose(ours.root_value[:, 0], summary.value, atol=1e-4)
    np.testing.assert_array_equal(ours.visit_counts, summary.visit_counts)
