"""What a person who plays at the terminal sees: the board in colour, and the agent's view beside it."""

from __future__ import annotations

import re
from collections.abc import Set

import numpy as np
from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from core.wording import counted
from showing import frames
from showing.analysis import Analysis, win_probability
from showing.interactive import InteractiveGame

STONES = tuple(f"bold rgb({red},{green},{blue})" for red, green, blue in frames.STONES)
"""Styles of the stones of player 0 and of player 1."""
MOVES_SHOWN = 7
LINE_WIDTH = 30
BAR_WIDTH = 16
BALANCE_WIDTH = 24


class Screen:
    """Shows a game on a console. On a terminal it is cleared first, so that the board keeps its place."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._shown = ""  # the newest board

    def show(
        self,
        game: InteractiveGame,
        people: Set[int],
        view: RenderableType | None,
        message: str = "",
    ) -> None:
        """Draws the position, the view beside (or, for want of room, above) it, and a message.

        `people` are the players whom a person moves.
        """
        text = game.text()
        board = board_picture(text, self._shown, game.shown.symbols)
        self._shown = text
        self.console.clear()
        self.console.print(heading(game, people))
        self.console.print(self._arranged(board, view))
        if message:
            self.say(message)

    def say(self, message: str) -> None:
        """Prints a message."""
        self.console.print(Text(message))

    def _arranged(self, board: Text, view: RenderableType | None) -> RenderableType:
        framed = Panel(board, expand=False, padding=(1, 2), border_style="dim")
        if view is None:
            return framed
        room = self.console.width - self.console.measure(framed).maximum - 1
        if room < self.console.measure(view).maximum:
            return Group(view, framed)  # the board nearer to where a person types
        grid = Table.grid(padding=(0, 1))
        grid.add_row(framed, view)
        return grid


def heading(game: InteractiveGame, people: Set[int]) -> Text:
    """The game, how far it is, and whose turn it is or how it ended."""
    made = len(game.moves)
    facts = [game.spec.name, f"{made} move{'s' * (made != 1)}"]
    if game.players == 1 and not game.over:
        facts.append(f"return {game.returns[0]:g}")
    text = Text(", ".join(facts) + "   ", style="bold")
    if game.over:
        return text.append(game.outcome, style="bold green")
    if game.players > 1:
        turn = ", your turn" if people == {game.to_play} else " to move"
        style = STONES[game.to_play] if game.to_play < len(STONES) else "bold"
        text.append(game.player_name(game.to_play) + turn, style=style)
    return text


def board_picture(text: str, before: str, symbols: str) -> Text:
    """The board in colour; of a board with stones, those that were not there `before` stand out."""
    picture = Text(text)
    if not symbols:
        picture.highlight_regex(r"(?<!\w)[A-Z](?!\w)", "bold cyan")
        picture.highlight_regex(r"#", "dim")
        return picture
    for symbol, style in zip(symbols, STONES, strict=False):
        picture.highlight_regex(rf"(?<!\w){re.escape(symbol)}(?!\w)", style)
    if len(before) == len(text):
        for place, (old, new) in enumerate(zip(before, text, strict=True)):
            if old != new and new in symbols:
                picture.stylize("reverse", place, place + 1)
    return picture


def analysis_picture(game: InteractiveGame, analysis: Analysis, title: str) -> Panel:
    """The value, the moves that the search prefers and the line that the agent expects."""
    network = (
        "the network alone" if analysis.simulations == 0 else counted(analysis.simulations, "simulation")
    )
    names = [game.action_name(action) for action in analysis.principal_variation]
    parts = [
        _balance(game, analysis) if game.players == 2 else _value(analysis),
        Text(""),
        _moves(game, analysis),
        Text(""),
        Text.assemble(("expects ", "dim"), line(names, game.line_end(analysis))),
    ]
    return Panel(Group(*parts), title=f"{title}, {network}", expand=False, border_style="cyan")


def line(names: list[str], end: str = "") -> str:
    """Moves one after the other, as many as fit into `LINE_WIDTH`; below them why they end there."""
    separator = ", " if any(" " in name for name in names) else " "
    fitting = names
    while len(separator.join(fitting)) > LINE_WIDTH:
        fitting = fitting[:-1]
    moves = separator.join([*fitting, *["..."] * (len(fitting) < len(names))])
    return "\n".join(filter(None, [moves, end and f"        {end}"]))


def _balance(game: InteractiveGame, analysis: Analysis) -> RenderableType:
    """Who is going to win, as one bar: player 0 from the left, player 1 from the right."""
    to_mover = analysis.win_probability
    first = to_mover if analysis.to_play == 0 else 1.0 - to_mover
    split = round(first * BALANCE_WIDTH)
    bar = Text("━" * split, style=STONES[0]).append("━" * (BALANCE_WIDTH - split), style=STONES[1])
    names = game.shown.symbols or "12"
    left, right = f"{names[0]} {first:4.0%} ", f" {1 - first:4.0%} {names[1]}"
    return Text.assemble((left, STONES[0]), bar, (right, STONES[1]))


def _value(analysis: Analysis) -> Text:
    """The return that is expected of a game for one."""
    searched = f"{analysis.value:.2f} expected from here (discounted)"
    return Text.assemble((searched, "bold"), (f", network alone {analysis.network_value:.2f}", "dim"))


def _moves(game: InteractiveGame, analysis: Analysis) -> Table:
    two = game.players == 2
    columns = ("  move", "policy", "visits", "wins" if two else "value", "prior")
    table = Table(*columns, box=None, pad_edge=False, header_style="dim")
    for column in table.columns[2:]:
        column.justify = "right"
    order = np.lexsort((-analysis.prior, -analysis.visits, -analysis.policy))
    for action in [int(a) for a in order if analysis.prior[a] > 0][:MOVES_SHOWN]:
        visits, value = int(analysis.visits[action]), float(analysis.action_values[action])
        shown = f"{win_probability(value):.0%}" if two else f"{value:.2f}"
        table.add_row(
            _marked(game.action_name(action), action == analysis.action),
            Bar(1.0, 0.0, float(analysis.policy[action]), width=BAR_WIDTH, color="cyan"),
            str(visits),
            shown if visits else "-",
            f"{analysis.prior[action]:.0%}",
        )
    return table


def _marked(name: str, chosen: bool) -> Text:
    return Text(f"> {name}", style="bold") if chosen else Text(f"  {name}")
