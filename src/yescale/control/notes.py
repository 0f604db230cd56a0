"""bootstrap.json: what a first start made, for its owner's eyes (mode 0600)."""

import os
from pathlib import Path
from typing import Any, Final

import msgspec

NOTE_FILE: Final = "bootstrap.json"
_PASSWORD: Final = "admin_password"  # noqa: S105  the name of a field


def read_note(path: Path) -> dict[str, Any]:
    """What stands there; nothing where there is no file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return {}


def write_note(path: Path, note: dict[str, Any]) -> None:
    """Replace the file whole: a reader never sees half of it."""
    making = path.with_name(f".{path.name}.making")
    making.unlink(missing_ok=True)
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(note), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    making.replace(path)


def forget_password(path: Path, username: str) -> None:
    """The first password was changed: it leaves the file."""
    note = read_note(path)
    if note.get("admin_username") == username and note.pop(_PASSWORD, None) is not None:
        write_note(path, note)
