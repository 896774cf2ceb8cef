"""Which files of a folder are code to be packed: what Git would keep, without what may be a secret.

The later of two rules that speak of a file decides: first what never belongs in an archive, then the `.gitignore`
files from the repository's root down, then what may be a secret, and last the `.trainingrunignore` files, which can
bring back anything with `!name`. All are written as Git's are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

GIT_IGNORE, OWN_IGNORE = ".gitignore", ".trainingrunignore"
# What tools leave in a folder, and what belongs to this machine.
_NEVER = (
    *(".git", ".hg", ".svn", "__pycache__/", "*.py[cod]", "*.egg-info/", ".venv/", "venv/", "node_modules/"),
    *(".trainingrun/", ".ipynb_checkpoints/", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/", ".DS_Store"),
)
_SECRETS = (
    *(".env", ".env.*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kubeconfig"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".netrc", ".pgpass", ".pypirc", ".git-credentials"),
    *(".aws/", ".ssh/", ".kube/", ".docker/", ".gnupg/", "kubeconfig", "credentials.json", "service-account*.json"),
)
# Far more than code has: a folder of data, or somebody's home.
MAX_FILES = 10_000


class Refused(ValueError):
    """The folder cannot be packed as it is; the message says in a sentence why, and what can be done."""


@dataclass(frozen=True)
class Chosen:
    """Files of a folder by their names in it, with "/" between folders, and names of what may be secrets."""

    files: dict[str, Path]
    withheld: tuple[str, ...]


@dataclass(frozen=True)
class _Rules:
    """Rules of one file of rules, for what lies below `base`."""

    base: Path
    spec: GitIgnoreSpec

    def verdict(self, path: Path, *, is_folder: bool) -> bool | None:
        """Whether `path` is left out; None where no rule speaks of it."""
        name = path.relative_to(self.base).as_posix()
        return self.spec.check_file(f"{name}/" if is_folder else name).include


@dataclass(frozen=True)
class _Chain:
    """All rules that hold in a folder; `secrets` and `never` hold from the folder that is packed on."""

    never: _Rules
    git: tuple[_Rules, ...]
    secrets: _Rules
    own: tuple[_Rules, ...]

    def below(self, folder: Path) -> _Chain:
        """With the rules that `folder` itself brings along."""
        git, own = _rules_in(folder, GIT_IGNORE), _rules_in(folder, OWN_IGNORE)
        return _Chain(self.never, (*self.git, *git), self.secrets, (*self.own, *own))

    def verdict(self, path: Path, *, is_folder: bool) -> tuple[bool, bool]:
        """Whether `path` is left out, and whether that is because it may be a secret."""
        left_out = is_secret = False
        for rules in (self.never, *self.git, self.secrets, *self.own):
            said = rules.verdict(path, is_folder=is_folder)
            if said is not None:
                is_secret = rules is self.secrets and said and not left_out
                left_out = said
        return left_out, is_secret


def chosen(folder: Path) -> Chosen:
    """The files of `folder` that are packed, by name in the order of names. Raises Refused."""
    folder = folder.resolve()
    if not folder.is_dir():
        raise Refused(
            f"{folder}: there is no such folder; expected the one that Python would import the run's modules from"
        )
    chain = _Chain(_built_in(folder, _NEVER), (), _built_in(folder, _SECRETS), ())
    for parent in _repository_above(folder):
        chain = _Chain(chain.never, (*chain.git, *_rules_in(parent, GIT_IGNORE)), chain.secrets, ())
    files: dict[str, Path] = {}
    withheld: list[str] = []
    for name, path in _walk(folder, folder, chain, withheld):
        files[name] = path
        if len(files) > MAX_FILES:
            raise Refused(
                f"{folder}: found more than {MAX_FILES:,} files, which is the limit; name the folder of the code "
                f"alone, or leave files out in {OWN_IGNORE}"
            )
    if not files:
        raise Refused(f"{folder}: there is no file to pack; expected a folder with the run's modules")
    return Chosen(dict(sorted(files.items())), tuple(sorted(withheld)))


def _walk(root: Path, folder: Path, chain: _Chain, withheld: list[str]) -> Iterator[tuple[str, Path]]:
    chain = chain.below(folder)
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise Refused(f"{folder}: cannot be read: {error.strerror}") from error
    for path in entries:
        is_folder = path.is_dir() and not path.is_symlink()
        name = path.relative_to(root).as_posix()
        left_out, is_secret = chain.verdict(path, is_folder=is_folder)
        if is_secret:
            withheld.append(name)
        if left_out:
            continue
        if is_folder:
            yield from _walk(root, path, chain, withheld)
        else:
            yield name, _checked(root, path)


def _checked(root: Path, path: Path) -> Path:
    """The file itself, behind a link that stays inside; sockets and the like are no code."""
    target = path.resolve()
    if path.is_symlink() and (not target.is_relative_to(root) or not target.is_file()):
        raise Refused(
            f"{path}: found a link to {os.readlink(path)}, allowed: links to files of the packed folder; put the files "
            f"there, or leave the link out in {OWN_IGNORE}"
        )
    if not target.is_file():
        raise Refused(f"{path}: found neither a file nor a folder; leave it out in {OWN_IGNORE}")
    return target


def _repository_above(folder: Path) -> list[Path]:
    """The folders above `folder` whose rules Git applies to it too, the repository's root first."""
    if (folder / ".git").exists():
        return []
    parents = list(folder.parents)
    root = next((place for place, parent in enumerate(parents) if (parent / ".git").exists()), None)
    return [] if root is None else parents[root::-1]


def _rules_in(folder: Path, name: str) -> tuple[_Rules, ...]:
    try:
        text = (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{folder / name}: cannot be read: {error}") from error
    try:
        return (_Rules(folder, GitIgnoreSpec.from_lines(text.splitlines())),)
    except ValueError as error:
        raise Refused(f"{folder / name}: {error}") from error


def _built_in(folder: Path, patterns: tuple[str, ...]) -> _Rules:
    return _Rules(folder, GitIgnoreSpec.from_lines(patterns))
