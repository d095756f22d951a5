"""Command-line options derived from the fields of the configuration, and their `--help`."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import re
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from commands._options import Parser
from config import MuZeroConfig, field_docs, field_types, parse_option
from core.errors import ConfigurationError
from core.options import FieldDoc, kind_of, parse_json_object
from saving.reading import CONFIGURATION, read_text

TRUTHS = {"true": "true", "false": "false", "yes": "true", "no": "false", "on": "true", "off": "false"}
TRUTHS |= {"none": "none", "null": "none"}
_NEGATIVE_NUMBER = re.compile(r"-[\d.]")


FIRST = (
    *("num_simulations", "search", "discount", "td_steps", "lr_init", "batch_size", "ratio"),
    *("replay_buffer_size", "training_steps", "training_minutes", "target_reward", "games_per_worker"),
    *("num_workers", "num_reanalyse_workers", "network", "channels", "blocks", "opponents"),
    *("seed", "results_path"),
)
"""The fields that people change first."""
FACTS = ("observation_shape", "action_space", "players")
"""The game's own: a run's `config.json` has them, but nobody chooses them."""
ALL = "all"
"""Behind `--help`: every option is shown."""


def option_name(field: str) -> str:
    """The option of a field: `--per-alpha` for `PER_alpha`."""
    return "--" + field.lower().replace("_", "-")


def asks_help(arguments: Sequence[str]) -> bool:
    """Whether help is asked for."""
    return bool({"-h", "--help", f"--help={ALL}"} & set(arguments))


def shown_fields(arguments: Sequence[str], possible: Collection[str] | None = None) -> list[str]:
    """The fields whose options the help shows: all after `--help all`, else those that matter first.

    Of all of them only the `possible` ones.
    """
    words = [word for argument in arguments for word in argument.split("=")]
    every = any(pair in (("-h", ALL), ("--help", ALL)) for pair in itertools.pairwise(words))
    names = [name for name in field_docs() if name not in FACTS] if every else FIRST
    return [name for name in names if possible is None or name in possible]


def add_config_options(parser: Parser, defaults: MuZeroConfig | None, shown: Collection[str]) -> None:
    """Adds one option for every field; the help has those that are `shown`, with their values in `defaults`
    (without: a run's own).

    A parsed option is text under the field's name; `config_values` gives it its type.
    """
    types, docs = field_types(), field_docs()
    groups: dict[str, Any] = {}
    names = [*shown, *(name for name in docs if name not in shown)]
    for name in names:
        title = f"{docs[name].group} options" if not set(shown) <= set(FIRST) else MATTER_FIRST
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        kind = kind_of(types[name], docs[name])
        usual = "the run's own" if defaults is None else json.dumps(getattr(defaults, name))
        text = _help(kind, docs[name], usual).replace("%", "%%")
        groups[title].add_argument(
            option_name(name),
            dest=name,
            default=argparse.SUPPRESS,
            metavar=_metavar(kind),
            help=text if name in shown else argparse.SUPPRESS,
        )


MATTER_FIRST = "options of a training that matter first (--help all shows the rest)"


def _metavar(kind: str) -> str:
    if kind.startswith("list"):
        return "LIST"
    words = {"int": "INT", "float": "FLOAT", "bool": "[BOOL]", "str": "TEXT"}
    return words.get(kind.removesuffix(" or none"), "VALUE")


def _help(kind: str, doc: FieldDoc, default: str) -> str:
    return f"{doc.doc} ({kind}{_bounds(doc)}; default {default})"


def _bounds(doc: FieldDoc) -> str:
    low, high = math.isfinite(doc.low), math.isfinite(doc.high)
    if low and high:
        return f" from {doc.low:g} to {doc.high:g}"
    if low or high:
        return f", at least {doc.low:g}" if low else f", at most {doc.high:g}"
    return ""


def config_values(parsed: argparse.Namespace) -> dict[str, Any]:
    """The fields that were given as options, typed. Raises `ConfigurationError`."""
    return {name: parse_option(name, text) for name, text in vars(parsed).items() if name in field_docs()}


def file_values(path: Path | None) -> dict[str, Any]:
    """The fields in a JSON file, as the configuration takes them; none without a file.

    Raises `ConfigurationError` when it cannot be read or holds no JSON object.
    """
    if path is None:
        return {}
    try:
        text = read_text(path, CONFIGURATION)
    except OSError as error:
        raise ConfigurationError(f"--config {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"--config {path} is not text") from None
    return parse_json_object(text, f"--config {path}")


def canonical(arguments: Sequence[str]) -> list[str]:
    """`arguments` with every spelling of a field's option in one form.

    Field names as written (`--PER_alpha`), `--flag` and `--no-flag` of a boolean, and negative numbers as
    values become `--per-alpha`, `--flag=true`, `--flag=false` and `--option=-1`.
    """
    types = field_types()
    fields = {option_name(name): name for name in types}
    docs = field_docs().items()
    present = {option_name(old): option_name(name) for name, doc in docs for old in doc.formerly}
    result: list[str] = []
    rest = list(arguments)
    while rest:
        head, equals, value = rest.pop(0).partition("=")
        if (head, value) == ("--help", ALL):
            equals = value = ""
        option = _spelled(head)
        option = present.get(option, option)
        if option in fields and _is_truth(types[fields[option]]):
            if not equals:
                value = rest.pop(0) if rest and rest[0].lower() in TRUTHS else "true"
            result.append(f"{option}={TRUTHS.get(value.lower(), value)}")
        elif option in fields:
            if not equals and rest and _NEGATIVE_NUMBER.match(rest[0]):
                equals, value = "=", rest.pop(0)
            result.append(option + equals + value)
        elif _is_negation(option, fields, types) and not equals:
            result.append(f"--{option.removeprefix('--no-')}=false")
        else:
            result.append(head + equals + value)
    return result


def _spelled(head: str) -> str:
    return head.lower().replace("_", "-") if head.startswith("--") else head


def _is_negation(option: str, fields: dict[str, str], types: dict[str, Any]) -> bool:
    field = fields.get("--" + option.removeprefix("--no-"))
    return option.startswith("--no-") and field is not None and _is_truth(types[field])


def _is_truth(kind: Any) -> bool:
    """Whether a field is true or false, or also left open."""
    return kind in (bool, bool | None)


def say_without_effect(config: MuZeroConfig, given: Collection[str], *, local: bool = False) -> None:
    """Says on stderr which of the options `given` change nothing in a run of `config`."""
    from runs.without_effect import without_effect

    for line in without_effect(config, given, local=local, called=option_name):
        print(f"note: {line}", file=sys.stderr)
