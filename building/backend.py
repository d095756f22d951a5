"""Builds the package `muzero` that pip installs (PEP 517 and 660), with nothing but Python.

In a checkout the rooms lie side by side and import each other by their names (`from core.errors import ...`).
Among somebody's own modules such names would hide others, and be hidden: installed, all of ours is under
`muzero.`. `imports.py` writes that prefix into the import statements, `muzero.py` becomes the package's
`__init__.py`, and what a person is told to type begins with `muzero`, the command that pip makes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from building.imports import prefixed

ROOT = Path(__file__).parent.parent
PACKAGE = "muzero"
ROOMS = (
    *("arena", "checking", "commands", "config", "core", "data", "diagnosis", "games", "learning", "models"),
    *("networks", "playing", "replay_buffer", "runs", "saving", "search", "self_play", "shared_storage"),
    *("showing", "trainer", "tuning"),
)
"""What is ours beside `muzero.py`: files of the root, and packages."""
PRETRAINED = Path("results/pretrained")
LEFT_OUT = ("__pycache__",)
KEPT = (".py", ".js", ".css", ".html", ".svg", ".checkpoint", ".md")
"""Endings of the files that are installed."""
IN_A_CHECKOUT, INSTALLED = "python muzero.py", "muzero"
"""What a person types."""
MAIN = f'''"""`python -m {PACKAGE}`: the command line."""

from {PACKAGE} import main

if __name__ == "__main__":
    main()
'''
TIME = (1980, 1, 1, 0, 0, 0)
"""Of all files of a wheel, so that the same sources make the same one."""


class Packed(NamedTuple):
    """A file of the wheel."""

    name: str
    content: bytes


# --- what pip calls ---


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: Any = None) -> str:
    """Writes the wheel; returns its file's name."""
    return _write_wheel(Path(wheel_directory), list(staged()))


def build_editable(wheel_directory: str, config_settings: Any = None, metadata_directory: Any = None) -> str:
    """Writes a wheel that points to this checkout, whose rooms then are importable as they lie here."""
    pointer = Packed(f"{PACKAGE}-editable.pth", f"{ROOT}\n".encode())
    return _write_wheel(Path(wheel_directory), [pointer])


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """Writes an archive of the sources that a wheel is made from; returns its file's name."""
    project = _project()
    base = f"{_normal(project['name'])}-{project['version']}"
    target = Path(sdist_directory) / f"{base}.tar.gz"
    own = [ROOT / name for name in ("pyproject.toml", project["readme"], "LICENSE", f"{PACKAGE}.py")]
    with tarfile.open(target, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for path in (*(path for path in own if path.exists()), *_files("building"), *_sources()):
            archive.add(path, f"{base}/{path.relative_to(ROOT)}", recursive=False)
        information = tarfile.TarInfo(f"{base}/PKG-INFO")
        content = _metadata(project).encode()
        information.size = len(content)
        archive.addfile(information, io.BytesIO(content))
    return target.name


# --- the files ---


def staged() -> Iterator[Packed]:
    """The files of the installed package."""
    for path in (ROOT / f"{PACKAGE}.py", *_sources()):
        name = str(path.relative_to(ROOT))
        content = path.read_bytes()
        if path.suffix == ".py":
            source = prefixed(content.decode(), ROOMS, PACKAGE, name)
            content = source.replace(IN_A_CHECKOUT, INSTALLED).encode()
        yield Packed(f"{PACKAGE}/" + ("__init__.py" if name == f"{PACKAGE}.py" else name), content)
    yield Packed(f"{PACKAGE}/__main__.py", MAIN.encode())


def _sources() -> Iterator[Path]:
    """The files of all rooms, and the agents that ship."""
    for room in ROOMS:
        file = ROOT / f"{room}.py"
        yield from [file] if file.exists() else _files(room)
    yield from _files(str(PRETRAINED))


def _files(folder: str) -> Iterator[Path]:
    for path in sorted((ROOT / folder).rglob("*")):
        if path.is_file() and path.suffix in KEPT and not set(LEFT_OUT) & set(path.parts):
            yield path


# --- a wheel ---


def _write_wheel(folder: Path, files: list[Packed]) -> str:
    """Writes `files` with the metadata that belongs to them; returns the wheel's name."""
    project = _project()
    base = f"{_normal(project['name'])}-{project['version']}"
    information = f"{base}.dist-info"
    scripts = "".join(f"{name} = {target}\n" for name, target in project["scripts"].items())
    tag = "Wheel-Version: 1.0\nGenerator: muzero-ray\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = [
        *files,
        Packed(f"{information}/METADATA", _metadata(project).encode()),
        Packed(f"{information}/WHEEL", tag.encode()),
        Packed(f"{information}/entry_points.txt", f"[console_scripts]\n{scripts}".encode()),
    ]
    record = "".join(f"{file.name},sha256={_digest(file.content)},{len(file.content)}\n" for file in files)
    record += f"{information}/RECORD,,\n"
    target = folder / f"{base}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (*files, Packed(f"{information}/RECORD", record.encode())):
            member = zipfile.ZipInfo(file.name, TIME)
            member.external_attr = 0o644 << 16
            archive.writestr(member, file.content, zipfile.ZIP_DEFLATED)
    return target.name


def _digest(content: bytes) -> str:
    """As RECORD wants it: SHA-256, in URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _project() -> dict[str, Any]:
    """The table [project] of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def _normal(name: str) -> str:
    return name.replace("-", "_")


def _metadata(project: dict[str, Any]) -> str:
    """METADATA, by the core metadata specification 2.4."""
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"License-Expression: {project['license']}",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {requirement}" for requirement in project["dependencies"]),
    ]
    for extra, requirements in project["optional-dependencies"].items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f'Requires-Dist: {requirement}; extra == "{extra}"' for requirement in requirements]
    readme = (ROOT / project["readme"]).read_text(encoding="utf-8")
    return "\n".join([*lines, "Description-Content-Type: text/markdown", "", readme])
