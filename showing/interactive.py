"""One game between people and agents that can be taken back and analysed, free of any user interface.

The terminal and the web page both stand on it.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError
from core.prompts import listed, meant
from core.wording import counted
from games.api.shown import ShownGame
from games.api.spec import GameSpec
from playing.make_table import make_table
from playing.player import Player
from showing.agent import Agent
from showing.analysis import Analysis, TreeLimit
from showing.real_moves import RealMoves


class InteractiveGame:
    """One game that can be played, taken back and analysed.

    It is determined by its seed and its moves. Players are numbered from 0. Raises `ConfigurationError`
    when the game cannot be made.
    """

    def __init__(self, spec: GameSpec, agent: Agent | None, seed: int = 0) -> None:
        self.spec, self.agent = spec, agent
        self.config = spec.config if agent is None else agent.config
        self._table = make_table(spec, self.config, 1)
        self._rewards: list[float] = []
        self._movers: list[int] = []
        self._terminated = self._truncated = False
        self.resigned = False
        self.restart(seed)

    # --- the position ---

    @property
    def shown(self) -> ShownGame:
        """The game itself, for those who show it by more than its text."""
        environment = self._table.environments[0]
        return ShownGame(environment.game, environment.can)

    @property
    def observation(self) -> NDArray[np.float32]:
        """The newest observation [C, H, W], as the player to move sees it."""
        return self._table.stacks[0, : self.config.observation_shape[0]].copy()

    @property
    def players(self) -> int:
        """How many there are."""
        return self.config.players

    @property
    def to_play(self) -> int:
        """Whose turn it is; once the game is over, it means nothing."""
        return int(self._table.to_play[0])

    @property
    def over(self) -> bool:
        """Whether nobody can move any more."""
        return self._terminated or self._truncated or self.resigned

    @property
    def resigned_by(self) -> int | None:
        """Who gave up a game for two or more, as it was that player's turn."""
        return self.to_play if self.resigned and self.players > 1 else None

    @property
    def legal_actions(self) -> list[int]:
        """All legal actions, rising; none once the game is over."""
        return [] if self.over else self._table.legal[0].nonzero()[0].tolist()

    @property
    def moves(self) -> tuple[int, ...]:
        """The actions since the start."""
        return tuple(self._table.played[0])

    @property
    def movers(self) -> tuple[int, ...]:
        """The player who made each move."""
        return tuple(self._movers)

    @property
    def rewards(self) -> tuple[float, ...]:
        """What each move earned the player who made it."""
        return tuple(self._rewards)

    @property
    def returns(self) -> tuple[float, ...]:
        """The sum of the rewards to each player; who resigns a game for two loses 1."""
        if self.resigned_by is not None and self.players == 2:
            return (-1.0, 1.0) if self.resigned_by == 0 else (1.0, -1.0)
        return tuple((self._table.returns[0] + 0.0).tolist())  # without the sign of a zero

    @property
    def outcome(self) -> str:
        """How the game ended, in words; empty while it goes on."""
        if not self.over:
            return ""
        if self.players == 1:
            ended = "ended" if self._terminated else "stopped"
            return f"{ended} after {counted(len(self.moves), 'move')}, return {self.returns[0]:g}"
        resigns = "" if self.resigned_by is None else f"{self.player_name(self.resigned_by)} resigns"
        if resigns and self.players > 2:
            return resigns
        leaders = [player for player, own in enumerate(self.returns) if own == max(self.returns)]
        if len(leaders) == self.players:
            return "a draw" if self._terminated else f"stopped after {counted(len(self.moves), 'move')}"
        names = " and ".join(map(self.player_name, leaders))
        return ", ".join(filter(None, [resigns, f"{names} win{'s' * (len(leaders) == 1)}"]))

    def player_name(self, player: int) -> str:
        """`player 1 (X)` for player 0 of a board game."""
        symbols = self.shown.symbols
        return f"player {player + 1}" + (f" ({symbols[player]})" if player < len(symbols) else "")

    def action_name(self, action: int) -> str:
        """The action in the game's words, or in those for all games."""
        own = self.shown.action_name(action)
        return self.config.actions.text(action) if own is None else own

    def action_named(self, word: str) -> int:
        """The legal action that a person means by `word`.

        Raises `ConfigurationError` where there is none, saying what is possible.
        """
        legal = self.legal_actions
        names = [self.action_name(action) for action in legal]
        index = meant(word, names)
        if index is None:
            raise ConfigurationError(f"{word!r} is no legal move; legal: {listed(names) or 'none'}")
        return legal[index]

    def text(self) -> str:
        """The position as text: as the game shows it, else the observation."""
        return self.shown.text() or np.array2string(self.observation.squeeze(), precision=2)

    # --- what can be done ---

    def restart(self, seed: int) -> None:
        """Begins the game that `seed` determines."""
        self.seed = seed
        self._replay(())

    def play(self, action: int) -> None:
        """Makes a move. Raises `ConfigurationError` on an illegal one, and changes nothing."""
        legal = self.legal_actions
        if action not in legal:
            allowed = listed([f"{a} ({self.action_name(a)})" for a in legal])
            why = "the game is over" if self.over else f"legal: {allowed}"
            raise ConfigurationError(f"action {action} is not legal; {why}")
        mover = self.to_play
        moves = self._table.move(0, action)
        self._movers.append(mover)
        self._rewards.append(float(moves.rewards[0]))
        self._terminated, self._truncated = bool(moves.terminated[0]), bool(moves.truncated[0])

    def resign(self) -> None:
        """The player to move gives up; in a game for one it stops. Nothing happens once the game is over."""
        self.resigned = self.resigned or not self.over

    def undo(self, moves: int = 1) -> None:
        """Takes back a resignation and `moves` moves, by playing all others again from the seed.

        Raises `ConfigurationError` if fewer have been made, and changes nothing.
        """
        if not 0 <= moves <= len(self.moves):
            made = counted(len(self.moves), "move")
            raise ConfigurationError(f"{moves} cannot be taken back: {made} so far")
        self._replay(self.moves[: len(self.moves) - moves])

    def _replay(self, actions: tuple[int, ...]) -> None:
        self._terminated = self._truncated = False
        self.resigned = False
        self._rewards, self._movers = [], []
        self._table.reset(0, self.seed)
        for action in actions:  # not by the table's `replay`: each move is booked, and refused if illegal now
            self.play(action)

    def analyse(
        self,
        simulations: int | None = None,
        limit: TreeLimit = TreeLimit(),  # noqa: B008 - immutable
    ) -> Analysis:
        """What the agent thinks of the position, and what the game says of the moves that it imagines.

        Raises `ConfigurationError` where there is no agent, or the game is over.
        """
        if self.agent is None:
            raise ConfigurationError("there is no agent to ask: name a --checkpoint")
        if self.over:
            raise ConfigurationError("the game is over: there is nothing to analyse")
        analysis = self.agent.analyse(self._table, 0, simulations, limit)
        return self._real_moves.marked(analysis, self.seed, self.moves, self._table.stacks[0])

    @cached_property
    def _real_moves(self) -> RealMoves:
        return RealMoves(self.spec, self.config)

    def line_end(self, analysis: Analysis) -> str:
        """Why the line of `analysis` ends, in words; empty where the search just went no further."""
        standing, believed = analysis.line_end
        if believed is not None:
            return f"then {self.action_name(believed)}, which is illegal"
        return "the game's end" if standing == "over" else ""

    def choice_of(self, player: Player) -> int:
        """The action that `player` would play here."""
        return int(player.choose(self._table, np.array([0]))[0])

    def close(self) -> None:
        """Closes the game, if it can be closed."""
        self._table.environments[0].close()
        if "_real_moves" in vars(self):  # it has been asked for
            self._real_moves.close()
