"""Which values to try next: nevergrad, by ask and tell.

Its state is never written down. With a seed, and told the same in the same order, it asks the same: a search
that is resumed repeats the ledger's questions and answers. Where it does not (another version of nevergrad),
the recorded values are told as values that it has not asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tuning.space import Parameter, Values, as_json

OPTIMIZER = "TwoPointsDE"
DIGITS = 12
"""Of a number; a logarithm and back costs the last ones."""


def nevergrad_version() -> str:
    """The version that is installed."""
    from importlib.metadata import version

    return version("nevergrad")


class Suggester:
    """An optimiser over a space, for about `budget` trials of which `parallel` run at a time.

    The first values that it asks for are `first`, the game's own, where these are given.
    """

    def __init__(
        self,
        space: Sequence[Parameter],
        budget: int,
        parallel: int,
        seed: int,
        first: Values | None = None,
        optimizer: str = OPTIMIZER,
    ) -> None:
        import nevergrad

        self.space = tuple(space)
        centre = first or {}
        self._domain = nevergrad.p.Dict(
            **{parameter.name: _domain(parameter, centre.get(parameter.name)) for parameter in space}
        )
        self._domain.random_state.seed(seed)
        self._optimizer = nevergrad.optimizers.registry[optimizer](
            self._domain, budget=budget, num_workers=parallel
        )
        if first is not None:
            self._optimizer.suggest(self._encoded(first))
        self._candidates: dict[int, Any] = {}  # by trial
        self._pending: Any = None  # asked for and not yet a trial

    def propose(self) -> Values:
        """The values to try next; the same until they become a trial."""
        if self._pending is None:
            with _quiet():
                self._pending = self._optimizer.ask()
        return self._decoded(self._pending.value)

    def asked(self, trial: int, values: Values) -> None:
        """These values are tried now; in a search that is resumed, were."""
        repeated = self.propose()
        candidate, self._pending = self._pending, None
        if repeated != values:
            candidate = self._domain.spawn_child(new_value=self._encoded(values))
        self._candidates[trial] = candidate

    def tell(self, trial: int, score: float) -> None:
        """A trial had this score; the higher, the better."""
        with _quiet():
            self._optimizer.tell(self._candidates.pop(trial), -score)

    def _encoded(self, values: Values) -> dict[str, Any]:
        """Values as nevergrad has them: a choice is the number of its place."""
        return {p.name: p.place_of(values[p.name]) if p.choices else values[p.name] for p in self.space}

    def _decoded(self, value: dict[str, Any]) -> Values:
        return {parameter.name: _plain(parameter, value[parameter.name]) for parameter in self.space}


def _domain(parameter: Parameter, centre: Any) -> Any:
    """The parameter in nevergrad's terms; what varies starts from `centre`, or else from the middle."""
    import nevergrad

    if parameter.choices:
        return nevergrad.p.Choice(list(range(len(parameter.choices))))
    kind = nevergrad.p.Log if parameter.logarithmic else nevergrad.p.Scalar
    domain = kind(init=centre, lower=parameter.low, upper=parameter.high)
    return domain.set_integer_casting() if parameter.whole else domain


def _plain(parameter: Parameter, value: Any) -> Any:
    """A value as JSON gives it back."""
    if parameter.choices:
        return as_json(parameter.choices[int(value)])
    if parameter.whole:
        return int(value)
    return min(max(float(f"{value:.{DIGITS}g}"), parameter.low), parameter.high)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without nevergrad's remarks on what it has been given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
