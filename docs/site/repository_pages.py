"""Makes the site's pages of the repository's files, for mkdocs: links lead to the same places on both.

Pages outside docs/ that readers need become pages of the site, every other file that a page links to becomes a copy in
`files/`, and a link to a folder becomes plain text. Headings have the anchors that hosts of repositories give them. It
must not change what a page says.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
# Pages outside docs/, and what they are called on the site.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "code_of_conduct.md",
    "bench/README.md": "bench.md",
    "examples/README.md": "examples.md",
}
_SOURCES = {page: source for source, page in PAGES.items()}
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[([^\[\]]*)\]\(([^)\s]+)\)")


def anchor(title: str, separator: str = "-") -> str:
    """The anchor of a heading, as hosts of repositories make it."""
    return re.sub(r"[^\w -]", "", title).lower().replace(" ", separator)


def on_config(config: MkDocsConfig) -> None:
    """Give headings the repository's anchors."""
    config.mdx_configs["toc"]["slugify"] = anchor


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages outside docs/, and copies of the files that pages link to."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    linked = {
        target
        for file in list(files.documentation_pages())
        for target in _targets(_repository_path(file.src_uri), Path(str(file.abs_src_path)).read_text())
    }
    for target in sorted(linked):
        if _is_copied(target):
            files.append(File.generated(config, f"files/{target}", abs_src_path=str(ROOT / target)))


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let links lead to the site's pages and copies."""
    return relinked(page.file.src_uri, markdown)


def relinked(page: str, markdown: str) -> str:
    """The text of a page with its links as the site needs them; links to folders become their text."""
    source = _repository_path(page)

    def one(match: re.Match[str]) -> str:
        bang, text, link = match.groups()
        target, mark, heading = _split(source, link)
        if target is None:
            return f"{bang}[{text}]({link})"
        if (ROOT / target).is_dir():
            return text
        place = posixpath.relpath(_site_path(target), posixpath.dirname(page) or ".")
        return f"{bang}[{text}]({place}{mark}{heading})"

    parts = _FENCE.split(markdown)
    return "".join(part if part.startswith("```") else _LINK.sub(one, part) for part in parts)


def _targets(source: str, markdown: str) -> set[str]:
    text = _FENCE.sub("", markdown)
    found = {_split(source, link)[0] for _, _, link in _LINK.findall(text)}
    return {target for target in found if target is not None}


def _split(source: str, link: str) -> tuple[str | None, str, str]:
    """The file that a link of `source` leads to, from the root of the repository, and its heading; None for others."""
    path, mark, heading = link.partition("#")
    if not path or re.match(r"[a-z]+:", link):
        return None, mark, heading
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), path)), mark, heading


def _repository_path(page: str) -> str:
    return _SOURCES.get(page, f"docs/{page}")


def _site_path(target: str) -> str:
    if target in PAGES:
        return PAGES[target]
    return target.removeprefix("docs/") if target.startswith("docs/") else f"files/{target}"


def _is_copied(target: str) -> bool:
    return (ROOT / target).is_file() and target not in PAGES and not target.startswith("docs/")
