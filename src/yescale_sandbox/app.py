"""The sandbox put together: its providers, its records, and the server that plays them."""

import asyncio
import json
import os
import signal
import socket
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from yescale_sandbox import inspection
from yescale_sandbox.alike import endpoint as alike
from yescale_sandbox.anthropic import endpoint as anthropic
from yescale_sandbox.ark import endpoint as ark
from yescale_sandbox.azure import endpoint as azure
from yescale_sandbox.bedrock import endpoint as bedrock
from yescale_sandbox.connection import Connection, Limits
from yescale_sandbox.deepseek import endpoint as deepseek
from yescale_sandbox.exchange import Answer, Request, Step, joined, whole
from yescale_sandbox.gemini import endpoint as gemini
from yescale_sandbox.inspection import Inspection
from yescale_sandbox.ollama import endpoint as ollama
from yescale_sandbox.ollama import native
from yescale_sandbox.openai import endpoint as openai
from yescale_sandbox.record import Entry, Records
from yescale_sandbox.reranking import cohere, jina
from yescale_sandbox.vertex import endpoint as vertex

BACKLOG = 4096


class Provider(Protocol):
    """One fake provider. `call_id` names the request in its answer."""

    def answer(self, request: Request, call_id: str) -> Answer: ...


class Counter:
    """How often something came before: of the latest things, a bounded number."""

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._counts: OrderedDict[str, int] = OrderedDict()

    def __call__(self, thing: str) -> int:
        earlier = self._counts.pop(thing, 0)
        self._counts[thing] = earlier + 1
        if len(self._counts) > self._most:
            self._counts.popitem(last=False)
        return earlier

    def knows(self, thing: str) -> bool:
        """Whether it came before, without counting this."""
        return thing in self._counts

    def clear(self) -> None:
        self._counts.clear()


# Below which path each provider is; what its constructor takes tells how often a prompt came before.
PROVIDERS: Mapping[str, Callable[[Counter], Provider]] = {
    openai.PREFIX: openai.OpenAi,
    anthropic.PREFIX: anthropic.Anthropic,
    bedrock.PREFIX: bedrock.Bedrock,
    gemini.PREFIX: gemini.Gemini,
    vertex.PREFIX: vertex.Vertex,
    deepseek.PREFIX: deepseek.DeepSeek,
    ark.PREFIX: ark.Ark,
    azure.PREFIX: azure.Azure,
    ollama.PREFIX: ollama.Ollama,
    native.PREFIX: native.Native,
    cohere.PREFIX: cohere.Cohere,
    jina.PREFIX: jina.Jina,
    alike.PREFIX: alike.Alike,
}


class Sandbox:
    """Sends each request to its provider and keeps the record."""

    def __init__(self, records: Records | None = None) -> None:
        self.records = records or Records()
        counter = Counter()
        self._inspection = Inspection(self.records, counter.clear)
        self._providers = {prefix: make(counter) for prefix, make in PROVIDERS.items()}

    def __call__(self, request: Request) -> tuple[Iterator[Step], Entry | None]:
        if request.path.startswith(inspection.PREFIX):
            return self._inspection.answer(request).steps, None
        entry = self.records.open(request)
        answer = self._provided(request, entry.seq)
        entry.answered(answer)
        return answer.steps, entry

    def _provided(self, request: Request, seq: int) -> Answer:
        for prefix, provider in self._providers.items():
            if request.path.startswith(f"{prefix}/"):
                return provider.answer(request, f"req_{seq:032x}")
        places = ", ".join(self._providers)
        body = json.dumps({"error": f"No provider of the sandbox has this path. There are: {places}."}).encode()
        start, sends = whole(404, "application/json", body)
        return Answer(404, joined(start, sends), "refused")


class Server:
    """A listening sandbox."""

    def __init__(self, listener: asyncio.Server, connections: set[Connection], sandbox: Sandbox) -> None:
        self._listener = listener
        self._connections = connections
        self.sandbox = sandbox

    @property
    def address(self) -> tuple[str, int]:
        host, port, *_ = self._listener.sockets[0].getsockname()
        return str(host), int(port)

    async def stop(self) -> None:
        """Close the listener and every connection."""
        self._listener.close()
        for connection in list(self._connections):
            connection.shut()
        await self._listener.wait_closed()


async def listen(
    host: str, port: int, *, fd: int | None = None, sandbox: Sandbox | None = None, limits: Limits | None = None
) -> Server:
    """Listen on an address, or on a socket that was inherited. Port 0 lets the system choose."""
    site = sandbox or Sandbox()
    bounds = limits or Limits()
    connections: set[Connection] = set()
    loop = asyncio.get_running_loop()

    def connect() -> Connection:
        return Connection(site, bounds, connections)

    if fd is None:
        listener = await loop.create_server(connect, host, port, backlog=BACKLOG, reuse_address=True)
    else:
        listener = await loop.create_server(connect, sock=socket.socket(fileno=fd), backlog=BACKLOG)
    return Server(listener, connections, site)


async def serve(host: str, port: int, *, fd: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT. When it listens, one JSON line on standard output says where."""
    server = await listen(host, port, fd=fd)
    stop = asyncio.Event()
    if threading.current_thread() is threading.main_thread():
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
    address, chosen = server.address
    line = {"sandbox": f"http://{address}:{chosen}", "host": address, "port": chosen, "pid": os.getpid()}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    try:
        await stop.wait()
    finally:
        await server.stop()
