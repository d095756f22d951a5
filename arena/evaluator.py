"""Greedy games side by side, alone or against opponents, and what they say of a player."""

from __future__ import annotations

from collections.abc import Sequence

from arena.match import Match, openings_of, widest
from arena.network_player import NetworkPlayer
from arena.player_kind import PlayerKind
from arena.players import KINDS, make_player, parse_player, seated
from config import MuZeroConfig
from data import EvaluationResult, Weights
from games.api.spec import GameSpec
from playing.game_note import NO_CAUTION, Caution


class Evaluator:
    """Judges weights by games alone, or against one opponent after another, each in all other seats.

    Opponents are named as players of one of the `kinds`, or checkpoints' paths. Games that break are left
    out; `GamesBreakError` is raised where these are more than half.
    """

    def __init__(
        self,
        spec: GameSpec,
        config: MuZeroConfig,
        device: str,
        kinds: Sequence[PlayerKind] = KINDS,
        caution: Caution = NO_CAUTION,
    ) -> None:
        self.spec = spec
        self.config = config
        self.device = device
        self.kinds = kinds
        self.caution = caution
        self._players: dict[int, NetworkPlayer] = {}  # by games
        self._matches: dict[tuple[int, str | None], Match] = {}
        self._openings: dict[str | None, int] = {}  # random first moves, by opponent
        self._current: tuple[Match, int, str | None] | None = None  # with the weights' version and opponent

    def start(
        self, games: int, seed: int, version: int, weights: Weights, opponent: str | None = None
    ) -> None:
        """Sets up `games` fresh games, which `seed` determines, to be played with `weights`.

        They begin with random moves if the opponent varies little, with whom all games would be the same.
        """
        match = self._match(games, seed, opponent)
        self._players[games].load(weights, version)
        match.start(seed, self._openings[opponent])
        self._current = match, version, opponent

    def _match(self, games: int, seed: int, opponent: str | None) -> Match:
        if games not in self._players:
            self._players[games] = NetworkPlayer(self.config, games, device=self.device)
        if (games, opponent) not in self._matches:
            named = [] if opponent is None else [parse_player(opponent, kinds=self.kinds)]
            specs = seated(self.spec, named)
            others = [make_player(other, self.spec, games, seed, self.device) for other in specs]
            varies_little = any(other.kind.varies_little for other in specs)
            self._openings[opponent] = openings_of(self.config) if varies_little else 0
            config = widest(self.config, *others)
            players = [self._players[games], *others]
            match = Match(self.spec, config, games, players, caution=self.caution)
            self._matches[games, opponent] = match
        return self._matches[games, opponent]

    def play(self, seconds: float = 0.5) -> EvaluationResult | None:
        """Plays on for about `seconds`; the result once all games have ended, None before."""
        assert self._current is not None, "start() comes first"
        match, version, opponent = self._current
        return match.result(version, opponent) if match.play(seconds) else None
