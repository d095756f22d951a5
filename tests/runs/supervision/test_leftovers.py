"""Folders of Ray that runs were killed with are removed, and only those."""

from __future__ import annotations

from pathlib import Path

from runs.supervision.leftovers import MARK, SessionFolder, remove_left_over


def session(parent: Path, name: str, marked: bool) -> Path:
    """A folder as Ray makes it."""
    folder = parent / f"session_{name}"
    (folder / "logs").mkdir(parents=True)
    if marked:
        (folder / MARK).touch()
    return folder


def test_only_what_a_killed_run_has_left_is_removed(tmp_path: Path) -> None:
    killed, cluster = session(tmp_path, "killed", True), session(tmp_path, "cluster", False)
    running = SessionFolder(session(tmp_path, "running", False))
    somewhere = session(tmp_path / "elsewhere", "linked", True)
    (tmp_path / "session_link").symlink_to(somewhere)
    remove_left_over(tmp_path)
    assert not killed.exists()
    assert cluster.exists()
    assert (running.path / "logs").exists()
    assert somewhere.exists()


def test_a_folder_goes_with_the_link_to_it_and_leaves_that_to_another(tmp_path: Path) -> None:
    first, second = (SessionFolder(session(tmp_path, name, False)) for name in ("one", "two"))
    newest = tmp_path / "session_latest"
    newest.symlink_to(second.path)
    first.remove()
    assert newest.is_symlink()
    second.remove()
    assert list(tmp_path.iterdir()) == []
