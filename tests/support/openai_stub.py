"""A small server with OpenAI's API, for what is a client of one.

    python -m tests.support.openai_stub 8080

An answer is as many words as were asked for, a few milliseconds apart, and counts them.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PACE = 0.002


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        """The models."""
        self._send_json(200, {"object": "list", "data": [{"id": "stub"}]})

    def do_POST(self) -> None:
        """Everything else; a client that leaves is no error."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with suppress(ConnectionError):
            if self.path == "/v1/embeddings":
                vectors = [{"embedding": [0.6, 0.8]} for _ in body["input"]]
                self._send_json(200, {"object": "list", "data": vectors})
            elif self.path == "/v1/completions":
                self._stream(body["max_tokens"], {"text": "word "})
            elif self.path == "/v1/chat/completions":
                self._stream(body["max_tokens"], {"delta": {"content": "word "}})
            else:
                self._send_json(404, {"error": "no such route"})

    def _stream(self, count: int, choice: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(count):
            time.sleep(_PACE)
            self._send_event(json.dumps({"choices": [choice]}))
        usage = {"prompt_tokens": 7, "completion_tokens": count}
        self._send_event(json.dumps({"choices": [], "usage": usage}))
        self._send_event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _send_event(self, data: str) -> None:
        event = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))

    def _send_json(self, status: int, answer: Any) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # with the default of 5 a burst waits for the kernel


if __name__ == "__main__":
    _Server(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
