"""A package index on loopback, with wheels made on the spot: what uv and pip speak to in the tests."""

from __future__ import annotations

import base64
import hashlib
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from tests.small import Pin


def wheel(name: str, version: str, *, payload: bytes = b"") -> bytes:
    """The bytes of a wheel with one module; the same bytes for the same arguments."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"version = {version!r}\n".encode(),
        f"{name}/payload.bin": payload,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(content)}\n")
    files[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"]).encode()
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content)
    return buffer.getvalue()


@dataclass
class Index:
    """What is served, to whom, and how.

    Attributes:
        wheels: file name to bytes.
        login: `user:password` that is asked for; empty when anybody may read.
        gate: files are answered only while it is open.
        asked: set as soon as a file is asked for.
    """

    wheels: dict[str, bytes] = field(default_factory=dict)
    login: str = ""
    gate: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def add(self, name: str, version: str = "1.0", **more: Any) -> Pin:
        """Publish a package; what a lock says about it. Names without dashes, so that files need no escape."""
        content = wheel(name, version, **more)
        self.wheels[f"{name}-{version}-py3-none-any.whl"] = content
        return Pin(name, version, hashes=(f"sha256:{hashlib.sha256(content).hexdigest()}",))

    def url(self, login: str = "") -> str:
        return f"http://{login}{'@' if login else ''}127.0.0.1:{self.port}/simple"

    def page(self, name: str) -> bytes | None:
        links = [
            f'<a href="/files/{file}#sha256={hashlib.sha256(content).hexdigest()}">{file}</a>\n'
            for file, content in self.wheels.items()
            if file.startswith(f"{name}-")
        ]
        return f"<!DOCTYPE html>\n<html><body>\n{''.join(links)}</body></html>\n".encode() if links else None


@contextmanager
def serving(index: Index) -> Iterator[Index]:
    """Serve the index for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = "Basic " + base64.b64encode(index.login.encode()).decode()
            if index.login and self.headers.get("Authorization") != wanted:
                self._answer(401, b"who are you?", {"WWW-Authenticate": 'Basic realm="index"'})
                return
            kind, _, name = self.path.strip("/").partition("/")
            if kind == "files":
                index.asked.set()
                index.gate.wait(60)
            content = index.page(name) if kind == "simple" else index.wheels.get(name)
            if content is None:
                self._answer(404, b"nothing", {})
            else:
                self._answer(200, content, {"Content-Type": "text/html" if kind == "simple" else "application/zip"})

        do_HEAD = do_GET

        def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            try:
                self.send_response(status)
                for key, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(key, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)
            except OSError:
                # The installer was killed, as some tests do.
                self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            """Not on the tests' stderr."""

    index.gate.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    index.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        index.gate.set()
        server.shutdown()
        thread.join(30)
        server.server_close()
