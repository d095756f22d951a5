"""Greedy games side by side, alone or against an opponent, and what they say of a player."""

from __future__ import annotations

from arena.match import Match, openings_of, widest
from arena.players import (
    ExpertPlayer,
    NetworkPlayer,
    make_player,
    parse_player,
)
from config import MuZeroConfig
from data import EvaluationResult, Weights
from games.api.spec import GameSpec


class Evaluator:
    """Judges weights by games alone, or against one opponent after another."""

    def __init__(self, spec: GameSpec, config: MuZeroConfig, device: str) -> None:
        self.spec = spec
        self.config = config
        self.device = device
        self._players: dict[int, NetworkPlayer] = {}  # by games
        self._matches: dict[tuple[int, str | None], Match] = {}
        self._current: tuple[Match, int, str | None] | None = None  # with the weights' version and opponent

    def start(
        self, games: int, seed: int, version: int, weights: Weights, opponent: str | None = None
    ) -> None:
        """Sets up `games` fresh games, which `seed` determines, to be played with `weights`.

        They begin with random moves if the opponent varies little, with whom all games would be the same.
        """
        match = self._match(games, seed, opponent)
        self._players[games].load(weights, version)
        varies_little = isinstance(match.opponent, NetworkPlayer | ExpertPlayer)
        match.start(seed, openings_of(self.config) if varies_little else 0)
        self._current = match, version, opponent

    def _match(self, games: int, seed: int, opponent: str | None) -> Match:
        if games not in self._players:
            self._players[games] = NetworkPlayer(self.config, games, device=self.device)
        if (games, opponent) not in self._matches:
            against = None
            if opponent is not None:
                against = make_player(parse_player(opponent), self.spec, games, seed, self.device)
            config = widest(self.config, against)
            match = Match(self.spec, config, games, self._players[games], against)
            self._matches[games, opponent] = match
        return self._matches[games, opponent]

    def play(self, seconds: float = 0.5) -> EvaluationResult | None:
        """Plays on for about `seconds`; the result once all games have ended, None before."""
        assert self._current is not None, "start() comes first"
        match, version, opponent = self._current
        return match.result(version, opponent) if match.play(seconds) else None
