"""The package that pip installs: all of ours under `muzero.`, in any folder, beside anybody's modules."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from building import backend
from building.imports import prefixed
from core.project import PROJECT
from tests.helpers.small_runs import SMALL
from tests.test_floors import FLOORS

OURS = {"config", "core", "games"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the project, without asking any index."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", str(folder), str(PROJECT)], check=True)
    return folder


def run(site: Path, cwd: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A Python process in `cwd` that finds the installed package, and not the checkout."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HOME")}
    own = {"PYTHONPATH": str(site), "HOME": str(cwd / "home"), "NUMBA_CACHE_DIR": str(site / "kernels")}
    variables = kept | own | environment
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)


# --- import statements ---


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from core.errors import x", "from p.core.errors import x"),
        (
            "def f():\n    from games import a, b; import os",
            "def f():\n    from p.games import a, b; import os",
        ),
        ("import config", "import p.config as config"),
        ("import os, config, core as c", "import os, p.config as config, p.core as c"),
        ("if x:\n    'é'; import core.a as b", "if x:\n    'é'; import p.core.a as b"),
        ("from corea import x\nimport games_of", "from corea import x\nimport games_of"),
        ("text = 'from core import x'  # import config", "text = 'from core import x'  # import config"),
        ("from core import (\n    a,\n    b,\n)", "from p.core import (\n    a,\n    b,\n)"),
    ],
)
def test_import_statements_get_the_prefix_and_nothing_else_does(source: str, expected: str) -> None:
    assert prefixed(source, OURS, "p", "file.py") == expected


def test_an_import_without_a_name_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match=r"file\.py, line 2: write from"):
        prefixed("\nimport core.errors", OURS, "p", "file.py")


# --- what is in the package ---


def test_the_rooms_are_those_of_the_floors() -> None:
    rooms = {room for floor in FLOORS for room in floor}
    assert set(backend.ROOMS) == rooms - {"muzero", "docs", "benchmarks", "building"}


def test_nothing_of_ours_is_imported_without_the_prefix() -> None:
    staged = list(backend.staged())
    names = {file.name for file in staged}
    assert {"muzero/__init__.py", "muzero/config.py", "muzero/showing/web/assets/index.html"} <= names
    assert "muzero/results/pretrained/cartpole/best.checkpoint" in names
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]
    for file in staged:
        if file.name.endswith(".py"):
            text = file.content.decode()
            assert "python muzero.py" not in text, file.name
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Import):
                    modules = [alias.name for alias in node.names]
                else:
                    modules = [str(node.module)] if isinstance(node, ast.ImportFrom) else []
                assert not [m for m in modules if m.partition(".")[0] in backend.ROOMS], file.name


def test_names_of_modules_in_strings_go_through_the_helper() -> None:
    """`importlib.import_module("commands.train")` would find nothing of ours, or somebody else's."""
    direct = re.compile(r"import_module\(|__import__\(|\"-c\", [\"f]")
    allowed = {"core/project.py", "core/by_name.py", "games/api/sources.py", "runs/reports/wandb_log.py"}
    for path in backend._sources():
        name = str(path.relative_to(PROJECT))
        if path.suffix == ".py" and name not in allowed:
            assert not direct.search(path.read_text()), name


def test_the_same_sources_make_the_same_wheel(tmp_path: Path) -> None:
    made = []
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        name = backend.build_wheel(str(tmp_path / str(number)))
        made.append((tmp_path / str(number) / name).read_bytes())
    assert made[0] == made[1]
    with zipfile.ZipFile(tmp_path / "1" / name) as archive:
        metadata = archive.read("muzero_ray-0.1.0.dist-info/METADATA").decode()
    assert "Requires-Dist: torch>=2.13,<3\n" in metadata
    assert 'Requires-Dist: wandb>=0.20,<1; extra == "wandb"\n' in metadata


# --- the installed package ---

