"""`python muzero.py watch GAME`: games of a trained agent, live in the terminal or as a film."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arena.agents import chosen_agent, named_player
from commands._finding import game_and_agent
from commands._options import (
    Parser,
    add_agent_options,
    add_game_argument,
    add_opponent_option,
    command_parser,
    players_or,
    whole_number,
)
from core.errors import ConfigurationError
from core.progress import Progress
from games.api.sources import OWN_GAMES, GameFolder
from games.api.spec import check_learnable

if TYPE_CHECKING:
    from rich.text import Text

    from games.api.shown import ShownGame
    from games.api.spec import GameSpec
    from showing.moments import Moment

FRAMES_PER_SECOND = 25
"""Of games that draw themselves."""
MOVES_PER_SECOND = 2
"""Of games shown as text."""
TO_RUN_FOLDER = ""
"""What `--record` without a file is parsed as."""
PICTURE_COLUMNS = 72
BAR_COLUMNS = 30


def watch_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status."""
    parsed = _parser().parse(arguments)
    from showing.films import check_kind

    game = game_and_agent(parsed, games)
    check_learnable(game.config)
    agent = chosen_agent(parsed.checkpoint, game.name, parsed.results_path, games, parsed.board_size)
    checkpoint = agent.path
    film = None if parsed.record is None else film_path(parsed.record, checkpoint, parsed.results_path, game)
    if film is not None:
        check_kind(film)
    fps = parsed.fps or (FRAMES_PER_SECOND if game.can.draw_itself else MOVES_PER_SECOND)
    moments = _moments(game, checkpoint, parsed, games)
    agent.say()
    if film is not None:
        record(moments, film, fps, parsed.games)
    elif sys.stdout.isatty():
        show_live(begun(moments), fps)
    else:
        show_lines(begun(moments))
    return 0


def _moments(game: GameSpec, checkpoint: Path, parsed: Any, games: GameFolder) -> Iterator[Moment]:
    from arena.network_player import load_player
    from arena.players import checkpoint_player, make_others, seated
    from core.randomness import Stream, make_generator
    from showing.moments import WatchedAgent, watch

    agents = game.name, parsed.results_path, games
    named = [named_player(name, None, *agents) for name in parsed.opponent]
    others = make_others(seated(game, named) if named else (), game, 1, parsed.seed)
    player = load_player(checkpoint_player(checkpoint, parsed.simulations), game, 1, "cpu")
    exploration = make_generator(parsed.seed, Stream.WATCHED) if parsed.explore else None
    return watch(game, WatchedAgent(player, exploration), others, parsed.games, parsed.seed)


def film_path(asked: str, checkpoint: Path, results_path: Path, game: GameSpec) -> Path:
    """The file that `--record` means: as named, or a new one in the run's folder, or among the game's results
    for what is no run.
    """
    from saving.run_folder import folder_for_files, time_stamp

    if asked != TO_RUN_FOLDER:
        return Path(asked)
    return folder_for_files(checkpoint, game.name, results_path) / f"watch-{time_stamp()}.gif"


def begun(moments: Iterator[Moment]) -> Iterator[Moment]:
    """`moments`, whose first is there already: it takes long where code is compiled for it."""
    with Progress("watching", 1):
        first = list(itertools.islice(moments, 1))
    return itertools.chain(first, moments)


def record(moments: Iterator[Moment], path: Path, fps: float, games: int) -> None:
    """Writes the film `path`, and says how the games ended."""
    from showing.films import film_file, shoot

    pictures, endings = 0, []
    with Progress("recording", games) as shown, film_file(path, fps) as sink:
        for moment in shoot(moments, sink, fps):  # nothing is printed in here, whose errors are the film's
            pictures += 1
            if moment.action is None:
                endings.append(ending(moment))
            shown.update(len(endings), f"picture {pictures}")
    print(*endings, sep="\n")
    print(f"{pictures} pictures at {fps:g} a second: {path}, {path.stat().st_size / 2**20:.1f} MiB")


