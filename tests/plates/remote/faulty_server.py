"""A server on loopback that serves a folder, or passes on to another server, with faults that a test asks for."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BUSY = b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'

BROKEN = b'<?xml version="1.0"?><Error><Code>InternalError</Code><Message>We met an error.</Message></Error>'

FAULTS = ("busy", "throttled", "error", "cut", "short", "long", "silent", "hang up")
"""503, 429, 500, a body that ends early, one with a wrong (shorter, longer) length, no answer, a closed line."""


class FaultyServer:
    """What was asked, and the faults still to come: `fault(method, path, count)` names one, or ``None``."""

    def __init__(self, folder: Path | None = None, behind: str = "") -> None:
        self.folder = folder
        self.behind = behind.removeprefix("http://")
        self.asked: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.fault: Callable[[str, str, int], str | None] = lambda method, path, count: None
        self.flip: Callable[[str, int], bool] = lambda path, count: False
        self.silence = 1.5
        self.url = ""


@contextmanager
def serving(server: FaultyServer) -> Iterator[FaultyServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def do_PUT(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def do_DELETE(self) -> None:
            self.answer()

        def answer(self) -> None:
            path = self.path.partition("?")[0]
            self.given = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            server.asked[path] += 1
            fault = server.fault(self.command, self.path, server.asked[path])
            if fault == "hang up":
                self.close_connection = True
                return
            if fault == "silent":
                time.sleep(server.silence)
                self.close_connection = True
                return
            if fault in ("busy", "throttled", "error"):
                status = {"busy": 503, "throttled": 429, "error": 500}[fault]
                self.reply(status, BROKEN if fault == "error" else BUSY, {"Retry-After": "0"})
                return
            status, body, headers = self.behind() if server.behind else self.file(path)
            if server.flip(path, server.asked[path]) and body:
                body = body[:-1] + bytes([body[-1] ^ 1])
            length = len(body)
            if fault == "cut":
                body = body[: length // 2]
            elif fault == "short":
                body, length = body[: length // 2], length // 2
            elif fault == "long":
                body, length = body + b"x" * 100, length + 100
            server.sent[path] += len(body)
            self.reply(status, body, headers, length)
            if fault == "cut":
                self.close_connection = True

        def reply(self, status: int, body: bytes, headers: dict[str, str], length: int | None = None) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def behind(self) -> tuple[int, bytes, dict[str, str]]:
            line = HTTPConnection(server.behind, timeout=30)
            line.request(self.command, self.path, self.given, headers=dict(self.headers))
            answer = line.getresponse()
            body = answer.read()
            headers = {
                k: v
                for k, v in answer.getheaders()
                if k.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server")
            }
            if self.command == "HEAD":
                body = b"\0" * int(answer.headers.get("Content-Length", 0))
            return answer.status, body, headers

        def file(self, path: str) -> tuple[int, bytes, dict[str, str]]:
            assert server.folder is not None
            place = server.folder / path.lstrip("/")
            if not place.is_file():
                return 404, b"no such file", {}
            when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(place.stat().st_mtime))
            return 200, place.read_bytes(), {"Last-Modified": when}

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join(timeout=5)
