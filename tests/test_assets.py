"""Fetching: what arrives is what was asked for, whole, or nothing; and an error says what to do."""

from __future__ import annotations

import os
import re
import socket
import ssl
import stat
import subprocess
import sys
import tarfile
import time
import urllib.error
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from archive_sources import (
    CLOSED_PORT,
    Index,
    Server,
    asset,
    package_index,
    sha256,
    tar_of,
    web_server,
    zip_of,
)

from keras_recs.data import archives, assets
from keras_recs.data.archives import PackageSource, SourceError, UrlSource, unpack, verify
from keras_recs.data.assets import ASSETS, AssetError, cache_dir, fetch, is_present


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a list of assets that a test may add to."""
    monkeypatch.setenv("KERAS_RECS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(assets, "ASSETS", {})
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "home"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    return package_index(tmp_path / "index", monkeypatch)


@pytest.fixture
def server() -> Iterator[Server]:
    with web_server() as running:
        yield running


def offer(name: str, *sources: PackageSource | UrlSource, offline: str = "") -> None:
    assets.ASSETS[name] = asset(name, *sources, offline=offline)


def reason(name: str) -> str:
    """The message of the error that fetching gives; nothing of the asset may be left behind."""
    with pytest.raises(AssetError) as caught:
        fetch(name)
    assert not is_present(name)
    assert [p.name for p in cache_dir().iterdir()] in ([f".{name}.lock"], [f".{name}.lock", name])
    return str(caught.value)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


# --- the list ---


def test_list_is_complete_and_well_formed() -> None:
    assert set(ASSETS) == {
        "ml-100k",
        "ml-100k-kg",
        "ml-latest-small",
        "ml-1m",
        "minilm",
        "use-multilingual",
        "smollm2",
        "squeezenet",
        "efficientnet-lite0",
        "glove",
        "chinese-word2vec",
    }
    for name, one in ASSETS.items():
        assert one.name == name
        assert one.description.endswith(".") and one.licence and one.notice and one.size > 100_000
        kept = [set(source.members.values()) for source in one.sources]
        assert sum(map(len, kept)) == len(set().union(*kept)), (
            "files of two sources must not be taken for one another"
        )
        for source in one.sources:
            assert source.members and all("/" not in file for file in source.members.values())
            if isinstance(source, PackageSource):
                package, version = source.requirement.split("==")
                assert source.filename.startswith(f"{package.replace('-', '_')}-{version}")
                assert re.fullmatch("sha256:[0-9a-f]{64}", source.hash)
            else:
                assert source.url.startswith("https://")
                assert source.hash is None or re.fullmatch("md5:[0-9a-f]{32}", source.hash)


def test_only_what_its_publisher_changes_in_place_is_not_pinned() -> None:
    assert [name for name, one in ASSETS.items() if not one.pinned] == ["ml-latest-small"]
    assert "not pinned" in ASSETS["ml-latest-small"].description


def test_cache_folder_is_the_users_own_unless_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KERAS_RECS_HOME", raising=False)
    assert cache_dir().is_absolute() and "keras_recs" in cache_dir().parts
    monkeypatch.setenv("KERAS_RECS_HOME", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.setenv("KERAS_RECS_HOME", "~/there")
    assert cache_dir() == Path.home() / "there"


@pytest.mark.parametrize("function", [fetch, is_present])
def test_unknown_name_is_answered_with_the_known_ones(function: object) -> None:
    with pytest.raises(ValueError, match="no asset 'ml-100'; there are ml-100k, .*glove"):
        function("ml-100")  # type: ignore[operator]


# --- packages ---


def test_wheel_comes_through_pip(
    home: Path, index: Index, capfd: pytest.CaptureFixture[str]
) -> None:
    offer(
        "toy",
        index.wheel(
            "toy",
            {"toy/data/a.bin": b"alpha", "toy/b.bin": b"beta", "toy/code.py": b"1/0"},
            {"toy/data/a.bin": "a.bin", "toy/b.bin": "renamed.bin"},
        ),
    )
    assert not is_present("toy")
    folder = fetch("toy")
    assert folder == home / "toy" and is_present("toy")
    assert contents(folder) == {"a.bin": b"alpha", "renamed.bin": b"beta"}
    assert [p.name for p in home.glob("*.partial")] == []
    assert capfd.readouterr() == ("", ""), "not a terminal: nothing is printed"


def test_source_archive_is_fetched_without_running_its_code(
    home: Path, index: Index, tmp_path: Path
) -> None:
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\nfrom setuptools import setup\nsetup(name='toy', version='1.0')\n"
    files = {
        "toy-1.0/setup.py": trap.encode(),
        "toy-1.0/PKG-INFO": b"Name: toy\nVersion: 1.0\n",
        "toy-1.0/toy/a.bin": b"alpha",
    }
    offer("toy", index.sdist("toy", files, {"toy-1.0/toy/a.bin": "a.bin"}))
    assert contents(fetch("toy")) == {"a.bin": b"alpha"}
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_package_of_another_digest_is_refused(home: Path, index: Index, kind: str) -> None:
    source = getattr(index, kind)("toy", {"toy-1.0/a.bin": b"alpha"}, {"toy-1.0/a.bin": "a.bin"})
    offer(
        "toy",
        PackageSource(source.requirement, source.filename, sha256(b"another"), source.members),
    )
    assert "hash" in reason("toy").lower()


def test_package_that_is_not_on_the_index(home: Path, index: Index) -> None:
    offer(
        "toy",
        PackageSource("toy==1.0", "toy-1.0-py3-none-any.whl", sha256(b""), {"a.bin": "a.bin"}),
    )
    message = reason("toy")
    assert "pip, toy==1.0: " in message and "No matching distribution found for toy==1.0" in message


def test_python_without_pip(home: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    offer("toy", index.wheel("toy", {"a.bin": b"alpha"}, {"a.bin": "a.bin"}))
    monkeypatch.setattr(archives.importlib.util, "find_spec", lambda name: None)
    message = reason("toy")
    assert (
        "has no pip" in message
        and "python -m ensurepip" in message
        and "uv pip install pip" in message
    )


# --- addresses ---


def test_address(home: Path, server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    server.files["/toy.zip"] = content = zip_of({"toy/a.bin": b"alpha", "toy/README": b"read me"})
    offer("toy", UrlSource(server.url + "toy.zip", sha256(content), {"toy/a.bin": "a.bin"}))
    patience = socket.getdefaulttimeout()
    assert contents(fetch("toy")) == {"a.bin": b"alpha"}
    assert capfd.readouterr().out == "", "standard output belongs to the caller"
    assert socket.getdefaulttimeout() == patience
    server.files.clear()
    assert contents(fetch("toy")) == {"a.bin": b"alpha"}, "what is there is not fetched again"


def test_md5_of_the_publisher(home: Path, server: Server) -> None:
    server.files["/toy.zip"] = zip_of({"a.bin": b"alpha"})
    offer("toy", UrlSource(server.url + "toy.zip", "md5:" + "0" * 32, {"a.bin": "a.bin"}))
    message = reason("toy")
    assert (
        f"{server.url}toy.zip: toy.zip (" in message
        and "has md5 " in message
        and "it is damaged" in message
    )


def test_address_that_breaks_off(home: Path, server: Server) -> None:
    content = zip_of({"a.bin": os.urandom(5000)})
    server.files["/toy.zip"] = content[:-2000]
    offer("toy", UrlSource(server.url + "toy.zip", sha256(content), {"a.bin": "a.bin"}))
    server.promised["/toy.zip"] = len(content)  # the client can tell
    assert "toy.zip: " in reason("toy")
    server.promised["/toy.zip"] = None  # only the digest can tell
    assert "sha256" in reason("toy")
    offer(
        "toy", UrlSource(server.url + "toy.zip", None, {"a.bin": "a.bin"})
    )  # only the archive itself can tell
    assert "cannot be unpacked" in reason("toy")


def test_address_without_the_file(home: Path, server: Server) -> None:
    offer("toy", UrlSource(server.url + "toy.zip", None, {"a.bin": "a.bin"}))
    assert "Not Found" in reason("toy")


def test_server_that_never_answers_costs_seconds(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        offer(
            "toy",
            UrlSource(
                f"http://127.0.0.1:{silent.getsockname()[1]}/toy.zip", None, {"a.bin": "a.bin"}
            ),
        )
        start = time.monotonic()
        assert re.search("timed out|no answer within", reason("toy"))
        assert time.monotonic() - start < 2


def test_name_that_is_never_resolved_costs_seconds(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(archives.urllib.request, "urlopen", lambda *_, **__: time.sleep(2))
    offer("toy", UrlSource("http://nowhere.invalid/toy.zip", None, {"a.bin": "a.bin"}))
    start = time.monotonic()
    assert "no answer within 0.2 s" in reason("toy")
    assert time.monotonic() - start < 1.5


def test_expired_certificate_is_a_failure_of_that_source_only(
    home: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expired(*_: object, **__: object) -> None:
        raise urllib.error.URLError(
            ssl.SSLCertVerificationError("certificate verify failed: certificate has expired")
        )

    monkeypatch.setattr(archives.urllib.request, "urlopen", expired)
    address = UrlSource("https://nowhere.invalid/toy.zip", None, {"a.bin": "a.bin"})
    offer("toy", address, index.wheel("toy", {"toy/b.bin": b"beta"}, {"toy/b.bin": "b.bin"}))
    assert contents(fetch("toy")) == {"b.bin": b"beta"}
    offer("other", address)
    with pytest.raises(AssetError, match="certificate has expired"):
        fetch("other")


def test_server_that_does_not_speak_tls(home: Path, server: Server) -> None:
    offer(
        "toy",
        UrlSource(server.url.replace("http:", "https:") + "toy.zip", None, {"a.bin": "a.bin"}),
    )
    assert re.search("(?i)ssl|tls", reason("toy"))


def test_all_sources_down_names_them_and_the_ways_on(home: Path, index: Index) -> None:
    offer(
        "toy",
        UrlSource(CLOSED_PORT + "toy.zip", None, {"a.bin": "a.bin"}),
        PackageSource("toy==1.0", "toy-1.0-py3-none-any.whl", sha256(b""), {"b.bin": "b.bin"}),
        offline="or pray",
    )
    message = reason("toy")
    assert message.startswith("the asset 'toy' could not be fetched:")
    assert re.search(re.escape(CLOSED_PORT) + "toy.zip: .*refused", message)
    assert "pip, toy==1.0: " in message
    assert (
        f"put it into {home / 'toy'}" in message
        and "KERAS_RECS_HOME" in message
        and "or pray" in message
    )


def test_tensorflow_is_not_imported_to_learn_that_a_server_is_down(home: Path) -> None:
    code = f"""
