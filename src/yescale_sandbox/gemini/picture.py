"""Pictures and speech that the prompt decides: real PNG and real PCM."""

import hashlib
import math
import struct
import zlib

CELLS = 16
LEVELS = 8
RATE = 24_000
SAMPLE = struct.Struct("<h")
LOUDNESS = 8_000
LEAST_S = 0.2
MOST_S = 20.0
LETTERS_PER_S = 15


def png(prompt: str, width: int, height: int) -> bytes:
    """A mosaic of sixteen by sixteen cells, coloured by the prompt's digest, with the prompt in a text chunk."""
    digest = hashlib.shake_256(prompt.encode()).digest(CELLS * CELLS + 3 * LEVELS)
    palette, cells = digest[: 3 * LEVELS], digest[3 * LEVELS :]
    rows = bytearray()
    for row in range(height):
        line = cells[row * CELLS // height * CELLS :][:CELLS]
        rows += b"\x00"
        rows += b"".join(bytes([line[cell] % LEVELS]) * _share(cell, width) for cell in range(CELLS))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", palette),
            _chunk(b"tEXt", b"Description\x00" + prompt.encode("latin-1", "replace")[:500]),
            _chunk(b"IDAT", zlib.compress(bytes(rows), 6)),
            _chunk(b"IEND", b""),
        )
    )


def speech(text: str, voice: str) -> bytes:
    """Linear PCM, 16 bits, one channel: a tone whose pitch is the voice's, as long as the words take."""
    pitch = 110 + hashlib.sha256(voice.lower().encode()).digest()[0]
    period = RATE // pitch
    wave = b"".join(SAMPLE.pack(int(LOUDNESS * math.sin(2 * math.pi * place / period))) for place in range(period))
    samples = int(seconds(text) * RATE)
    return (wave * (samples // period + 1))[: samples * SAMPLE.size]


def seconds(text: str) -> float:
    return min(MOST_S, max(LEAST_S, len(text) / LETTERS_PER_S))


def _share(cell: int, width: int) -> int:
    return (cell + 1) * width // CELLS - cell * width // CELLS


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