IMPORT_ALL = """
import pkgutil, sys, muzero
names = [found.name for found in pkgutil.walk_packages(muzero.__path__, "muzero.")]
for name in names:
    __import__(name)
flat = [name for name in ("config", "core", "games", "models", "data") if name in sys.modules]
print(len(names), flat)
"""


def test_every_module_can_be_imported(site: Path, tmp_path: Path) -> None:
    ran = run(site, tmp_path, "-c", IMPORT_ALL)
    assert ran.returncode == 0, ran.stderr
    number, _, flat = ran.stdout.strip().partition(" ")
    assert int(number) > 150
    assert flat == "[]"


def test_commands_say_what_is_to_be_typed(site: Path, tmp_path: Path) -> None:
    ran = run(site, tmp_path, "-m", "muzero", "--help")
    assert "muzero cartpole" in ran.stdout
    assert "muzero.py" not in ran.stdout
    written = run(site, tmp_path, "-m", "muzero", "new-game", "corridor")
    assert "muzero check-game corridor.py" in written.stdout
    assert (tmp_path / "corridor.py").exists(), "in the present folder, not in the package"
    checked = run(site, tmp_path, "-m", "muzero", "check-game", "corridor.py")
    assert "the game keeps the contract" in checked.stdout, checked.stderr
    wrong = run(site, tmp_path, "-m", "muzero", "cartpoel")
    assert (wrong.returncode, "did you mean 'cartpole'" in wrong.stderr) == (2, True)


HOSTILE = """
import sys
import config, core, data, games, models, search, trainer
from muzero import Agent, Callback, MuZero

OWN = (config, core, data, games, models, search, trainer)
assert all(module.MINE == 7 for module in OWN)

class Walk:
    def reset(self):
        import numpy as np
        import config, core, data, games, models, search, trainer
        assert all(one.MINE == 7 for one in (config, core, data, games, models, search, trainer))
        self.cell = 0
        return np.zeros((1, 1, 2), np.float32)

    def step(self, action):
        import numpy as np
        self.cell += 1
        return np.full((1, 1, 2), self.cell, np.float32), float(action), self.cell == 4

class Count(Callback):
    calls = 0
    def on_status(self, status):
        Count.calls += 1

if __name__ == "__main__":
    outcome = MuZero(Walk, {small!r}).train(callbacks=[Count()])
    assert outcome.counters.training_step == 50 and Count.calls > 0
    print(Agent.load("cartpole").act([0, 0, 0.01, 0]), outcome.agent.act([0, 0]) in (0, 1))
"""


def test_among_modules_of_the_same_names(site: Path, tmp_path: Path) -> None:
    """The program's imports find the program's files, here and in every actor, and ours find ours."""
    for name in ("config", "models", "data", "trainer"):
        (tmp_path / f"{name}.py").write_text("MINE = 7\n")
    for name in ("games", "core", "search"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("MINE = 7\n")
    (tmp_path / "program.py").write_text(HOSTILE.format(small=SMALL))
    ran = run(site, tmp_path, "program.py")
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert ran.stdout.rstrip().endswith("True")
    assert list((tmp_path / "results" / "walk").iterdir()), "runs go to the present folder"


def test_read_only_and_without_a_home(site: Path, tmp_path: Path) -> None:
    """The package may be another user's: nothing is written beside it."""
    before = {path for path in site.rglob("*") if "__pycache__" not in path.parts}
    ran = run(
        site,
        tmp_path,
        "-c",
        "from muzero import Agent; print(Agent.load('tictactoe').simulations)",
        HOME="/dev/null/home",
        NUMBA_CACHE_DIR="",
        TMPDIR=str(tmp_path),
        PYTHONDONTWRITEBYTECODE="1",
    )
    assert ran.returncode == 0, ran.stderr
    assert list(tmp_path.glob("muzero-ray-*/kernels-*")), "a private cache"
    assert {path for path in site.rglob("*") if "__pycache__" not in path.parts} == before
