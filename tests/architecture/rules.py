"""How code of this project is built, as functions from a file to the places where it is not."""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator

from tests.architecture.source import AnyFunction, Source

FILE_LINES = 500
FUNCTION_LINES = 60
PROTOCOL_METHODS = 8
DOCSTRING_LINES = 5
MUTABLE_CALLS = {
    "list",
    "dict",
    "set",
    "bytearray",
    "defaultdict",
    "deque",
    "Counter",
    "OrderedDict",
    "WeakValueDictionary",
}
MUTABLE_NODES = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
GROWING = {"add", "append", "appendleft", "extend", "insert", "setdefault", "update"}
SHRINKING = {"clear", "discard", "pop", "popitem", "popleft", "remove"}
MUTATIONS = GROWING | SHRINKING
EMPTY_NAMES = re.compile(r"(Manager|Helpers?|Utils?|Utilities|Handler|Service|Base|Impl|Info|Data)$")
EMPTY_MODULES = re.compile(r"(^|_)(manager|helpers?|utils?|utilities|handler|service|base|impl|info|data|common|misc)$")
SILENCED = re.compile(r"#\s*(noqa|type:\s*ignore|pyright:\s*ignore)(?P<rest>.*)", re.IGNORECASE)
WITH_CODE_AND_REASON = re.compile(r"^(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|\[[\w, -]+\])\s*[#;,:—-]*\s*\w+.*\s\w+")

Rule = Callable[[Source], Iterator[str]]


def file_is_short(source: Source) -> Iterator[str]:
    """At most 500 lines; a table, which is nothing but values, may be longer."""
    if source.lines > FILE_LINES and not is_table(source):
        yield f"{source.path} has {source.lines} lines, {FILE_LINES} at most: cut it where its subjects part"


def functions_are_short(source: Source) -> Iterator[str]:
    for function in source.functions:
        if length(function) > FUNCTION_LINES:
            yield source.at(function, f"{function.name} has {length(function)} lines, {FUNCTION_LINES} at most")


def protocols_are_small(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and any(_is_protocol(base) for base in node.bases):
            methods = sum(isinstance(each, AnyFunction) for each in node.body)
            if methods > PROTOCOL_METHODS:
                yield source.at(node, f"{node.name} has {methods} methods, {PROTOCOL_METHODS} at most")


def _is_protocol(base: ast.expr) -> bool:
    """Whether a base is typing's Protocol; asyncio's is a class like any other."""
    base = base.value if isinstance(base, ast.Subscript) else base
    asyncio_s_own = isinstance(base, ast.Attribute) and _last_name(base.value) == "asyncio"
    return _last_name(base) == "Protocol" and not asyncio_s_own


def module_says_what_lives_there(source: Source) -> Iterator[str]:
    said = ast.get_docstring(source.tree)
    if said is None:
        yield f"{source.path} does not open with a docstring that says what lives there"
    elif len(said.splitlines()) > DOCSTRING_LINES:
        yield f"{source.path} opens with {len(said.splitlines())} lines of docstring, {DOCSTRING_LINES} at most"


def names_say_something(source: Source) -> Iterator[str]:
    for part in source.path.removesuffix(".py").split("/")[1:]:
        if EMPTY_MODULES.search(part):
            yield f"{source.path} is named {part}, which says nothing"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and EMPTY_NAMES.search(node.name):
            yield source.at(node, f"class {node.name} has a name that says nothing")


def imports_stand_on_top(source: Source) -> Iterator[str]:
    for function in source.functions:
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield source.at(node, f"import inside {function.name}")
            elif isinstance(node, ast.Call) and _last_name(node.func) in {"import_module", "__import__"}:
                yield source.at(node, f"import by name inside {function.name}")


def nothing_is_global(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Global):
            yield source.at(node, f"global {', '.join(node.names)}")


def modules_keep_no_state(source: Source) -> Iterator[str]:
    """No list, dict or set of a module is a variable, by its name or by what functions do to it."""
    kept: set[str] = set()
    for statement in source.tree.body:
        for name, value in _assigned(statement):
            if not _is_mutable(value):
                continue
            kept.add(name)
            if name != name.upper() and not name.startswith("__"):
                yield source.at(
                    statement, f"{name} is mutable state of a module: a frozen value, or a field of an object"
                )
    for function in source.functions:
        yield from (source.at(node, f"{function.name} changes {name}") for node, name in _changes(function, kept))


def broad_excepts(source: Source) -> Iterator[tuple[int, str]]:
    """Line, and the innermost function or class around it, of everything that catches all there is."""
    yield from _broad(source.tree, "<module>")


def silencings(source: Source) -> list[tokenize.TokenInfo]:
    """Comments that silence a tool."""
    tokens = tokenize.generate_tokens(io.StringIO(source.text).readline)
    return [token for token in tokens if token.type == tokenize.COMMENT and SILENCED.search(token.string)]


def silencings_have_code_and_reason(source: Source) -> Iterator[str]:
    for token in silencings(source):
        found = SILENCED.search(token.string)
        if found is None or not WITH_CODE_AND_REASON.match(found["rest"].strip()):
            yield f"{source.path}:{token.start[0]} {token.string}: say the code and, after it, the reason"


def length(function: AnyFunction) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def is_table(source: Source) -> bool:
    """Imports, constants and a docstring; no function, no class."""
    return all(
        isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign | ast.Expr)
        for node in source.tree.body
    )


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _last_name(value)
        case _:
            return ""


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    match statement:
        case ast.Assign(targets=targets, value=value):
            yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case _:
            return


def _is_mutable(value: ast.expr) -> bool:
    return isinstance(value, MUTABLE_NODES) or (isinstance(value, ast.Call) and _last_name(value.func) in MUTABLE_CALLS)


def _changes(function: AnyFunction, kept: set[str]) -> Iterator[tuple[ast.expr, str]]:
    own = {argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg)}
    own |= {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(function):
        match node:
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()) if name in kept - own:
                yield node, name
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=verb)) if (
                name in kept - own and verb in MUTATIONS
            ):
                yield node, name
            case _:
                pass


def _broad(node: ast.AST, around: str) -> Iterator[tuple[int, str]]:
    for child in ast.iter_child_nodes(node):
        inside = around
        if isinstance(child, AnyFunction | ast.ClassDef):
            inside = child.name if around == "<module>" else f"{around}.{child.name}"
        if (isinstance(child, ast.ExceptHandler) and _catches_all(child.type)) or (
            isinstance(child, ast.Call) and _last_name(child.func) == "suppress" and any(map(_catches_all, child.args))
        ):
            yield child.lineno, inside
        yield from _broad(child, inside)


def _catches_all(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    if isinstance(caught, ast.Tuple):
        return any(map(_catches_all, caught.elts))
    return _last_name(caught) in {"Exception", "BaseException"}
