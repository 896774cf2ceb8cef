"""Tables of the documentation that repeat what code says, and links between documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documents import DOCUMENTS, ROOT, inline_code, table

from trainingrun.contract.exits import Exit
from trainingrun.contract.records import KINDS
from trainingrun.spec.dataset import Format
from trainingrun.spec.recipe import Recipe
from trainingrun_trainer import hooks
from trainingrun_trainer.train.checkpoint_book import Writer

DOCS = ROOT / "docs"


def test_hooks_are_documented_with_their_signatures() -> None:
    assert {hook: called.strip("`") for hook, called in table(DOCS / "hooks.md", "Hook")} == hooks.SIGNATURES


def test_every_hook_has_a_field() -> None:
    named = {name for row in table(DOCS / "hooks.md", "To change") for name in re.findall(r"`(\w+)`", row[1])}
    assert named == {kind.split(" ")[0] for kind in hooks.SIGNATURES}
    assert named <= {field.alias or name for name, field in Recipe.model_fields.items()}


def test_exit_codes_are_those_of_the_training_process() -> None:
    documented = {(int(code), outcome) for code, outcome, _ in table(DOCS / "training.md", "Code")}
    assert documented == {(int(code), code.outcome) for code in Exit}


def test_kinds_of_records_are_those_that_there_are() -> None:
    assert [row[0].strip("`") for row in table(DOCS / "training.md", "Kind")] == list(KINDS)


def test_a_checkpoint_has_the_name_that_is_explained() -> None:
    name = Writer(attempt=0, generation=1).checkpoint_name(step=10, epoch=1)
    text = (DOCS / "training.md").read_text()
    assert set(re.findall(r"`(step-[^`]*)`", text)) == {name}
    assert "after 10 steps, to continue in epoch 1 (the first is 0), saved by attempt 0" in " ".join(text.split())


def test_formats_are_those_that_a_run_may_name() -> None:
    assert [row[0].strip("`") for row in table(DOCS / "data.md", "Format")] == list(Format.__args__)


def test_messages_that_are_seen_are_those_of_the_code() -> None:
    """A message may end or go on in `...`; its longest part must be somewhere in the code."""
    code = "\n".join(path.read_text() for package in ("operator", "images") for path in (ROOT / package).rglob("*.py"))
    messages = [seen.strip("`") for seen, _ in table(DOCS / "troubleshooting.md", "You see") if seen.startswith("`")]
    assert len(messages) > 5
    for message in messages:
        part = max(re.split(r'\.\.\.|"image"', message), key=len).strip()
        assert part in code, message


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", document.read_text()):
        if link.startswith("https://"):
            continue
        path, _, heading = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles], link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_paths_are_there(document: Path) -> None:
    tops = ("manifests/", "operator/", "images/", "tests/", "docs/", ".ci/", "requirements/")
    paths = [code for code in inline_code(document) if code.startswith(tops) and not re.search(r"[*<{ ]", code)]
    absent = [path for path in paths if not (ROOT / path).exists() and path != "operator/__init__.py"]
    assert absent == []
