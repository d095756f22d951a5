"""What an option chooses by name: ours by a word, anybody's by the place of a class."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.by_name import ByName
from core.errors import ConfigurationError
from core.project import PROJECT


class Thing:
    """What is chosen."""


@dataclass(frozen=True)
class Sized(Thing):
    """With options of its own."""

    layers: tuple[int, ...] = (3,)
    rate: float = 0.5

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise ConfigurationError("rate must not be negative")


@dataclass(frozen=True)
class Demanding(Thing):
    """One option has to be given."""

    size: int


class Other:
    """No thing."""


THINGS: ByName[Thing] = ByName(
    "thing", Thing, {"path": "pathlib:Path", "error": "core.errors:ConfigurationError"}
)
HERE = __name__


def test_ours_are_found_by_their_names() -> None:
    assert isinstance(THINGS.find("error"), ConfigurationError)
    assert THINGS.names == ("path", "error")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{HERE}:Sized", Sized()),
        (f"{HERE}:Sized()", Sized()),
        (f"{HERE}:Sized(layers=[4, 5], rate=1)", Sized((4, 5), 1.0)),
        (f"{HERE}: Demanding(size=-2)", Demanding(-2)),
    ],
)
def test_anybodys_are_found_by_where_they_are(text: str, expected: Thing) -> None:
    assert THINGS.find(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pth", "thing='pth' must be path|error|MODULE:CLASS, did you mean 'path'?"),
        (
            "nowhere_at_all:Thing",
            "there is no module nowhere_at_all to import; put its folder into PYTHONPATH",
        ),
        ("core.nowhere:Thing", "there is no module core.nowhere to import"),
        ("__main__:Sized", "other processes cannot import a program; put it into its own module"),
        (f"{HERE}:Missing", f"{HERE} defines no class Missing derived from Thing"),
        (f"{HERE}:Other", f"{HERE} defines no class Other derived from Thing"),
        (f"{HERE}:HERE", f"{HERE} defines no class HERE derived from Thing"),
        (f"{HERE}:Sized(rate)", "must be MODULE:CLASS or MODULE:CLASS(OPTION=VALUE, ...)"),
        (f"{HERE}:Sized(rate=print(1))", "must be MODULE:CLASS or MODULE:CLASS(OPTION=VALUE, ...)"),
        (f"{HERE}:Sized(**{{'rate': 1}})", "must be MODULE:CLASS or MODULE:CLASS(OPTION=VALUE, ...)"),
        (f"{HERE}:", "must be MODULE:CLASS or MODULE:CLASS(OPTION=VALUE, ...)"),
        (":Sized", "must be MODULE:CLASS or MODULE:CLASS(OPTION=VALUE, ...)"),
        (f"{HERE}:Sized.real", "must be MODULE:CLASS or MODULE:CLASS(OPTION=VALUE, ...)"),
        (f"{HERE}:Sized(rat=1)", "Sized has no option 'rat', did you mean 'rate'?"),
        (f"{HERE}:Sized(rate='x')", "rate='x' must be float"),
        (f"{HERE}:Sized(rate=-1.0)", "rate must not be negative"),
        (f"{HERE}:Demanding", "missing 1 required positional argument: 'size'"),
        (f"{HERE}:Thing(size=1)", "Thing has no option 'size'"),
    ],
)
def test_what_names_nothing_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        THINGS.find(text)
    assert said in str(caught.value)
    assert f"thing={text!r}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("1 / 0", "importing faulty failed: ZeroDivisionError: division by zero"),
        ("def", "importing faulty failed: SyntaxError: "),
        ("import not_there_either", "importing faulty failed: No module named 'not_there_either'"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(
    source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faulty.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        THINGS.find("faulty:Thing")
    assert said in str(caught.value)


def test_it_may_be_a_module_in_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "somebodys").mkdir()
    source = f"from {HERE} import Thing\nclass Own(Thing):\n    pass\n"
    (tmp_path / "somebodys" / "module.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    found: Any = THINGS.find("somebodys.module:Own")
    assert (type(found).__name__, isinstance(found, Thing)) == ("Own", True)
    assert THINGS.folders("somebodys.module:Own") == [str(tmp_path)]


def test_other_processes_are_told_where_to_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "single.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert THINGS.folders("single:Thing(size=1)") == [str(tmp_path)]
    assert THINGS.folders(f"{HERE}:Sized") == [str(PROJECT)]
    assert THINGS.folders("path") == []
