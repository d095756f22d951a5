"""Damaged files of all kinds end in one line: no traceback, no long wait, no gigabyte, nothing elsewhere.

`python -m benchmarks.mutants` reads thousands; here are a few hundred, always the same.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.saving import mutants

COUNT = 300
PARTS = 4


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mutants")
    mutants.warm(folder)
    return folder


@pytest.mark.parametrize("part", range(PARTS))
def test_every_mutant_is_read_or_refused_in_a_line(root: Path, part: int) -> None:
    found = list(mutants.outcomes(root, COUNT // PARTS, seed=1000 * part))
    assert [outcome for outcome in found if outcome.faulty] == []
    refused = sum("error:" in outcome.said for outcome in found)
    assert refused > COUNT // PARTS // 3, "many are so bad that they must be refused"


def test_what_is_whole_is_read(root: Path) -> None:
    for kind in mutants.KINDS.values():
        for action in kind.read(mutants.prepared(root, kind.apart)):
            assert action() == 0
