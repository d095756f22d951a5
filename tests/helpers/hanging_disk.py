"""A player whose disk takes nothing for a while."""

from __future__ import annotations

import dataclasses
import time
from functools import partial
from pathlib import Path

from runs.actors import self_play
from runs.actors.self_play import SELF_PLAY
from runs.actors.writing import Place, Write
from saving.checkpoint import Written

HANGS = "hangs"
"""A file in the run's folder: as long as it is there, a write does not end."""


class SelfPlayActor(self_play.SelfPlayActor):
    """Writes its part when the disk lets it."""

    def _write_of(self, place: Place) -> Write:
        return partial(_when_it_may, super()._write_of(place))


def _when_it_may(write: Write, folder: Path) -> Written:
    while (folder.parent.parent / HANGS).exists():
        time.sleep(0.05)
    return write(folder)


ROLE = dataclasses.replace(SELF_PLAY, shell=SelfPlayActor)
