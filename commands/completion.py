"""`python muzero.py completion bash`: has the shell complete commands, games, options and runs."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Sequence
from pathlib import Path

from commands import NAMES
from commands._options import PLAYERS, Parser, command_parser
from config import MuZeroConfig
from core.project import own_module
from games.api.sources import OWN_GAMES, GameFolder

BASH = """_muzero() {
    COMPREPLY=()
    local program="${COMP_WORDS[1]}"
    if [[ "${COMP_WORDS[0]}" == *muzero.py ]]; then
        local first=1
        program="${COMP_WORDS[0]}"
    elif [[ "$program" == *muzero.py ]]; then
        local first=2
    else
        return
    fi
    local IFS=$'\\n'
    local words=("${COMP_WORDS[@]:$first:COMP_CWORD-first+1}")
    local python="${COMP_WORDS[0]}"
    [[ "$python" == *muzero.py ]] && python=python3
    COMPREPLY=($("$python" "$program" completion words -- "${words[@]}" 2> /dev/null))
}
complete -o default -o bashdefault -F _muzero python python3 muzero.py
"""
ZSH = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n" + BASH
FISH = """function __muzero_words
    set -l words (commandline -opc)
    $words[1] $words[2] completion words -- $words[3..] (commandline -ct) 2> /dev/null
end
function __muzero_meant
    string match -q -- '*muzero.py' (commandline -opc)[2]
end
complete -c python -c python3 -n __muzero_meant -a '(__muzero_words)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
WORDS = "words"
"""Asked by the scripts: what may stand where the cursor is."""
WITH_ACTIONS = ("models", "runs")
OF_RUNS = ("resume", "plot", "runs", "doctor")
WITHOUT_GAME = ("new-game", "games")
AGENTS = ("--checkpoint", "--weights-from")
TAKE_PLAYERS = ("--opponent", "--player")
RUNS = ("--games-from",)


def completion_command(arguments: Sequence[str], games: GameFolder = OWN_GAMES) -> int:
    """Carries the command out; returns the exit status."""
    if arguments[:1] == [WORDS]:
        print("\n".join(candidates(list(arguments[2:]), games)))
        return 0
    parsed = _parser().parse(arguments)
    print(SCRIPTS[parsed.shell], end="")
    return 0


def candidates(words: Sequence[str], games: GameFolder = OWN_GAMES) -> list[str]:
    """What may stand in place of the last of the `words` behind `muzero.py`, and begins like it."""
    *before, current = words or [""]
    previous = before[-1] if before else ""
    if current.startswith("-"):
        found = _options(before, games)
    elif previous.startswith("--") and (values := _values(previous, before, games)):
        found = values
    else:
        found = _positional(before, games)
    return sorted({word for word in found if word.startswith(current)})


def _positional(before: Sequence[str], games: GameFolder) -> list[str]:
    """What may stand for a game, a run, or a command."""
    if not before:
        return [*NAMES, *games.names()]
    command, rest = before[0], [word for word in before[1:] if not word.startswith("-")]
    if command in WITH_ACTIONS and not rest:
        return list(_actions(command))
    if command == "models" and len(rest) > 1:
        return _agents(rest[1])
    if command in OF_RUNS:
        return [*games.names(), *_runs(None)]
    own = {"completion": list(SCRIPTS), "models": games.names()}
    takes_game = command in NAMES and command not in WITHOUT_GAME and not rest
    return own.get(command, games.names() if takes_game else [])


def _values(option: str, before: Sequence[str], games: GameFolder) -> list[str]:
    """What may stand behind an option: agents, runs, or the choices that the help names."""
    game = next((word for word in before if word in games.names()), None)
    if option in AGENTS and game:
        return _agents(game)
    if option in TAKE_PLAYERS:
        return [written.partition("[")[0] for written in PLAYERS]
    if option in RUNS:
        return _runs(game)
    text = " ".join(_help(before, games).split())
    _, found, behind = text.partition(f" {option} ")
    choices = re.match(r"{([^}]+)}", behind)
    if choices:
        return choices[1].split(",")
    own = behind.partition(" --")[0]
    words = re.search(r"\(([\w.:]+(?:\|[\w.:]+)+);", own)
    return [word for word in words[1].split("|") if ":" not in word] if found and words else []


def _options(before: Sequence[str], games: GameFolder) -> list[str]:
    """The options of the command, as its help lists them."""
    if not before:
        return ["--help", "--version"]
    return re.findall(r"^  (?:-\w, )?(--[\w-]+)", _help(before, games), re.MULTILINE)


def _help(before: Sequence[str], games: GameFolder) -> str:
    """The whole help of the command that the words begin."""
    named = before[0] in NAMES
    command, rest = (before[0], list(before[1:])) if named else ("train", list(before))
    action = rest[:1] if command in WITH_ACTIONS else []
    game = [word for word in rest if word in games.names()][:1] if command == "train" else []
    word = command.replace("-", "_")
    function = getattr(own_module(f"commands.{word}"), f"{word}_command")
    with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit, Exception):
        function([*action, *game, "--help", "all"], games)
    return shown.getvalue()


def _actions(command: str) -> list[str]:
    module = own_module(f"commands.{command}")
    return list(module.ACTIONS)


def _results() -> Path:
    return Path(MuZeroConfig().results_path)


def _runs(game: str | None) -> list[str]:
    """The runs under the usual folder of results, by their time and by their names."""
    from saving.run_folder import RUN_CONFIG, in_runs, named_runs

    found = in_runs(_results(), game, RUN_CONFIG)
    return [*(path.parent.name for path in found), *named_runs(_results(), game)]


def _agents(game: str) -> list[str]:
    """The agents of a game: versions, the one that ships, runs."""
    from arena.registry import Registry

    versions = [version.name for version in Registry(_results(), game).versions()]
    return [*versions, "shipped", *_runs(game)]


def _parser() -> Parser:
    parser = command_parser(
        "completion SHELL",
        "Prints what has the shell complete commands, games, options and runs with the Tab key.",
        'completion bash > ~/.muzero-completion; then put "source ~/.muzero-completion" into ~/.bashrc',
        "completion zsh > ~/.muzero-completion; then likewise into ~/.zshrc",
        "completion fish > ~/.config/fish/completions/python.fish",
    )
    parser.add_argument("shell", metavar="SHELL", choices=tuple(SCRIPTS), help="bash, zsh or fish")
    return parser
