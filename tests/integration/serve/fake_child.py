"""A child process that stands in for a worker, control or the sandbox: HTTP on an inherited socket, a file per life.

`fake_child.py ROLE RECORD LIFELINE [LISTEN_FD | SOCKET_PATH]`. `/healthz` answers 200, `/pid` the process id, `/slow` after a second.
SIGTERM: stops accepting, finishes what is in flight, leaves a line in RECORD. `refuse` in RECORD's folder: exits with 2.
"""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

from yescale import lifeline


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
    except asyncio.IncompleteReadError:
        writer.close()
        return
    if path == b"/slow":
        await asyncio.sleep(1.0)
    body = str(os.getpid()).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
    await writer.drain()
    writer.close()


async def live(role: str, record: Path, listen: str | None) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    busy: set[asyncio.Task[object]] = set()

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        busy.add(task := asyncio.current_task())
        try:
            await converse(reader, writer)
        finally:
            busy.discard(task)

    server = None
    if role == "worker" and listen is not None:
        server = await asyncio.start_server(counted, sock=socket.socket(fileno=int(listen)))
    elif listen is not None:
        Path(listen).unlink(missing_ok=True)
        server = await asyncio.start_unix_server(counted, listen)
    note(record, f"{role} {os.getpid()} begins")
    await told.wait()
    if server is not None:
        server.close()
    while busy:
        await asyncio.wait(busy)
    note(record, f"{role} {os.getpid()} ends")


def note(record: Path, line: str) -> None:
    with record.open("a") as file:
        file.write(line + "\n")


def main() -> int:
    role, record, hold, *listen = sys.argv[1:]
    lifeline.hold(int(hold), 5.0)
    if (Path(record).parent / f"refuse-{role}").exists():
        print(f"{role}: I cannot run like this", file=sys.stderr)
        return 2
    if (Path(record).parent / f"stubborn-{role}").exists():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        note(Path(record), f"{role} {os.getpid()} begins")
        while True:
            signal.pause()
    asyncio.run(live(role, Path(record), listen[0] if listen else None))
    return 0


if __name__ == "__main__":
    sys.exit(main())
