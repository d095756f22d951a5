"""Batched tree search, and how it evaluates positions: by a network, or by the real game."""
