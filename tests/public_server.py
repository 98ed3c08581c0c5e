"""A server on this machine that public reference sets are fetched from, and a set that it holds."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from napari_cellclip.explore.references.public.public_sets import PublicFile, PublicSet
from tests.profile_tables import made_table, write_annotations


class Server(ThreadingHTTPServer):
    """Serves `content` by path; may stop early, answer 404, or not know ranges."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content: dict[str, bytes] = {}
        self.stop_after: int | None = None
        self.ranges = True
        self.asked: list[tuple[str, str]] = []

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        own = self.server
        asked = self.headers.get("Range", "")
        own.asked.append((self.path, asked))
        content = own.content.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and own.ranges else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : own.stop_after])
        own.stop_after = None

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server on a free port."""
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


def published(server: Server, name: str, content: bytes) -> PublicFile:
    """Publish a file on the server."""
    server.content[f"/{name}"] = content
    return PublicFile(name, server.address(f"/{name}"), hashlib.sha256(content).hexdigest(), len(content))


def published_set(server: Server, folder: Path) -> PublicSet:
    """Publish a set of one plate and its annotations."""
    table = made_table(controls=12, replicates=3).to_csv(index=False).encode()
    notes = write_annotations(folder / "more.tsv").read_bytes()
    return PublicSet(
        "made",
        "A made set",
        "CC0",
        "nobody",
        "U2OS",
        {48.0: (published(server, "P1.csv", table),)},
        published(server, "more.tsv", notes),
    )
