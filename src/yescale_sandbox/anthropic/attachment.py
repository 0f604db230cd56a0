"""Sources of images and documents: what is sent must be what it claims to be; a web address is trusted.

The words: github.com/anthropics/claude-code/issues/8646 (process), /19631 (size), /13131 (media type).
"""

import base64
import binascii
from collections.abc import Mapping

from yescale_sandbox.anthropic.prompt import Source
from yescale_sandbox.anthropic.refusal import RefusedError, shortened

KINDS: Mapping[str, bytes] = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
MOST_IMAGE_BYTES = 5 * 1024 * 1024
MOST_DOCUMENT_BYTES = 32 * 1024 * 1024


def check_image(source: Source, path: str) -> None:
    """Raises: RefusedError."""
    if source.type == "base64":
        picture = _decoded(source, path)
        if len(picture) > MOST_IMAGE_BYTES:
            raise RefusedError(
                f"{path}.base64: image exceeds 5 MB maximum: {len(picture)} bytes > {MOST_IMAGE_BYTES} bytes"
            )
        found = next((kind for kind, magic in KINDS.items() if picture.startswith(magic)), None)
        if found is None or not _has_size(found, picture):
            raise RefusedError("Could not process image")
        if found != source.media_type:
            raise RefusedError(f"{path}.base64.data: Image does not match the provided media type {source.media_type}")
    _check_elsewhere(source, path)


def check_document(source: Source, path: str) -> None:
    """Raises: RefusedError."""
    if source.type == "base64":
        document = _decoded(source, path)
        if len(document) > MOST_DOCUMENT_BYTES:
            raise RefusedError("Request exceeds the maximum size", status=413)
        if not document.startswith(b"%PDF-"):
            raise RefusedError(f"{path}.base64.data: The PDF specified was not valid.")
    if source.type == "text" and not source.data:
        raise RefusedError(f"{path}.text.data: document text must be non-empty")
    _check_elsewhere(source, path)


def _check_elsewhere(source: Source, path: str) -> None:
    if source.type == "url" and not source.url.startswith("https://"):
        raise RefusedError(f"{path}.url.url: Only HTTPS URLs are supported.")
    if source.type == "file":
        raise RefusedError(f"File not found: {shortened(source.file_id)}", status=404)


def _decoded(source: Source, path: str) -> bytes:
    try:
        return base64.b64decode(source.data, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError(f"{path}.base64: invalid base64 data") from None


def _has_size(kind: str, picture: bytes) -> bool:
    """Whether there is more than the first bytes: a PNG has its header with a size, a WebP its name."""
    if kind == "image/png":
        return picture[12:16] == b"IHDR" and len(picture) >= 33 and picture[16:20] != bytes(4) != picture[20:24]
    if kind == "image/webp":
        return picture[8:12] == b"WEBP"
    return len(picture) > len(KINDS[kind])
