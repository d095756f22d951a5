"""The pages and the heads of files name what there is: files, folders, classes, functions, links.

`docs/how-it-works.md` follows a position through the code, so that whoever renames a function mends it here.
A name is what stands in backquotes: `path/file.py`, `path/file.py:function`, `path/file.py:Class.method`,
`Class`, `Class.method` or `folder/`. Files of a reader's own have a placeholder: `games/<name>.py`.
"""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from core.project import PROJECT
from tests.test_floors import FLOORS, project_files

PAGES = ["docs/how-it-works.md", "CONTRIBUTING.md", "docs/words.md", "README.md"]
"""Whose every name is looked up; in all others, and in the code, files are."""
MADE_BY_READERS = {"games/corridor.py", "games/NAME.py", "gated.py", "optimistic.py"}


class Defined(NamedTuple):
    """The names that a file defines at its top and in its classes."""

    names: frozenset[str]  # functions, classes, constants
    members: frozenset[str]  # Class.method and Class.attribute


@functools.cache
def tracked() -> frozenset[str]:
    """All files that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return frozenset(path for path in listed.stdout.splitlines() if (PROJECT / path).exists())


def names_bound(body: list[ast.stmt]) -> Iterator[str]:
    """What the statements of a module or a class define."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.AnnAssign):
            yield ast.unparse(node.target)
        elif isinstance(node, ast.Assign):
            targets = (found for target in node.targets for found in ast.walk(target))
            yield from (found.id for found in targets if isinstance(found, ast.Name))


@functools.cache
def defined(path: str) -> Defined:
    """What the file `path` defines."""
    body = ast.parse((PROJECT / path).read_text("utf-8")).body
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    members = {f"{node.name}.{name}" for node in classes for name in names_bound(node.body)}
    return Defined(frozenset(names_bound(body)), frozenset(members))


@functools.cache
def defined_anywhere() -> Defined:
    """What all of our files define."""
    found = [defined(path) for path in project_files()]
    return Defined(
        frozenset().union(*(each.names for each in found)),
        frozenset().union(*(each.members for each in found)),
    )


def spans(text: str) -> list[str]:
    """What stands in backquotes, but for blocks of code."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def missing_file(name: str, folder: str) -> bool:
    """Whether there is no file `name`, from the root or beside a file in `folder`."""
    places = {name, (Path(folder) / name).as_posix()}
    return not places & tracked() and name not in MADE_BY_READERS


def wrong_names(text: str, folder: str = "") -> list[str]:
    """The names in `text` that nothing bears."""
    wrong = []
    for span in spans(text):
        for path, name in re.findall(r"(?<![\w/>.*-])([\w/]+\.py)\b(?::([A-Za-z_][\w.]*\w))?", span):
            if missing_file(path, folder):
                wrong.append(path)
            elif name and name not in defined(path).names | defined(path).members:
                wrong.append(f"{path}:{name}")
        whole = span.removesuffix("(arguments)")
        if re.fullmatch(r"[A-Z]\w*[a-z]\w*(\.\w+)*", whole):
            known = defined_anywhere()
            wrong += [whole] if whole not in known.names | known.members else []
        if re.fullmatch(r"[\w/]+/", whole) and not (PROJECT / whole).is_dir():
            wrong.append(whole)
        room = re.fullmatch(r"([a-z_]+(?:\.[a-z_]+)*)\.([A-Z]\w+)", whole)
        if room and (path := room[1].replace(".", "/") + ".py") in tracked():
            wrong += [whole] if room[2] not in defined(path).names else []
    return wrong


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def broken_links(page: str) -> list[str]:
    """The links of a page to files or headings that do not exist."""
    text, wrong = (PROJECT / page).read_text("utf-8"), []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http:", "https:")):
            continue
        path, _, anchor = link.partition("#")
        target = (PROJECT / page).parent / path if path else PROJECT / page
        known = target.exists() and (
            not anchor or anchor in map(slug, re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.M))
        )
        wrong += [] if known else [link]
    return wrong


def all_pages() -> list[str]:
    return sorted(path for path in tracked() if path.endswith(".md"))


@pytest.mark.parametrize("page", PAGES)
def test_every_name_on_the_page_exists(page: str) -> None:
    assert not wrong_names((PROJECT / page).read_text("utf-8"))


@pytest.mark.parametrize("page", [page for page in all_pages() if page != "docs/experiments.md"])
def test_every_file_that_a_page_names_exists(page: str) -> None:
    wrong = wrong_names((PROJECT / page).read_text("utf-8"))
    assert not [name for name in wrong if ".py" in name]


@pytest.mark.parametrize("path", project_files())
def test_every_file_that_the_code_names_exists(path: str) -> None:
    """In comments and docstrings, from the root or beside the file itself."""
    wrong = wrong_names((PROJECT / path).read_text("utf-8"), str(Path(path).parent))
    assert not [name for name in wrong if ".py" in name]


@pytest.mark.parametrize("page", all_pages())
def test_every_link_leads_somewhere(page: str) -> None:
    assert not broken_links(page)


def test_the_position_passes_all_boxes() -> None:
    way = (PROJECT / PAGES[0]).read_text("utf-8").split("## One position")[1].split("\n## ")[0]
    boxes = ["self_play.py", "search/mcts.py", "replay_buffer.py", "learning/targets.py", "trainer.py"]
    assert all(f"`{box}:" in way for box in [*boxes, "shared_storage.py", "runs/ray_run.py"])


def test_contributing_has_the_floors() -> None:
    text = (PROJECT / "CONTRIBUTING.md").read_text("utf-8").split("From the ground up")[1]
    block = text.split("\n\n")[1].splitlines()
    floors = [tuple(re.sub(r"\.py$|/$", "", name) for name in line.split()) for line in block]
    assert floors == FLOORS


def test_a_wrong_name_is_found() -> None:
    text = (
        "`nowhere.py` `data.py:Nothing` `trainer.py:Trainer.nothing` `Nothing.here` `Trainer.nothing` "
        "`nowhere/` `python old_name.py word` `data.Nothing`"
    )
    found = wrong_names(text)
    assert found == [
        *("nowhere.py", "data.py:Nothing", "trainer.py:Trainer.nothing", "Nothing.here", "Trainer.nothing"),
        *("nowhere/", "old_name.py", "data.Nothing"),
    ]


def test_right_names_are_not() -> None:
    text = (
        "`data.py` `data.py:Batch.weights` `learning/targets.py:PAST` `Trainer.train` `runs/reports/` "
        "`games/<name>.py` `python muzero.py cartpole` `data.Snapshot` `muzero.py`, `best.checkpoint`"
    )
    assert not wrong_names(text)
    assert not wrong_names("`tree.py`", "search")
    assert wrong_names("`tree.py`") == ["tree.py"]


def test_broken_links_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(
        "# A, b\n[x](#a-b) [y](#c) [z](page.md#a-b) [w](gone.md) [v](https://x.y)"
    )
    monkeypatch.setattr("tests.docs.test_how_it_works.PROJECT", tmp_path)
    assert broken_links("page.md") == ["#c", "gone.md"]
