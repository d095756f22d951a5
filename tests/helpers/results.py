"""Evaluation results for tests."""

from __future__ import annotations

import numpy as np

from data import EvaluationResult


def evaluation_result(
    *returns: float, version: int = 0, opponent: str | None = None, lengths: int = 1
) -> EvaluationResult:
    """Games with these returns; against an opponent, in one seat and the other by turns."""
    seats = np.arange(len(returns)) % 2 if opponent is not None else np.zeros(len(returns))
    played = np.full(len(returns), lengths, np.int32)
    return EvaluationResult(np.array(returns, np.float32), played, version, seats.astype(np.int32), opponent)
