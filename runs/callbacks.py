"""What a program does while its training runs: it sees how the run stands, and can end it."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import ConfigurationError
from data import EvaluationResult
from runs.status import RunStatus


class CallbackError(ConfigurationError):
    """A callback raised something; the run was saved and ended. Its cause is what was raised."""


class Callback:
    """To be derived from: each method may return False, and the run is saved and ends.

    They are called between the steps of the run's own work, in the program's thread: what takes long here
    holds the run up.
    """

    def on_status(self, status: RunStatus) -> bool | None:
        """The state of the run, a few times a second: counters, the newest games, losses, rates."""

    def on_evaluation(self, result: EvaluationResult) -> bool | None:
        """A new evaluation of those that judge the run."""


class Callbacks:
    """Several callbacks as an `Observer` of a run."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        """Raises `ConfigurationError` on what is no `Callback`."""
        for callback in callbacks:
            if not isinstance(callback, Callback):
                raise ConfigurationError(f"callbacks: {callback!r} is of no class made from Callback")
        self._callbacks = tuple(callbacks)
        self._evaluation: EvaluationResult | None = None
        self._raised: tuple[Callback, Exception] | None = None
        self.stopped = False

    def status(self, status: RunStatus) -> None:
        """Tells all callbacks, until one wants to stop."""
        for callback in self._callbacks:
            self._tell(callback, status)
        self._evaluation = status.evaluation

    def _tell(self, callback: Callback, status: RunStatus) -> None:
        if self._raised is not None:
            return
        newest = status.evaluation
        try:
            answers = [callback.on_status(status)]
            if newest is not None and newest is not self._evaluation:
                answers.append(callback.on_evaluation(newest))
        except Exception as error:  # whatever somebody's code raises
            self._raised = callback, error
            answers = [False]
        self.stopped |= False in answers

    def event(self, text: str) -> None:
        """Nothing: lines are for people."""

    def evidence(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""

    def raise_what_was_raised(self) -> None:
        """Raises `CallbackError` if a callback has raised something."""
        if self._raised is not None:
            callback, error = self._raised
            name, what = type(callback).__name__, type(error).__name__
            raise CallbackError(f"callback {name} raised {what}: {error}; the run was saved") from error
