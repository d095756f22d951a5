"""The kernels' cache knows all sources, and lies where we may write."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from core import kernels
from core.project import PROJECT

CALLEE = "from core.kernels import cached_njit\n\n@cached_njit()\ndef inner(x):\n    return x + {}\n"
CALLER = (
    "from core.kernels import cached_njit\nfrom search.callee import inner\n\n"
    "@cached_njit()\ndef outer(x):\n    return inner(x) * {}\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with our cache and two kernels, of which one calls the other."""
    folder = tmp_path / "project"
    shutil.copytree(PROJECT / "core", folder / "core", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "search").mkdir()
    (folder / "search" / "callee.py").write_text(CALLEE.format(1))
    (folder / "search" / "caller.py").write_text(CALLER.format(10))
    return folder


def outer_of_one(project: Path) -> str:
    """What the kernel of a new process finds, and how often it found it in the cache."""
    code = "from search.caller import outer\nprint(outer(1), sum(outer.stats.cache_hits.values()))"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout.strip()


def test_a_changed_callee_in_another_file_is_noticed(project: Path) -> None:
    assert outer_of_one(project) == "20 0"
    assert outer_of_one(project) == "20 1"
    (project / "search" / "callee.py").write_text(CALLEE.format(2))
    assert outer_of_one(project) == "30 0"
    (project / "search" / "callee.py").write_text(CALLEE.format(1))
    assert outer_of_one(project).startswith("20 ")


def test_all_kernels_and_what_they_import_are_in_the_digest() -> None:
    found = {str(path.relative_to(PROJECT)) for path in kernels.sources()}
    assert {"search/mcts.py", "search/tree.py", "search/parameters.py", "core/supports.py"} <= found
    decorated = subprocess.run(
        ["git", "grep", "-lE", r"\bcached_njit\b", "--", "*.py", ":!tests", ":!benchmarks"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert len(decorated) > 8
    assert set(decorated) <= found


def test_nobody_caches_kernels_otherwise() -> None:
    """A `cache=True` elsewhere would not notice a changed callee."""
    for path in kernels.sources() - {PROJECT / "core" / "kernels.py"}:
        assert not re.search(r"cache\s*=\s*True", path.read_text()), path


def test_other_peoples_kernels_are_cached_where_they_were() -> None:
    before = numba.config.CACHE_DIR

    @kernels.cached_njit()
    def one() -> int:
        return 1

    assert before == numba.config.CACHE_DIR
    assert kernels.kernel_cache() in Path(one._cache._cache_path).parents
    assert one() == 1


def test_without_a_home_the_cache_is_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernels, "INSTALLED", True)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "home"))
    (tmp_path / "file").touch()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    folder = kernels._base()
    assert (folder.parent, stat.S_IMODE(folder.stat().st_mode)) == (tmp_path, 0o700)
    assert kernels._base() == folder, "it is found again"
    folder.chmod(0o777)
    other = kernels._base()
    assert other != folder, "what anybody can write to is not executed"
    shutil.rmtree(other)


def test_the_cache_of_an_installed_package_is_the_persons(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kernels, "INSTALLED", True)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kernels._base() == tmp_path / "muzero-ray"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "asked"))
    assert kernels._base() == tmp_path / "asked"


def test_old_caches_are_removed(tmp_path: Path) -> None:
    for number in range(kernels.KEPT + 3):
        folder = tmp_path / f"kernels-{number}"
        folder.mkdir()
        os.utime(folder, (number, number))
    kernels._remove_old(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"kernels-{n}" for n in (3, 4, 5, 6)]
