"""What `make bench-inside` measures is a real call: the client is answered, whole or streamed."""

from pathlib import Path

import pytest

from bench.inside import Worker, requests, streamed_answer, whole_answer
from bench.scenarios import chat_body


@pytest.mark.parametrize(("stream", "mark"), [(False, b'"usage"'), (True, b"data: [DONE]")])
def test_a_call_without_sockets_is_answered_as_one_with_them(tmp_path: Path, stream: bool, mark: bytes) -> None:
    worker = Worker(tmp_path)
    written = b""

    def write(data: bytes | bytearray | memoryview) -> None:
        nonlocal written
        written += bytes(data)

    worker.transport.write = write
    answer = streamed_answer() if stream else whole_answer()
    for request in requests(chat_body("bench", "hello", stream=stream))[:3]:
        written = b""
        worker.call(request, answer)
        assert written.startswith(b"HTTP/1.1 200 OK\r\n")
        assert mark in written