import sys
from keras_recs.data import archives, assets
source = archives.UrlSource({CLOSED_PORT + "toy.zip"!r}, None, {{"a.bin": "a.bin"}})
assets.ASSETS["toy"] = assets.Asset("toy", "", (source,), 1, "", "")
try:
    assets.fetch("toy")
except assets.AssetError:
    print([name for name in ("tensorflow", "keras") if name in sys.modules])
"""
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )


# --- the cache ---


@pytest.mark.parametrize("harm", [lambda file: file.unlink(), lambda file: file.write_bytes(b"")])
def test_damaged_cache_is_mended(home: Path, index: Index, harm: object) -> None:
    offer(
        "toy",
        index.wheel(
            "toy", {"a.bin": b"alpha", "b.bin": b"beta"}, {"a.bin": "a.bin", "b.bin": "b.bin"}
        ),
    )
    harm(fetch("toy") / "b.bin")  # type: ignore[operator]
    assert not is_present("toy")
    assert contents(fetch("toy")) == {"a.bin": b"alpha", "b.bin": b"beta"}


def test_archive_brought_by_hand_needs_no_network(home: Path, index: Index) -> None:
    source = index.wheel("toy", {"a.bin": b"alpha"}, {"a.bin": "a.bin"})
    offer("toy", UrlSource(CLOSED_PORT + "toy.zip", None, {"c.bin": "c.bin"}), source)
    (home / "toy").mkdir(parents=True)
    (index.folder / source.filename).rename(home / "toy" / source.filename)
    assert (fetch("toy") / "a.bin").read_bytes() == b"alpha"


def test_wrong_archive_brought_by_hand_is_named_and_passed_over(home: Path, index: Index) -> None:
    source = index.wheel("toy", {"a.bin": b"alpha"}, {"a.bin": "a.bin"})
    offer("toy", source)
    (home / "toy").mkdir(parents=True)
    brought = home / "toy" / source.filename
    brought.write_bytes(b"something else")
    assert (fetch("toy") / "a.bin").read_bytes() == b"alpha"
    (home / "toy" / "a.bin").unlink()
    (index.folder / source.filename).unlink()
    assert f"{brought}: {source.filename} (14 bytes) has sha256" in reason("toy")


def test_files_put_there_by_hand_are_the_asset(home: Path) -> None:
    offer("toy", UrlSource(CLOSED_PORT + "toy.zip", None, {"in/a.bin": "a.bin"}))
    (home / "toy").mkdir(parents=True)
    (home / "toy" / "a.bin").write_bytes(b"alpha")
    assert fetch("toy") == home / "toy"


def test_cache_that_cannot_be_written(home: Path, index: Index) -> None:
    offer("toy", index.wheel("toy", {"a.bin": b"alpha"}, {"a.bin": "a.bin"}))
    home.write_text("a file where the folder should be")
    with pytest.raises(AssetError, match="'toy' cannot be stored in .*Set KERAS_RECS_HOME"):
        fetch("toy")


#: A program that fetches one asset of two files from a source that logs each download.
FETCHER = """
import os, sys, time, zipfile
from keras_recs.data import assets
log, after = sys.argv[1:]
class Source:
    filename, hash, members = "toy.zip", None, {"a.bin": "a.bin", "b.bin": "b.bin"}
    def download(self, folder, visible):
        with open(log, "a") as file:
            file.write("x")
        time.sleep(0.5)
        with zipfile.ZipFile(folder / "toy.zip", "w") as bundle:
            bundle.writestr("a.bin", b"a" * 1000)
            bundle.writestr("b.bin", b"b" * 1000)
        return folder / "toy.zip"
