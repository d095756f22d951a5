"""Choices among the legal actions; policies [n, A] over them, from logits and compared with each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from data import BoolArray, FloatArray


def best_legal(preferences: NDArray[Any], legal: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The legal actions [...] of the highest `preferences` [..., A]; the first one among equals."""
    return np.asarray(np.where(legal, preferences, -np.inf).argmax(axis=-1), np.int32)


def random_legal(generator: np.random.Generator, legal: NDArray[np.bool_]) -> NDArray[np.int32]:
    """A random one of the legal actions [n] of each row of `legal` [n, A]."""
    return best_legal(generator.random(legal.shape), legal)


def legal_policy(logits: NDArray[Any], legal: NDArray[np.bool_]) -> NDArray[Any]:
    """The policy [..., A] of `logits` [..., A] over the legal actions alone."""
    masked = np.where(legal, logits, -np.inf)
    exponentials = np.exp(masked - masked.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def divergence(policies: FloatArray, logits: FloatArray, legal: BoolArray) -> NDArray[np.float32]:
    """KL(policy || softmax(logits) over the legal actions) [n], in nats, of n policies [n, A]."""
    masked = np.where(legal, logits.astype(np.float64), -np.inf)
    masked -= masked.max(axis=1, keepdims=True)
    log_prior = masked - np.log(np.exp(masked).sum(axis=1, keepdims=True))
    policies = policies.astype(np.float64)
    likely = policies > 0
    terms = np.zeros_like(policies)
    terms[likely] = policies[likely] * (np.log(policies[likely]) - log_prior[likely])
    return np.asarray(np.maximum(terms.sum(axis=1), 0.0), np.float32)
