"""A child process that stands in for a worker, control or the sandbox: HTTP on an inherited socket, a file per life.

`fake_child.py ROLE RECORD LIFELINE [LISTEN_FD | SOCKET_PATH]`. Every path is answered with the process id, `/slow`
after a second. SIGTERM: it stops accepting, finishes what is in flight and leaves a line in RECORD. A file
`refuse-ROLE` beside RECORD makes it exit with 2, `stubborn-ROLE` makes it deaf to SIGTERM.
"""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

from yescale.serve import lifeline


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
    busy: list[asyncio.Event] = []

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        busy.append(ended := asyncio.Event())
        try:
            await converse(reader, writer)
        finally:
            ended.set()

    server = None
    if role == "worker" and listen is not None:
        server = await asyncio.start_server(counted, sock=socket.socket(fileno=int(listen)))
    elif listen is not None:
        server = await asyncio.start_unix_server(counted, listen)
    # What the real ones hold open once they have started.
    held = record.parent / "home" / {"worker": "journals/lock", "control": "control.lock"}.get(role, "run/sandbox")
    lock = held.open("a")
    note(record, f"{role} {os.getpid()} begins")
    await told.wait()
    lock.close()
    if server is not None:
        server.close()
    for ended in busy:
        await ended.wait()
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
    if role == "control":
        Path(listen[0]).unlink(missing_ok=True)
    asyncio.run(live(role, Path(record), listen[0] if listen else None))
    return 0


if __name__ == "__main__":
    sys.exit(main())
