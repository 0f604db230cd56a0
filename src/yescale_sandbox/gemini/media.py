"""Files in a request: their kinds, and whether the bytes are what the kind says.

https://ai.google.dev/gemini-api/docs/image-understanding, /audio, /video-understanding and /document-processing.
"""

import base64
from collections.abc import Mapping

from yescale_sandbox.gemini.prompt import Blob, FileReference
from yescale_sandbox.gemini.proto import decoded
from yescale_sandbox.gemini.refusal import VALUE_SHOWN, RefusedError

RIFF = b"RIFF"
FTYP = b"ftyp"
# How a file of the kind starts; `ftyp` stands at byte 4, and RIFF names its kind at byte 8.
MAGIC: Mapping[str, tuple[bytes, ...]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/webp": (RIFF,),
    "image/heic": (FTYP,),
    "image/heif": (FTYP,),
    "audio/wav": (RIFF,),
    "audio/mp3": (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    "audio/mpeg": (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    "audio/aiff": (b"FORM",),
    "audio/aac": (b"\xff\xf1", b"\xff\xf9"),
    "audio/ogg": (b"OggS",),
    "audio/flac": (b"fLaC",),
    "video/mp4": (FTYP,),
    "video/quicktime": (FTYP,),
    "video/webm": (b"\x1aE\xdf\xa3",),
    "video/mpeg": (b"\x00\x00\x01",),
    "application/pdf": (b"%PDF-",),
}
TEXTS = frozenset({"text/plain", "text/html", "text/css", "text/csv", "text/xml", "text/rtf", "text/markdown"})
URIS = ("https://", "gs://", "http://")


def check_inline(blob: Blob) -> None:
    """Raises: RefusedError."""
    _check_kind(blob.mime_type)
    raw = decoded(blob.data)
    starts = MAGIC.get(blob.mime_type, (b"",))
    head = raw[4:] if starts == (FTYP,) else raw
    if not raw or not head.startswith(starts):
        # https://github.com/AmberSahdev/Open-Interface/issues/64
        noun = "image" if blob.mime_type.startswith("image/") else "file"
        raise RefusedError(
            f"Provided {noun} is not valid." if noun == "image" else "Request contains an invalid argument."
        )


def check_file(reference: FileReference) -> None:
    """Files by address: those of the Files API, of the web, of Cloud Storage; the sandbox holds each to exist.

    Raises: RefusedError.
    """
    if reference.mime_type:
        _check_kind(reference.mime_type)
    if not reference.file_uri.startswith(URIS):
        raise RefusedError(f"Invalid or unsupported file uri: {reference.file_uri[:VALUE_SHOWN]}")


def data_of(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _check_kind(mime_type: str) -> None:
    if mime_type not in MAGIC and mime_type not in TEXTS:
        # https://github.com/charmbracelet/crush/issues/995
        raise RefusedError(f"Unsupported MIME type: {mime_type[:VALUE_SHOWN]}")
