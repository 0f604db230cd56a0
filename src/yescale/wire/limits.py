"""The bounds of the wire: sizes, counts and deadlines of the server and of the client, as frozen values.

Sizes are bytes, times are seconds.
"""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the server accepts from a client, and how long it waits for one."""

    max_head_bytes: int = 64 * 1024  # request line and headers as sent, blank line included
    max_headers: int = 128
    max_target: int = 16 * 1024
    max_body: int = 32 * 1024 * 1024  # for a handler to return from `opened`; wire itself obeys what `opened` returned
    head_s: float = 15.0  # from the first byte of a request to the end of its head
    body_idle_s: float = 30.0  # between two reads of a body
    body_s: float = 600.0  # a whole body
    idle_s: float = 75.0  # an open connection without a request
    write_stall_s: float = 60.0  # the client takes no byte of its answer
    high_water: int = 256 * 1024  # unsent bytes of an answer at which its source is paused
    low_water: int = 64 * 1024  # unsent bytes at which it goes on
    max_connections: int = 20_000
    max_refused: int = 256  # connections over the limit that hear a 503; beyond them they are just closed
    stash: int = 64 * 1024  # bytes of pipelined requests kept while one is answered; beyond, reading pauses
    discard: int = 256 * 1024  # bytes of an unwanted body read and dropped to save the connection or the answer
    linger_s: float = 2.0  # how long a closing connection still reads, so that the answer is not lost to a reset


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """How long one attempt may take, by stage."""

    connect_s: float = 10.0
    send_s: float = 60.0  # the whole request written
    first_byte_s: float = 300.0  # from the request written to the head of the answer read
    idle_s: float = 120.0  # between two reads of an answer
    total_s: float = 3600.0


class ClientLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the client keeps open and accepts from an upstream."""

    max_idle: int = 1_000  # per origin
    max_connections: int = 20_000  # per origin, opening ones included
    idle_s: float = 50.0  # below the keep-alive of common servers, so that they rarely close first
    max_head_bytes: int = 64 * 1024  # status line and headers as sent, interim answers included
    max_headers: int = 256


class TunnelLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What either end of a WebSocket accepts from its peer, and how long it waits for one."""

    max_message: int = 16 * 1024 * 1024  # of one message, its fragments together
    ping_s: float = 20.0  # of silence, before the peer is asked for a sign of life
    pong_s: float = 20.0  # of silence after that
    stall_s: float = 60.0  # the peer takes no byte
    close_s: float = 2.0  # for the peer's answer to a close
    high_water: int = 256 * 1024  # unsent bytes at which the source is paused
    low_water: int = 64 * 1024  # unsent bytes at which it goes on