assets.ASSETS["toy"] = assets.Asset("toy", "", (Source(),), 1, "", "")
if after != "never":  # die when so many files are in place
    replace, calls = os.replace, []
    def dying(*paths):
        if len(calls) == int(after):
            os._exit(9)
        calls.append(paths)
        replace(*paths)
    assets.os.replace = dying
folder = assets.fetch("toy")
assert [(p.name, p.read_bytes()) for p in sorted(folder.iterdir())] == [("a.bin", b"a" * 1000), ("b.bin", b"b" * 1000)]
"""


def test_two_processes_at_once_fetch_once(home: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", FETCHER, str(tmp_path / "log"), "never"]
    running = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert (tmp_path / "log").read_text() == "x"


@pytest.mark.parametrize("after", ["0", "1"])
def test_crash_before_the_last_file_is_in_place_leaves_no_asset(
    home: Path, tmp_path: Path, after: str
) -> None:
    log = str(tmp_path / "log")
    offer("toy", UrlSource(CLOSED_PORT + "toy.zip", None, {"a.bin": "a.bin", "b.bin": "b.bin"}))
    assert subprocess.run([sys.executable, "-c", FETCHER, log, after]).returncode == 9
    assert not is_present("toy")
    assert len(list(home.glob(".toy.*.partial"))) == 1
    subprocess.run([sys.executable, "-c", FETCHER, log, "never"], check=True)
    assert is_present("toy") and Path(log).read_text() == "xx"
    assert list(home.glob("*.partial")) == list(home.glob(".*.partial")) == [], (
        "what the dead process left is cleared"
    )


def test_interrupted_download_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(source: UrlSource, folder: Path, *, visible: bool) -> Path:
        (folder / "toy.zip").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(UrlSource, "download", interrupted)
    offer("toy", UrlSource(CLOSED_PORT + "toy.zip", None, {"a.bin": "a.bin"}))
    with pytest.raises(KeyboardInterrupt):
        fetch("toy")
    assert [p.name for p in home.iterdir()] == [".toy.lock"]


# --- unpacking ---


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in" / "archive"


def test_unpack_takes_the_named_members_only(tmp_path: Path, archive: Path) -> None:
    files = {"top/a.bin": b"alpha", "top/b.bin": b"beta", "../evil": b"evil", "/evil": b"evil"}
    for made in (zip_of(files), tar_of(files)):
        archive.write_bytes(made)
        unpack(archive, {"top/b.bin": "b"}, tmp_path / "out")
        assert contents(tmp_path / "out") == {"b": b"beta"}
        assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out"]


@pytest.mark.parametrize("make", [zip_of, tar_of])
@pytest.mark.parametrize("path", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:evil"])
def test_member_that_leaves_the_archive_is_refused(
    tmp_path: Path, archive: Path, make: object, path: str
) -> None:
    archive.write_bytes(make({path: b"evil"}))  # type: ignore[operator]
    with pytest.raises(ValueError, match="leaves the archive"):
        unpack(archive, {path: "evil"}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../evil", "a/b", "/evil", "..", "", "a\\b"])
def test_file_name_that_leaves_the_folder_is_refused(
    tmp_path: Path, archive: Path, name: str
) -> None:
    archive.write_bytes(zip_of({"a": b"alpha"}))
    with pytest.raises(ValueError, match="not a plain file name"):
        unpack(archive, {"a": name}, tmp_path / "out")


def test_links_and_folders_are_refused(tmp_path: Path, archive: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    link = zipfile.ZipInfo("a.bin")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr(link, str(secret))
    with pytest.raises(SourceError, match="a.bin in archive is not a plain file"):
        unpack(archive, {"a.bin": "a.bin"}, tmp_path / "out")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE):
        info = tarfile.TarInfo("a.bin")
        info.type, info.linkname = kind, str(secret)
        with tarfile.open(archive, "w:gz") as tar:
            tar.addfile(info)
        with pytest.raises(SourceError, match="a.bin in archive is not a plain file"):
            unpack(archive, {"a.bin": "a.bin"}, tmp_path / "out")
    assert contents(tmp_path / "out") == {}


def test_damaged_archives_are_named(tmp_path: Path, archive: Path) -> None:
    payload = os.urandom(50_000)
    whole = zip_of({"a.bin": payload})
    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 255  # only the checksum tells
    packed = tar_of({"a.bin": payload})
    for damaged in (
        bytes(flipped),
        whole[:-100],
        packed[:-10_000],
        packed[:5],
        b"<html>moved</html>",
        b"",
    ):
        archive.write_bytes(damaged)
        with pytest.raises(SourceError, match="archive cannot be unpacked"):
            unpack(archive, {"a.bin": "a.bin"}, tmp_path / "out")


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_missing_member_is_named(tmp_path: Path, archive: Path, make: object) -> None:
    archive.write_bytes(make({"a.bin": b"alpha"}))  # type: ignore[operator]
    with pytest.raises(SourceError, match="archive does not hold b.bin"):
        unpack(archive, {"a.bin": "a.bin", "b.bin": "b.bin"}, tmp_path / "out")


def test_verify(archive: Path) -> None:
    archive.write_bytes(b"abc")
    verify(archive, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    verify(archive, "md5:900150983cd24fb0d6963f7d28e17f72")
    verify(archive, None)
    archive.write_bytes(b"abd")
    for digest in (
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "md5:900150983cd24fb0d6963f7d28e17f72",
    ):
        with pytest.raises(SourceError, match="damaged"):
            verify(archive, digest)


# --- the real index ---


@pytest.mark.data
def test_real_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_RECS_HOME", str(tmp_path))
    try:
        folder = fetch("ml-100k-kg")
    except AssetError as error:
        pytest.skip(str(error))
    assert {file.name: file.stat().st_size for file in folder.iterdir()} == {
        "ml-100k.kg": 3_515_608,
        "ml-100k.link": 21_507,
    }
