"""How a child learns that the supervisor is gone: it inherits the reading end of a pipe that only that can write.

Whatever ends the supervisor, kill -9 included, closes the pipe. Unlike a parent-death signal this needs no code between
fork and exec, works on every Unix, and does not mistake the end of a thread for the end of its process.
"""

import os
import signal
import threading
import time


def hold(file: int, grace_s: float) -> None:
    """End this process when the pipe closes: SIGTERM to itself, which drains, and SIGKILL after `grace_s`."""
    threading.Thread(target=_watch, args=(file, grace_s), name="lifeline", daemon=True).start()


def _watch(file: int, grace_s: float) -> None:
    while os.read(file, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_s)
    os.kill(os.getpid(), signal.SIGKILL)
