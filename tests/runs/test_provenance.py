"""Where a run comes from."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from core.project import PROJECT
from runs import provenance


def test_all_that_figures_depend_on_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["muzero.py", "cartpole", "--seed", "3", "a b"])
    provenance.note(tmp_path, provenance.here())
    provenance.note(tmp_path, provenance.here(("weights from x",)))
    first, second = provenance.read(tmp_path)
    assert first["command"] == "python muzero.py cartpole --seed 3 'a b'"
    assert first["version"] == tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    assert first["packages"].keys() >= {"torch", "ray", "numpy", "numba", "gymnasium"}
    assert first["cores"] >= 1
    assert first["memory_gib"] > 0
    assert (first["began_with"], second["began_with"]) == ([], ["weights from x"])


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@x"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit_and_whether_files_differ_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "9.8.7"\n')
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    without = provenance.here()
    assert (without.version, without.commit, without.changed) == ("9.8.7", None, None)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    clean = provenance.here()
    assert (clean.commit, clean.changed) == (git(tmp_path, "rev-parse", "HEAD"), False)
    (tmp_path / "mygame.py").write_text("not tracked")
    assert provenance.here().changed is True, "the commit has no such game"
    (tmp_path / "mygame.py").unlink()
    assert provenance.here().changed is False
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "9.9"\n')
    assert provenance.here().changed is True


def test_a_damaged_file_is_no_end(tmp_path: Path) -> None:
    assert provenance.read(tmp_path) == []
    for text in ("{", "3", '[1, {"date": "x"}]'):
        (tmp_path / "provenance.json").write_text(text)
        assert provenance.read(tmp_path) == ([{"date": "x"}] if text.startswith("[") else [])
    provenance.note(tmp_path, provenance.here())
    assert len(json.loads((tmp_path / "provenance.json").read_text())) == 2


def test_the_processor_has_a_name(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("vendor_id\t: X\nmodel name\t: Fast 9000\nmodel name\t: Fast 9000\n")
    assert provenance.processor(tmp_path / "cpuinfo") == "Fast 9000"
    assert provenance.processor(tmp_path / "nothing")