def show_lines(moments: Iterator[Moment]) -> None:
    """Prints the games to what is no terminal: every position with its caption."""
    from showing.moments import caption

    for moment in moments:
        print(*filter(None, [*caption(moment), moment.game.shown.text()]), sep="\n", end="\n\n")


def show_live(moments: Iterator[Moment], fps: float) -> None:
    """Shows the games in the terminal, one position over the other, at most `fps` in a second."""
    from rich.console import Console
    from rich.live import Live

    from showing.films import seconds_shown

    console = Console(highlight=False)
    pictures = console.color_system in ("256", "truecolor") and not console.no_color
    with Live(console=console, auto_refresh=False) as live:
        due = time.perf_counter()
        for moment in moments:
            time.sleep(max(0.0, due - time.perf_counter()))
            due = time.perf_counter() + seconds_shown(moment, fps)
            live.update(view(moment, pictures), refresh=True)
            if moment.action is None:
                console.print(ending(moment))


def ending(moment: Moment) -> str:
    """How a game went, in a line."""
    return f"game {moment.number}: {moment.game.outcome}"


def view(moment: Moment, pictures: bool) -> Text:
    """The moment for the terminal: the position (as a picture only if allowed), the caption, the value."""
    from rich.text import Text

    from showing.moments import caption

    lines = Text("\n".join(caption(moment)) + "\n")
    return Text.assemble(position(moment.game.shown, pictures), "\n\n", lines, value_bar(moment))


def position(game: ShownGame, pictures: bool) -> Text:
    """The game's own picture if that is wanted and it can draw one here, else its text."""
    if pictures and game.can.draw_itself:
        with contextlib.suppress(ConfigurationError):
            return picture(game)
    return coloured(game)


def coloured(game: ShownGame) -> Text:
    """The game's text with its stones in colour."""
    from showing.screen import board_picture

    return board_picture(game.text(), "", game.symbols)


def picture(game: ShownGame) -> Text:
    """The game's own picture in half blocks, two pixels to a character."""
    from rich.text import Text

    from showing.frames import fitted, frame

    drawn = frame(game)
    rows = round(PICTURE_COLUMNS * drawn.shape[0] / drawn.shape[1] / 2)
    small = fitted(drawn, PICTURE_COLUMNS, 2 * rows).tolist()
    text = Text()
    for row in range(rows):
        for above, below in zip(small[2 * row], small[2 * row + 1], strict=True):
            text.append("▀", f"rgb({','.join(map(str, above))}) on rgb({','.join(map(str, below))})")
        text.append("\n")
    return text


def value_bar(moment: Moment) -> Text:
    """How likely the first player of a game for two is to win, as a bar; nothing in a game for one."""
    from rich.text import Text

    from showing.analysis import win_probability

    value = moment.first_players_value
    if value is None or moment.game.players == 1:
        return Text()
    share = win_probability(value)
    filled = round(BAR_COLUMNS * share)
    bar = "█" * filled + "░" * (BAR_COLUMNS - filled)
    return Text(f"{moment.game.player_name(0)} wins {bar} {share:.0%}")


def _parser() -> Parser:
    parser = command_parser(
        "watch GAME",
        "Watch a trained agent play, or record it as a film.",
        "watch cartpole",
        "watch connect4 --opponent expert --games 2",
        "watch lunarlander --record landing.gif",
    )
    add_game_argument(parser, with_agent=True)
    add_agent_options(parser)
    parser.add_argument("--games", metavar="INT", type=whole_number(1), default=1, help="default: 1")
    parser.add_argument(
        "--explore", action="store_true", help="play as in self-play, with noise and temperature; else greedy"
    )
    parser.add_argument(
        "--record",
        metavar="FILE",
        nargs="?",
        const=TO_RUN_FOLDER,
        help="write a film, FILE.gif or FILE.mp4, instead of showing the games; without FILE, a GIF in the "
        "run's folder",
    )
    parser.add_argument(
        "--fps",
        metavar="INT",
        type=whole_number(1),
        help=f"positions in a second; default: {FRAMES_PER_SECOND} of games that draw themselves, else "
        f"{MOVES_PER_SECOND}",
    )
    add_opponent_option(parser, f"{players_or('an agent')}; default: itself")
    return parser
