"""`python muzero.py diagnose GAME`: how far a learned model can be trusted, as a table and a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from arena.agents import chosen_agent
from commands._finding import game_and_agent
from commands._options import (
    Parser,
    add_board_size_option,
    add_checkpoint_option,
    add_game_argument,
    add_results_path_option,
    add_seed_option,
    command_parser,
    whole_number,
)
from core.errors import ConfigurationError
from core.progress import Progress
from core.wording import grouped
from diagnosis.extent import GAMES, MOVES, diagnosed
from games.api.sources import OWN_GAMES, GameFolder
from saving.files import check_writable

if TYPE_CHECKING:
    from diagnosis.diagnose import Diagnosis


def diagnose_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status."""
    parsed = _parser().parse(arguments)
    from diagnosis.diagnose import diagnose
    from saving.checkpoint import load_agent

    game = game_and_agent(parsed, games)
    agent = chosen_agent(parsed.checkpoint, game.name, parsed.results_path, games, parsed.board_size)
    path = agent.path
    found = load_agent(path, expect_game=game.name)
    config = diagnosed(found.config, parsed.seed, parsed.games, parsed.simulations)
    out = parsed.out or default_file(path, game.name, parsed.results_path)
    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigurationError(f"--out {out}: a diagnosis is a .html page")
    check_writable(out)
    agent.say()
    with Progress("playing", config.games_per_worker) as shown:

        def progress(done: int, games: int) -> None:
            shown.update(done, "comparing" if done == games else "")

        diagnosis = diagnose(game, config, found.weights, found.training_step, progress)
    subject = f"{path}, {grouped(found.training_step, 'update')}"
    write(out, diagnosis, subject)
    print(as_json(diagnosis, out) if parsed.json else summary(diagnosis, subject, out))
    return 0


def default_file(checkpoint: Path, game: str, results_path: Path) -> Path:
    """`diagnosis-<time>.html` in the run's folder, or among the game's results for what is no run."""
    from saving.run_folder import folder_for_files, time_stamp

    return folder_for_files(checkpoint, game, results_path) / f"diagnosis-{time_stamp()}.html"


def write(out: Path, diagnosis: Diagnosis, subject: str) -> None:
    """Writes the page."""
    from diagnosis.report import page

    out.write_text(page(diagnosis, subject), encoding="utf-8")


def summary(diagnosis: Diagnosis, subject: str, out: Path) -> str:
    """The checks, the figures and the verdict as text."""
    from diagnosis.report import played

    verdict = diagnosis.verdict
    lines = [f"{diagnosis.game}, {subject}", played(diagnosis), ""]
    lines += [
        f"  {check.name:40} {check.found:>8}  {check.wanted:14} {check.word}" for check in verdict.checks
    ]
    lines += ["", *(f"  {fact.name:40} {fact.text}" for fact in verdict.facts), ""]
    return "\n".join([*lines, verdict.text, f"report: {out}"])


def as_json(diagnosis: Diagnosis, out: Path) -> str:
    """The same as one JSON object."""
    verdict = diagnosis.verdict
    facts = {fact.name: fact.text for fact in verdict.facts}
    checks = [check._asdict() for check in verdict.checks]
    return json.dumps(
        {
            "level": verdict.level,
            "verdict": verdict.text,
            "checks": checks,
            "facts": facts,
            "report": str(out),
        }
    )


def _parser() -> Parser:
    parser = command_parser(
        "diagnose GAME",
        "Play games and compare what the learned model says of them with what happens: rewards, values and "
        "policies by horizon, latent drift, calibration, search trees. Prints a verdict, writes a page.",
        "diagnose tictactoe",
        "diagnose connect4 --checkpoint v0003 --out report.html",
    )
    add_game_argument(parser, with_agent=True)
    add_checkpoint_option(parser)
    parser.add_argument(
        "--games",
        metavar="INT",
        type=whole_number(1),
        help=f"default: {GAMES}, or {MOVES} moves' worth where games are short",
    )
    parser.add_argument(
        "--simulations", metavar="INT", type=whole_number(1), help="per move; default: the checkpoint's own"
    )
    add_seed_option(parser)
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="the page; default: diagnosis-<time>.html in the run's folder",
    )
    add_results_path_option(parser)
    add_board_size_option(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser
