"""A client that notices everything: what came, whether it came whole, and when. One connection, one call at a time."""

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

PATIENCE_S = 60.0
HOST = "127.0.0.1"


class Heard(Struct, kw_only=True):
    """What a client got of one call. `status` 0 = no answer began."""

    began: float
    ended: float = 0.0
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False  # as its framing says
    left: bool = False  # by us, before the end
    trouble: str = ""
    reused: bool = False  # on a connection that had carried a call before

    @property
    def request_id(self) -> str:
        return self.headers.get("x-request-id", "")

    @property
    def is_stream(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def completed(self) -> bool:
        """A good answer to its end, as an application sees it."""
        return self.status == 200 and self.whole and (not self.is_stream or b"data: [DONE]" in self.body)

    def events(self) -> list[Any]:
        """The JSON events of a stream."""
        lines = self.body.decode().splitlines()
        return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]

    def usage(self) -> dict[str, Any]:
        """As the answer reports it."""
        if self.is_stream:
            return next(event["usage"] for event in self.events() if event.get("usage"))
        return json.loads(self.body)["usage"]


class Line:
    """A connection to the gateway, opened again whenever it is not usable."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(
        self,
        path: str,
        body: Mapping[str, Any] | bytes,
        headers: Mapping[str, str],
        *,
        leave_after: float | None = None,
    ) -> Heard:
        """One call. `leave_after`: seconds until this client goes away without a word."""
        heard = Heard(began=time.time())
        try:
            async with asyncio.timeout(PATIENCE_S if leave_after is None else leave_after):
                await self._exchange(heard, _request("POST", path, body, headers))
        except TimeoutError:
            heard.left = leave_after is not None
            heard.trouble = "" if heard.left else f"no end after {PATIENCE_S} s"
            self._abort()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            heard.trouble = type(error).__name__
            self._abort()
        heard.ended = time.time()
        return heard

    async def _exchange(self, heard: Heard, request: bytes) -> None:
        if self._reader is None or self._reader.at_eof() or self._writer is None or self._writer.is_closing():
            self._abort()
            self._reader, self._writer = await asyncio.open_connection(HOST, self._port, limit=1 << 20)
        else:
            heard.reused = True
        self._writer.write(request)
        await self._read(heard, self._reader)
        if heard.headers.get("connection", "").lower() == "close":
            self._abort()

    async def _read(self, heard: Heard, reader: asyncio.StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        heard.status = int(head[0].split(" ")[1])
        heard.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        if heard.headers.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline() or b"x", 16):
                heard.body += (await reader.readexactly(size + 2))[:-2]
            await reader.readuntil(b"\r\n")
        else:
            length = int(heard.headers.get("content-length", "0"))
            while len(heard.body) < length:
                part = await reader.read(length - len(heard.body))
                if not part:
                    raise asyncio.IncompleteReadError(heard.body, length)
                heard.body += part
        heard.whole = True

    def _abort(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def close(self) -> None:
        """Go away."""
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        self._reader = self._writer = None


def _request(method: str, path: str, body: Mapping[str, Any] | bytes, headers: Mapping[str, str]) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"host": "gateway", "content-type": "application/json", "content-length": str(len(content))} | dict(headers)
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content


async def call(
    port: int,
    path: str,
    body: Mapping[str, Any] | bytes,
    headers: Mapping[str, str],
    *,
    leave_after: float | None = None,
) -> Heard:
    """One call on a connection of its own."""
    line = Line(port)
    try:
        return await line.post(path, body, headers, leave_after=leave_after)
    finally:
        await line.close()
