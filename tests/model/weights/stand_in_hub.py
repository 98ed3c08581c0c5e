"""A hub of a few files on this computer: what the real client asks of huggingface.co, and no more."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LARGE = 1000
"""Bytes from which a file's etag is its SHA-256, as for files in large-file storage; below, git's hash."""


@dataclass
class StandInHub:
    """Repositories by name with their files; every commit of a repository has the same content.

    Attributes
    ----------
    files : dict
        Content by ``(repo, file)``.
    heads : dict
        Commit that ``main`` is, by repository.
    licences : dict
        What a repository's page states.
    cut_after : int or None
        Bytes after which a transfer breaks off.
    down_after_cut : bool
        Whether the hub is down from then on.
    down : bool
        Whether connections are closed without an answer.
    lie_about : set
        Files of which other bytes are sent than their hash says.
    asked : list of (method, path, range)
        Requests so far.
    """

    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    heads: dict[str, str] = field(default_factory=dict)
    licences: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    down_after_cut: bool = True
    down: bool = False
    lie_about: set[tuple[str, str]] = field(default_factory=set)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""

    def add(self, repo: str, folder: Path, commit: str, *names: str) -> None:
        for name in names:
            self.files[repo, name] = (folder / name).read_bytes()
        self.heads[repo] = commit

    def etag(self, content: bytes) -> str:
        if len(content) >= LARGE:
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()

    def transfers(self) -> list[str]:
        return [path for method, path, _ in self.asked if method == "GET" and "/resolve/" in path]


@contextmanager
def serving(hub: StandInHub) -> Iterator[StandInHub]:
    """Serve a hub on a free port of this computer."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, *, body: bool) -> None:
            hub.asked.append((self.command, self.path, self.headers.get("Range", "")))
            parts = self.path.split("?")[0].strip("/").split("/")
            if hub.down:
                self.close_connection = True
                return
            if parts[:2] == ["api", "models"]:
                repo = "/".join(parts[2:4])
                told = {
                    "id": repo,
                    "sha": hub.heads.get(repo),
                    "cardData": {"license": hub.licences.get(repo)},
                }
                self._send(200, json.dumps({**told, "siblings": []}).encode(), {}, body)
                return
            if parts[2:3] != ["resolve"]:
                self._send(404, b"", {}, body)
                return
            repo, commit, name = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
            if repo not in hub.heads or (repo, name) not in hub.files:
                code = "EntryNotFound" if repo in hub.heads else "RepoNotFound"
                self._send(404, b"", {"X-Error-Code": code}, body)
                return
            content = hub.files[repo, name]
            headers = {
                "X-Repo-Commit": hub.heads[repo] if len(commit) != 40 else commit,
                "ETag": f'"{hub.etag(content)}"',
                "Accept-Ranges": "bytes",
            }
            if (repo, name) in hub.lie_about:
                content = content[:-1] + b"!"
            wanted = self.headers.get("Range", "") if body else ""
            start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self._send(206 if start else 200, content[start:], headers, body)

        def _send(self, status: int, content: bytes, headers: dict[str, str], body: bool) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if not body:
                return
            if hub.cut_after is not None and len(content) > hub.cut_after:
                self.wfile.write(content[: hub.cut_after])
                self.wfile.flush()
                hub.down, hub.cut_after = hub.down_after_cut, None
                self.close_connection = True
                return
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
