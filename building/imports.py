"""Import statements of sources, with a prefix before the names of our own modules."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import NamedTuple


class Insertion(NamedTuple):
    """Text that comes into a source's line."""

    line: int  # from 0
    column: int  # in bytes of UTF-8
    text: str
    over: int = 0  # bytes after `column` that it replaces


def prefixed(source: str, rooms: Collection[str], package: str, file: str) -> str:
    """`source` with `package.` before each imported module of `rooms`; nothing else changes.

    `from core.errors import x` becomes `from package.core.errors import x`, `import config` becomes
    `import package.config as config`. Raises `ValueError`, with `file` and line, on what has no such form.
    """
    lines = source.encode().splitlines(keepends=True)
    for found in sorted(insertions(source, rooms, package, file), reverse=True):
        line = lines[found.line]
        lines[found.line] = line[: found.column] + found.text.encode() + line[found.column + found.over :]
    return b"".join(lines).decode()


def insertions(source: str, rooms: Collection[str], package: str, file: str) -> Iterator[Insertion]:
    """What has to come into `source`, and where."""

    def ours(name: str | None) -> bool:
        return name is not None and name.partition(".")[0] in rooms

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and ours(node.module):
            yield Insertion(node.lineno - 1, node.col_offset + len("from "), f"{package}.")
        elif isinstance(node, ast.Import):
            for alias in filter(lambda alias: ours(alias.name), node.names):
                if alias.asname is None and "." in alias.name:
                    raise ValueError(f"{file}, line {node.lineno}: write from ... import, or import ... as")
                kept = "" if alias.asname else f" as {alias.name}"
                name = f"{package}.{alias.name}{kept}"
                yield Insertion(alias.lineno - 1, alias.col_offset, name, len(alias.name))
