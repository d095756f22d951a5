"""What an option chooses by name: one of ours by a word, anybody's by where its class is.

`MODULE:CLASS` names a class that can be imported, and `MODULE:CLASS(OPTION=VALUE, ...)` gives values to the
fields of one that is a dataclass. A name is text: it goes through command lines, JSON, checkpoints and other
processes as it is, and each process finds for itself what it means.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, NamedTuple, TypeVar, cast

from core.errors import ConfigurationError, did_you_mean
from core.options import coerce
from core.project import own_module

T = TypeVar("T")

PLACE = "MODULE:CLASS"


class _Place(NamedTuple):
    """Where a class is, and what it is called with."""

    module: str
    name: str
    options: dict[str, Any]


@dataclass(frozen=True)
class ByName(Generic[T]):
    """The things that one option chooses among: all are made by subclasses of `base`."""

    option: str
    base: type[Any]
    ours: Mapping[str, str]  # by name `MODULE:CLASS`, as the module is called in a checkout

    @property
    def names(self) -> tuple[str, ...]:
        """Of ours."""
        return tuple(self.ours)

    @property
    def choices(self) -> tuple[str, ...]:
        """What the option may be."""
        return (*self.names, PLACE)

    def find(self, text: str) -> T:
        """What `text` names. Raises `ConfigurationError` when there is no such thing or it cannot be made."""
        if text in self.ours:
            module, _, name = self.ours[text].partition(":")
            return cast(T, getattr(own_module(module), name)())
        said = f"{self.option}={text!r}"
        if ":" not in text:
            guess = did_you_mean(text, list(self.ours))
            raise ConfigurationError(f"{said} must be {'|'.join(self.choices)}{guess}")
        place = _parsed(text, said)
        found = getattr(_imported(place.module, said), place.name, None)
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise ConfigurationError(
                f"{said}: {place.module} defines no class {place.name} derived from {self.base.__name__}"
            )
        return cast(T, _made(found, place.options, said))

    def check(self, text: str) -> None:
        """Raises `ConfigurationError` when `text` names nothing; ours are not imported for that."""
        if text not in self.ours:
            self.find(text)

    def folders(self, text: str) -> list[str]:
        """Where other processes on this machine have to look for what `text` names; none for ours."""
        if text in self.ours:
            return []
        module = _imported(_parsed(text, f"{self.option}={text!r}").module.partition(".")[0], "")
        inside = getattr(module, "__path__", None)  # a package's own folder
        return [str(Path(next(iter(inside)) if inside else module.__file__ or "").parent)]


def _parsed(text: str, said: str) -> _Place:
    """The parts of `MODULE:CLASS` or `MODULE:CLASS(OPTION=VALUE, ...)`."""
    module, _, rest = text.partition(":")
    try:
        tree = ast.parse(rest.strip(), mode="eval").body
        call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
        options = {given.arg: ast.literal_eval(given.value) for given in call.keywords}
    except (SyntaxError, ValueError):
        call, options = ast.Call(ast.Constant(None), [], []), {}
    named = {name: value for name, value in options.items() if name is not None}
    if not isinstance(call.func, ast.Name) or call.args or not module or len(named) < len(options):
        raise ConfigurationError(f"{said} must be {PLACE} or {PLACE}(OPTION=VALUE, ...)")
    if module == "__main__":
        raise ConfigurationError(
            f"{said}: other processes cannot import a program; put it into its own module"
        )
    return _Place(module, call.func.id, named)


def _imported(module: str, said: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ConfigurationError(f"{said}: importing {module} failed: {error}") from error
        where = "put its folder into PYTHONPATH, or install it"
        raise ConfigurationError(f"{said}: there is no module {error.name} to import; {where}") from None
    except Exception as error:  # whatever somebody's module raises
        what = f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"{said}: importing {module} failed: {what}") from error


def _made(found: type[Any], options: Mapping[str, Any], said: str) -> Any:
    known = [field.name for field in dataclasses.fields(found)] if dataclasses.is_dataclass(found) else []
    for name in options:
        if name not in known:
            guess = did_you_mean(name, known)
            raise ConfigurationError(f"{said}: {found.__name__} has no option {name!r}{guess}")
    types = typing.get_type_hints(found)
    values = {name: coerce(types[name], value, f"{said}: {name}") for name, value in options.items()}
    try:
        return found(**values)
    except ConfigurationError as error:
        raise ConfigurationError(f"{said}: {error}") from error
    except TypeError as error:  # a field is missing, or a method is
        raise ConfigurationError(f"{said}: {error}") from error
