"""A run on a cluster of which a machine is lost: two nodes on one machine here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from runs.cluster import start_ray
from runs.ray_run import RayRun
from tests.runs.test_ray_run import config, finish, started

WORK: dict[str, Any] = {"num_workers": 2, "training_steps": 100_000, "checkpoint_interval": 2.0}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    own = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        yield own
    finally:
        ray.shutdown()
        own.shutdown()


class Story:
    """Is asked by a run whether to end, and lets one step after another come true."""

    def __init__(self, run: RayRun, *steps: Callable[[], object]) -> None:
        self.run, self.steps = run, list(steps)

    def __call__(self) -> bool:
        if self.steps and self.steps[0]():
            self.steps.pop(0)
        return not self.steps

    def updates_beyond(self, more: int) -> Callable[[], bool]:
        """A step: so many updates more than when it was first asked about."""
        first: list[int] = []

        def reached() -> bool:
            made = self.run.session.log.counters.training_step
            first.append(made)
            return made >= first[0] + more

        return reached

    def said(self, text: str) -> Callable[[], bool]:
        """A step: a line with this text."""
        return lambda: any(text in line for line in events(self.run))


def events(run: RayRun) -> list[str]:
    said: list[str] = run.session.observer.events  # type: ignore[attr-defined]
    return said


def on_node(run: RayRun, node: Any) -> set[str]:
    """The actors that run there."""
    from ray._private.state import actors  # there is no public way

    where = {number: one["Address"]["NodeID"] for number, one in actors().items()}
    return {name for name, one in run.launched.items() if where.get(one.identity) == node.node_id}


def remove(cluster: Cluster, node: Any) -> Callable[[], bool]:
    """A step: the machine is gone."""

    def removed() -> bool:
        cluster.remove_node(node, allow_graceful=False)
        return True

    return removed


def add(cluster: Cluster, cpus: int) -> Callable[[], bool]:
    """A step: another one is there."""

    def added() -> bool:
        cluster.add_node(num_cpus=cpus)
        return True

    return added


def test_a_machine_with_players_is_lost_and_another_one_comes(cluster: Cluster, tmp_path: Path) -> None:
    node = cluster.add_node(num_cpus=2)
    start_ray(config(**WORK), cluster.address)
    with started(tmp_path, **WORK) as run:
        story = Story(run)
        lost: set[str] = set()

        def seen() -> bool:
            lost.update(on_node(run, node))
            return True

        story.steps = [story.updates_beyond(20), seen, remove(cluster, node)]
        story.steps += [story.said("and the cluster has 2 now: what has no place waits")]
        story.steps += [add(cluster, 2), story.updates_beyond(40)]
        assert finish(run, story) == "interrupted"
    assert lost, "somebody was there"
    again = {line.split("'")[1] for line in events(run) if "was lost and is started again" in line}
    assert again == lost
    assert len([line for line in events(run) if "the run asks for 4 CPUs" in line]) == 1
