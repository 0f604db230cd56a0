"""What the import contracts cannot say: protocols do not know one another."""

import ast
from collections.abc import Iterator

import yescale
import yescale_sandbox
from tests.architecture.source import Source, sources

PROTOCOLS = "src/yescale/protocols/"


def test_both_packages_say_what_they_are() -> None:
    assert yescale.__doc__
    assert yescale_sandbox.__doc__


def test_protocols_do_not_know_one_another() -> None:
    files = sources("src/yescale/protocols")
    assert [place for source in files for place in _foreign_imports(source, _formats(files))] == []


def test_import_of_another_protocol_is_seen() -> None:
    formats = {"openai_chat", "anthropic_messages"}
    for line in (
        "from yescale.protocols.anthropic_messages.schema import Message",
        "from yescale.protocols import anthropic_messages",
        "import yescale.protocols.anthropic_messages",
    ):
        assert list(_foreign_imports(Source(f"{PROTOCOLS}openai_chat/requests.py", line), formats))


def test_shared_framing_and_the_registry_are_free() -> None:
    formats = {"openai_chat", "anthropic_messages"}
    shared = Source(f"{PROTOCOLS}openai_chat/stream.py", "from yescale.protocols.sse import Framing")
    registry = Source(f"{PROTOCOLS}registry.py", "from yescale.protocols import anthropic_messages, openai_chat")
    assert not list(_foreign_imports(shared, formats))
    assert not list(_foreign_imports(registry, formats))


def _formats(files: list[Source]) -> set[str]:
    """Wire formats are folders; single files are what formats share, and the registry."""
    return {inside.split("/")[0] for source in files if "/" in (inside := source.path.removeprefix(PROTOCOLS))}


def _foreign_imports(source: Source, formats: set[str]) -> Iterator[str]:
    own = source.path.removeprefix(PROTOCOLS).split("/")[0]
    if own not in formats:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in _imported(node):
                if name.startswith("yescale.protocols.") and name.split(".")[2] in formats - {own}:
                    yield source.at(node, f"{own} imports {name}")


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names]
