"""Reads a report as a browser would, to ask what it holds and what it could load."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from html.parser import HTMLParser

from trainingrun.report.interactive import script

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Every element, attribute and text of a page; fails where an element is not closed in order."""

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.scripts += [""] if tag == "script" else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif data.strip() and self.open:
            self.texts.setdefault(self.open[-1], []).append(data.strip())

    def values(self, name: str) -> list[str]:
        return [value for _, key, value in self.attributes if key == name]

    @property
    def text(self) -> str:
        return " ".join(text for tag, texts in self.texts.items() if tag != "style" for text in texts)


def assert_loads_nothing(html: str, page: Page) -> None:
    """Nothing is loaded, and nothing runs but the report's own script, which is the same whatever the records hold."""
    assert not page.tags.keys() & {
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "form",
        "a",
        "base",
        "image",
    }
    names = {name for _, name, _ in page.attributes}
    assert not names & {"src", "href", "srcset", "xlink:href", "action", "data", "poster", "background"}
    assert not [name for name in names if name.startswith("on")]
    style = " ".join((*page.texts["style"], *page.values("style")))
    assert not re.search(r"url\s*\(|@import|expression", style, re.IGNORECASE)
    policy = next(value for value in page.values("content") if "default-src" in value)
    assert "default-src 'none'" in policy
    assert "img-src" not in policy and "connect-src" not in policy
    assert [value for tag, name, value in page.attributes if tag == "script" and name != "id"] == ["application/json"]
    data, program = page.scripts
    json.loads(data)
    assert program == script()
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
