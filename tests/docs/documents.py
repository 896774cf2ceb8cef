"""The repository's documents as tests see them: their files, fenced blocks, tables and links."""

from __future__ import annotations

import itertools
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "examples" / "README.md"])
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is that of its fence."""

    document: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks(language: str) -> list[Block]:
    found = []
    for document in DOCUMENTS:
        text = document.read_text()
        for match in _FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(document, line, match.group(1), match.group(2)))
    return [block for block in found if block.language == language]


def command_lines() -> list[tuple[str, list[str]]]:
    """Every command of a shell block, and every one after a prompt, as where it is and its words."""
    lines = []
    for block in blocks("sh"):
        for line in block.text.replace("\\\n", " ").splitlines():
            lines.append((str(block), shlex.split(line, comments=True)))
    for block in blocks("console"):
        prompted = [line.removeprefix("$ ") for line in block.text.splitlines() if line.startswith("$ ")]
        lines += [(str(block), shlex.split(line)) for line in prompted]
    return [(where, command) for where, words in lines for command in _commands(words)]


def _commands(words: list[str]) -> list[list[str]]:
    """The commands of a line, which `|` keeps apart."""
    groups = itertools.groupby(words, lambda word: word == "|")
    return [list(command) for is_pipe, command in groups if not is_pipe]


def inline_code(document: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", _FENCE.sub("", document.read_text()))


def table(document: Path, first_heading: str) -> list[list[str]]:
    """The rows below the heading row whose first cell is this."""
    lines = iter(document.read_text().splitlines())
    for line in lines:
        if line.startswith(f"| {first_heading} |"):
            break
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows
