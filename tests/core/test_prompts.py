"""Prompts on a real terminal."""

from __future__ import annotations

import sys

import pexpect

from core.project import PROJECT

PROGRAM = "from core.prompts import read_line; print([read_line('> '), read_line('> '), read_line('> ')])"
UP, LEFT = "\x1b[A", "\x1b[D"


def test_lines_are_edited_and_found_again() -> None:
    child = pexpect.spawn(sys.executable, ["-c", PROGRAM], cwd=str(PROJECT), encoding="utf-8", timeout=30)
    child.expect("> ")
    child.sendline("fist" + LEFT + LEFT + "r")
    child.expect("> ")
    child.sendline(UP)
    child.expect("> ")
    child.sendline("  third ")
    child.expect(r"\['first', 'first', 'third'\]")
