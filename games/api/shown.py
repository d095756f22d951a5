"""A game as a person is shown it."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any

from games.api.spec import Capabilities, capabilities_of


@dataclass(frozen=True)
class ShownGame:
    """A game that has been started, and how it can be shown."""

    game: Any
    can: Capabilities

    @classmethod
    def of(cls, game: Any) -> ShownGame:
        """The game by itself, of which it is not known what it can do."""
        return cls(game, capabilities_of(game))

    def text(self) -> str:
        """The position as text: what `text()` returns, or what `render()` prints; without either, nothing."""
        if self.can.describe_itself:
            return str(self.game.text())
        if not self.can.print_itself:
            return ""
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.game.render()
        return printed.getvalue().strip("\n")

    @property
    def symbols(self) -> str:
        """The stones of player 0 and of player 1 in the text; none where the game says nothing of them."""
        symbols: str = self.game.symbols if self.can.mark_stones else ""
        return symbols

    def action_name(self, action: int) -> str | None:
        """The action in the game's words, if it has any."""
        return str(self.game.action_to_string(action)) if self.can.name_actions else None

    @property
    def move_help(self) -> str | None:
        """What a person types to make a move, in the game's words, if it has any."""
        words: str | None = self.game.move_help if self.can.explain_moves else None
        return words
