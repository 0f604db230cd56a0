"""The project's own files, read once, for the rules of this folder."""

import ast
import dataclasses
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = (".ci", "bench", "console", "deploy", "docs", "requirements", "src", "tests")
NOT_OURS = {"__pycache__", "node_modules", "dist", "build", ".hypothesis", ".vite"}

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


@dataclasses.dataclass(frozen=True)
class Source:
    """A Python file. `path` is relative to the project and has forward slashes."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @cached_property
    def functions(self) -> list[AnyFunction]:
        return [node for node in ast.walk(self.tree) if isinstance(node, AnyFunction)]

    def at(self, node: ast.stmt | ast.expr | ast.ExceptHandler, what: str) -> str:
        return f"{self.path}:{node.lineno} {what}"


def files() -> Iterator[Path]:
    """Every file of ours, whether or not git knows it yet."""
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.name != ".git")
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            inside = path.relative_to(ROOT).parts
            if path.is_file() and not NOT_OURS & set(inside) and not any(part.endswith(".egg-info") for part in inside):
                yield path


def sources(folder: str) -> list[Source]:
    return [
        Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not NOT_OURS & set(path.relative_to(ROOT).parts)
    ]
