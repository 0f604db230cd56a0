"""`python -m yescale_sandbox --host 127.0.0.1 --port 0 [--fd N]`: the sandbox as a process."""

import argparse

import uvloop

from yescale_sandbox.app import serve


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="yescale_sandbox", description="Fakes of the providers, for tests and first steps."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8799, help="port to listen on; 0 lets the system choose")
    parser.add_argument("--fd", type=int, default=None, help="an inherited listening socket, instead of host and port")
    asked = parser.parse_args()
    uvloop.run(serve(asked.host, asked.port, fd=asked.fd))


if __name__ == "__main__":
    main()
