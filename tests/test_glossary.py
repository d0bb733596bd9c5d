"""The glossary: every name once, in both languages; and equal names compute equal things."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import io
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist

import keras_recs
from keras_recs.answers.q02_llm_interest import TextTower
from keras_recs.answers.q04_knn import UserKNN
from keras_recs.answers.q05_matrix_factorization import Parameters, loss
from keras_recs.answers.q06_content_embedding import ContentEmbedding, word_weights
from keras_recs.answers.q07_user_cf import UserCF
from keras_recs.answers.q11_implicit_mf.als import objective, penalties
from keras_recs.answers.q12_item_cf import EASE, ItemCF
from keras_recs.core.factors import cosines
from keras_recs.core.hyperparameters import Hyperparameters, _annotations
from keras_recs.core.recommender import Recommender
from keras_recs.data import Dataset, ItemFeatures, split
from keras_recs.data.graph import bipartite
from keras_recs.data.sequences import recency_weighted
from keras_recs.evaluation import baselines, evaluate, evaluate_scores
from keras_recs.evaluation.metrics import ndcg_at, novelty
from keras_recs.interview import interview
from keras_recs.interview.words import WORDS
from keras_recs.questions import QUESTIONS, question
from keras_recs.questions.glossary import Term, glossary, look_up, terms_in
from keras_recs.text.tfidf import TfidfEncoder, terms

PACKAGE = Path(keras_recs.__file__).resolve().parent
NOTEBOOKS = PACKAGE.parent / "notebooks"
HAN = re.compile("[\u3400-\u9fff]")
#: Symbols as formulas on the pages write them.
TEX = {"σ": r"\sigma", "ν": r"\nu", "η": r"\eta", "α": r"\alpha", "δ": r"\delta", "μ": r"\mu"}
TEX |= {"γ": r"\gamma", "τ": r"\tau", "λ": r"\lambda"}
#: What Chinese texts write in Latin letters: names that have no other, and code.
LATIN = set(
    """
    NDCG BPR ALS SVD EASE DIN SIF IDF TF PMI AUC RMSE MAE InfoNCE logQ logit logits sigmoid softmax
    Transformer id embedding exp log min max sum None Jaccard skip gram GAN
    REINFORCE
    """.split()
)


def classes() -> dict[str, type[Hyperparameters]]:
    """All recommenders of the catalogue, and the baselines, by name."""
    found = {a.class_name: q.load(a) for q in QUESTIONS for a in q.answers}
    for name, each in vars(baselines).items():
        if isinstance(each, type) and issubclass(each, Recommender) and each is not Recommender:
            found[name] = each
    return found


def entry(name: str) -> Term:
    (found,) = [term for term in glossary() if term.en == name]
    return found


# --- the entries ----------------------------------------------------------------------------------


def test_every_argument_of_every_recommender_is_in_the_glossary_once() -> None:
    held = Counter(name for term in glossary() for name in term.parameters)
    assert [name for name, times in held.items() if times > 1] == []
    used = {
        name: cls.__name__
        for cls in classes().values()
        for name in inspect.signature(cls).parameters
    }
    missing = {name: cls for name, cls in used.items() if name not in held}
    assert not missing, f"{missing}: give each an entry in questions/glossary.toml"
    assert set(held) <= set(used), f"no recommender has {set(held) - set(used)}"


def kinds() -> dict[str, set[str]]:
    """Argument -> the ranges that the classes declare for it."""
    found = defaultdict(set)
    for cls in classes().values():
        annotations = _annotations(cls) if dataclasses.is_dataclass(cls) else {}
        for name in inspect.signature(cls).parameters:
            found[name].add(str(annotations[name]))
    return found


def test_an_argument_has_one_range_or_the_glossary_says_why_not() -> None:
    several = {name for name, ranges in kinds().items() if len(ranges) > 1}
    assert {"reg", "similarity", "n_epochs"} <= several, "the ranges were not read"
    for term in glossary():
        found = set(term.parameters) & several
        assert bool(found) == bool(term.ranges), f"{term.en}: several ranges for {found or 'none'}"


def test_names_and_symbols_have_one_meaning() -> None:
    for column in ("en", "zh", "symbol"):
        values = Counter(getattr(term, column) for term in glossary())
        values.pop("", None)
        assert [value for value, times in values.items() if times > 1] == [], column
    called = defaultdict(set)
    for term in glossary():
        for name in term.names:
            called[name.casefold()].add(term.en)
    assert {name: terms for name, terms in called.items() if len(terms) > 1} == {}


def test_other_symbols_of_a_page_are_no_symbol_of_the_term_itself() -> None:
    numbers = {q.number for q in QUESTIONS if q.built}
    for term in glossary():
        assert term.symbol not in term.elsewhere, term.en
        assert all(set(used) <= numbers for used in term.elsewhere.values()), term.en
        for symbol, used in term.elsewhere.items():
            signs = {symbol, TEX.get(symbol, symbol), symbol.replace("_u", "[u]"), symbol[0] + "[i"}
            for number in used if NOTEBOOKS.is_dir() else ():
                assert any(sign in of_question(number) for sign in signs), (
                    f"{term.en}: question {number} no longer writes {symbol}"
                )


@pytest.mark.parametrize("term", glossary(), ids=lambda term: term.en)
def test_an_entry_is_whole(term: Term) -> None:
    assert term.means.endswith(".") and not HAN.search(term.means)
    assert term.means[0].isupper() or re.match(r"1|log|exp|D\^", term.means)
    assert term.means_zh.endswith("。") and term.means_zh.count("。") == 1
    assert len(HAN.findall(term.means_zh)) >= 8
    assert HAN.search(term.zh) or term.zh in {"logit", "skip-gram"}
    assert not re.search(rf"{HAN.pattern}[,.;:?!]|[,;:?!]{HAN.pattern}", term.means_zh)
    assert not any(HAN.search(name) for name in term.also)
    assert set(term.avoid).isdisjoint(term.names) and set(term.avoid_zh).isdisjoint(term.names)
    assert term.questions and list(term.questions) == sorted(set(term.questions))
    assert set(term.questions) <= {q.number for q in QUESTIONS}


@pytest.mark.parametrize("term", glossary(), ids=lambda term: term.en)
def test_chinese_is_chinese(term: Term) -> None:
    without_code = re.sub(r"`[^`]*`", "", f"{term.zh} {term.means_zh}")
    words = set(re.findall(r"[A-Za-z]{3,}", without_code))
    assert words <= LATIN, "say it in Chinese, or list it as a name that is written so"


@pytest.mark.parametrize("term", [t for t in glossary() if t.computed], ids=lambda term: term.en)
def test_what_computes_it_is_there(term: Term) -> None:
    for dotted in term.computed:
        assert resolved(dotted) is not None


def resolved(dotted: str) -> Any:
    """What a dotted name of this package stands for."""
    names = dotted.split(".")
    for n in range(len(names), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(names[:n]))
        except ModuleNotFoundError:
            continue
        for name in names[n:]:
            found = getattr(found, name)
        return found
    raise AssertionError(dotted)


# --- the pages ------------------------------------------------------------------------------------


def cells(stem: str) -> Iterator[str]:
    """The Markdown of a notebook and of its Chinese edition; nothing where notebooks are not
    installed."""
    for file in (NOTEBOOKS / f"{stem}.ipynb", NOTEBOOKS / "zh" / f"{stem}.ipynb"):
        if file.is_file():
            for cell in json.loads(file.read_text(encoding="utf8"))["cells"]:
                if cell["cell_type"] == "markdown":
                    yield "".join(cell["source"])


def of_question(number: int) -> str:
    """Everything that is written about a question: texts, notebook, code."""
    q = question(number)
    written = [PACKAGE / "interview" / "texts" / f"{q.stem}.{each}.md" for each in ("en", "zh")]
    texts = [file.read_text(encoding="utf8") for file in (*written, *q.files())]
    return "\n".join([*texts, *cells(q.stem)]).replace("*", "")


@pytest.mark.skipif(not NOTEBOOKS.is_dir(), reason="an installed package has no notebooks")
@pytest.mark.parametrize("number", [q.number for q in QUESTIONS if q.built])
def test_a_term_is_used_where_the_glossary_says_so(number: int) -> None:
    written = of_question(number)
    mine = [term for term in glossary() if number in term.questions]
    assert [term.en for term in mine if not used_in(term, written)] == []


def used_in(term: Term, written: str) -> bool:
    """Whether a text has the term by a name, by an argument or, where that is no Latin letter, by
    its symbol."""
    code = any(re.search(rf"\b{name}\b", written) for name in term.parameters)
    signs = [sign for sign in (term.symbol, *term.elsewhere) if not sign.isascii()]
    signs += [TEX[sign] for sign in signs if sign in TEX]
    return bool(term.pattern.search(written)) or code or any(sign in written for sign in signs)


def test_every_question_has_terms() -> None:
    for q in QUESTIONS:
        assert sum(q.number in term.questions for term in glossary()) >= 4, q.stem


def prose() -> Iterator[tuple[str, str]]:
    """(where, text) of what is written for readers: docstrings, interview texts, defects and the
    Markdown of notebooks."""
    for file in sorted(PACKAGE.rglob("*.py")):
        if "tests" in file.relative_to(PACKAGE).parts:
            continue
        tree = ast.parse(file.read_text(encoding="utf8"))
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                yield f"{file.name}: {getattr(node, 'name', '')}", ast.get_docstring(node) or ""
    for file in [*PACKAGE.rglob("texts/*.md"), *PACKAGE.rglob("defects/*.toml")]:
        yield file.name, file.read_text(encoding="utf8")
    for file in sorted(NOTEBOOKS.glob("*.ipynb")):
        yield file.name, "\n".join(cells(file.stem))


def wrong_names(text: str) -> list[str]:
    """What a text calls by a name that the glossary rules out."""
    plain = " ".join(text.replace("*", "").split()).casefold()
    avoided = [name for term in glossary() for name in (*term.avoid, *term.avoid_zh)]
    return [name for name in avoided if name.casefold() in plain]


def test_nothing_is_called_by_a_wrong_name() -> None:
    found = {where: wrong for where, text in prose() if (wrong := wrong_names(text))}
    assert found == {}


def test_wrong_names_are_found() -> None:
    assert wrong_names("puts a small **price on\n    long vectors**") == ["price on long vectors"]
    assert wrong_names("加上惩罚价格") == ["惩罚价格"] and wrong_names("The price: a pass.") == []
    assert sum(1 for _, text in prose() if text) > 300


# --- equal names compute equal things -------------------------------------------------------------


@pytest.fixture(scope="module")
def log() -> Dataset:
    """40 users with ids of text, 23 items; repeated events, equal ratings, a user and an item
    without events."""
    rng = np.random.default_rng(7)
    n = 420
    users, items = rng.integers(40, size=n), np.minimum(rng.geometric(0.12, n), 23) - 1
    times, ratings = rng.permutation(n), rng.integers(1, 6, n)
    data = Dataset.from_arrays([f"u{u}" for u in users], items * 7, ratings, times)
    events = data.interactions
    kept = (events.users != 3) & (events.items != 5)
    return data.with_interactions(events.take(np.flatnonzero(kept)))


def transposed(data: Dataset) -> Dataset:
    """The same events, users and items exchanged."""
    seen = data.seen.T.tocoo()
    pairs = Dataset.from_arrays(*(np.concatenate([c, [0]]) for c in seen.coords))
    assert pairs.n_users <= data.n_items
    return pairs


def test_there_is_something_to_compare(log: Dataset) -> None:
    pairs = log.interactions.users * log.n_items + log.interactions.items
    assert len(np.unique(pairs)) < len(pairs), "some pair is there twice"
    assert 0 in log.popularity and 0 in np.diff(log.seen.indptr)


def defined_cosine(rows: np.ndarray) -> np.ndarray:
    """By SciPy; 0 with rows of zeros and with oneself."""
    with np.errstate(invalid="ignore"):
        found = np.nan_to_num(1 - cdist(rows, rows, "cosine"))
    np.fill_diagonal(found, 0)
    return found


def test_cosine_similarity_is_one_thing(log: Dataset) -> None:
    x = log.seen.toarray().astype(float)
    between_users, between_items = defined_cosine(x), defined_cosine(x.T)
    assert between_users.max() > 0.5 and np.abs(between_users - between_items[:1, :1]).max() > 0.3
    everybody = {"similarity": "cosine", "n_neighbors": log.n_users}
    knn = UserKNN(**everybody, shrinkage=0, feedback="implicit").fit(log)
    cf = UserCF(**everybody, significance=1).fit(log)
    ids = log.user_ids.ids
    np.testing.assert_allclose(knn.score(ids), between_users @ x, atol=2e-5)
    np.testing.assert_allclose(cf.score(ids), between_users @ x, atol=2e-5)
    item_cf = ItemCF(similarity="cosine").fit(log)
    item_knn = baselines.ItemKNNRecommender().fit(log)
    np.testing.assert_allclose(item_cf.score(ids), x @ between_items, atol=2e-5)
    np.testing.assert_allclose(item_knn.score(ids), x @ between_items, atol=2e-5)
    known = np.flatnonzero(log.popularity)
    of_vectors = cosines(x.T, known)[:, known]
    np.fill_diagonal(of_vectors, 0)
    np.testing.assert_allclose(of_vectors, between_items[np.ix_(known, known)], atol=2e-6)


def test_shrinkage_is_one_thing(log: Dataset) -> None:
    x = log.seen.toarray().astype(float)
    for s in (1.0, 8.0):
        common = x @ x.T
        between_users = defined_cosine(x) * common / (common + s)
        knn = UserKNN(n_neighbors=log.n_users, shrinkage=s, feedback="implicit").fit(log)
        np.testing.assert_allclose(knn.score(log.user_ids.ids), between_users @ x, atol=2e-5)
        common = x.T @ x
        between_items = defined_cosine(x.T) * common / (common + s)
        cf = ItemCF(similarity="cosine", shrinkage=s).fit(log)
        np.testing.assert_allclose(cf.score(log.user_ids.ids), x @ between_items, atol=2e-5)


def test_the_number_of_neighbours_keeps_as_many_in_each_class(log: Dataset) -> None:
    x = log.seen.toarray().astype(float)
    rng = np.random.default_rng(0)
    for cls, between in ((UserCF, x), (ItemCF, x.T), (baselines.ItemKNNRecommender, x.T)):
        settings = {"significance": 1} if cls is UserCF else {}
        model = cls(n_neighbors=3, **settings).fit(log)
        kept = {
            UserCF: lambda m: m.neighbours_,
            ItemCF: lambda m: m.weights_,
            baselines.ItemKNNRecommender: lambda m: m.similarity_,
        }[cls](model)
        kept = kept.toarray() if sparse.issparse(kept) else kept
        full = np.sort(defined_cosine(between), axis=1)[:, ::-1][:, :3]
        np.testing.assert_allclose(np.sort(kept, axis=1)[:, ::-1][:, :3], full, atol=1e-6)
        assert np.count_nonzero(kept, axis=1).max() == 3
    # UserKNN chooses among those who met the item: more of its voters can be found
    knn = UserKNN(n_neighbors=3, shrinkage=0, feedback="implicit").fit(log)
    similarity = defined_cosine(x)
    for user, item in zip(rng.integers(40, size=20), rng.integers(23, size=20), strict=True):
        votes = np.sort(similarity[user] * x[:, item])[::-1][:3].sum()
        found = knn.score([log.user_ids.ids[user]])[0, item]
        assert found == pytest.approx(votes, abs=1e-5)


def defined_recency(data: Dataset, recency: float) -> np.ndarray:
    """exp(-a / recency), a the user's events after the latest with this item; event by event."""
    events = data.interactions
    out = np.zeros((data.n_users, data.n_items))
    for user in range(data.n_users):
        rows = np.flatnonzero(events.users == user)
        rows = rows[np.argsort(events.timestamps[rows], kind="stable")]
        for age, row in enumerate(rows[::-1]):
            item = events.items[row]
            out[user, item] = max(out[user, item], np.exp(-age / recency))
    return out


def test_recency_is_one_thing(log: Dataset) -> None:
    titled = Dataset.from_arrays(
        log.user_ids.ids[log.interactions.users],
        log.item_ids.ids[log.interactions.items],
        timestamps=log.interactions.timestamps,
        item_features=ItemFeatures(
            log.item_ids.ids, titles=[f"{word} ghost robots" for word in WORDS_OF_TITLES]
        ),
    )
    for recency in (2.0, 10.0):
        weights = defined_recency(log, recency)
        assert 0 < weights[weights > 0].min() < 0.5
        np.testing.assert_allclose(recency_weighted(log, recency).toarray(), weights, atol=1e-6)
        for cls in (UserCF, ItemCF, EASE):
            fitted = cls(recency=recency).fit(log)
            np.testing.assert_allclose(fitted.histories_.toarray(), weights, atol=1e-6)
        content = ContentEmbedding(recency=recency, n_components=0).fit(titled)
        mean = defined_recency(titled, recency) @ content.item_factors_
        lengths = np.linalg.norm(mean, axis=1, keepdims=True)
        expected = mean / np.where(lengths > 0, lengths, 1)
        np.testing.assert_allclose(content.user_factors_, expected, atol=1e-5)


WORDS_OF_TITLES = """
    love war space police school ocean train forest music murder wedding doctor soldier king dragon
    summer winter prison bank island desert hotel circus
""".split()


def test_popularity_is_one_thing(log: Dataset) -> None:
    pairs = {(u, i) for u, i in zip(log.interactions.users, log.interactions.items, strict=True)}
    users_of = Counter(item for _, item in pairs)
    defined = np.array([users_of[item] for item in range(log.n_items)])
    events = np.bincount(log.interactions.items, minlength=log.n_items)
    assert (events > defined).any(), "counting events would pass"
    np.testing.assert_array_equal(log.popularity, defined)
    fitted = baselines.PopularityRecommender().fit(log)
    np.testing.assert_array_equal(fitted.score(log.user_ids.ids[:2]), [defined] * 2)
    degree = np.diff(bipartite(log).indptr)
    np.testing.assert_array_equal(degree[log.n_users :], defined)
    gram = (log.seen.T @ log.seen).toarray()
    np.testing.assert_array_equal(np.diag(gram), defined)
    one = novelty([[0]], log.popularity, log.n_users)
    assert one == pytest.approx(np.log2(log.n_users / defined[0]))


def defined_ndcg(ranked: list[int], relevant: set[int], k: int) -> float:
    gain = sum(1 / np.log2(rank + 1) for rank, item in enumerate(ranked[:k], 1) if item in relevant)
    return gain / sum(1 / np.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))


def test_ndcg_is_one_thing(log: Dataset) -> None:
    parts = split(log, "P1")
    k = 3
    fitted = baselines.ItemKNNRecommender().fit(parts.train)
    scores = fitted.score(log.user_ids.ids)
    seen, tested = parts.train.seen.toarray() > 0, parts.test.seen.toarray() > 0
    values, more = [], False
    for user in range(log.n_users):
        relevant = set(np.flatnonzero(tested[user] & ~seen[user]))
        ranked = np.argsort(np.where(seen[user], -np.inf, -0.0) - scores[user], kind="stable")
        ranked = [item for item in np.argsort(-scores[user], kind="stable") if not seen[user, item]]
        if relevant:
            values.append(defined_ndcg(ranked, relevant, k))
            more |= len(relevant) > k
            hits = np.array([[item in relevant for item in ranked[:k]]])
            assert ndcg_at(hits, [len(relevant)])[0] == pytest.approx(values[-1], abs=1e-12)
    assert 0.05 < np.mean(values) < 0.95 and len(values) > 20
    for found in (evaluate(fitted, parts, k=k), evaluate_scores(scores, parts, k=k)):
        np.testing.assert_allclose(np.sort(found.per_user[f"ndcg@{k}"]), np.sort(values))


def test_tf_idf_weighs_words_alike(log: Dataset) -> None:
    texts = ["ghost house", "ghost ghost train", "train to nowhere", "a wedding train"]
    encoder = TfidfEncoder(dim=2, min_texts=1).fit(texts)
    columns = encoder.column_
    counts = np.zeros((len(texts), len(columns)))
    for row, text in enumerate(texts):
        for term in terms(text):
            counts[row, columns[term]] += 1
    weights = word_weights("tfidf", sparse.csr_array(counts), a=1.0)
    np.testing.assert_allclose(weights, encoder.idf_)
    defined = np.log((1 + len(texts)) / (1 + (counts > 0).sum(axis=0))) + 1
    np.testing.assert_allclose(weights, defined)
    assert len(set(defined.round(6))) >= 3


# The unit of `reg` differs, as the entry says; each is held to what it says.


def test_reg_of_ratings_is_half_lambda_for_each_rating() -> None:
    rng = np.random.default_rng(1)
    theta = Parameters(*(rng.normal(size=shape) for shape in (4, 5, (4, 3), (5, 3))))
    users, items = np.array([0, 0, 1, 3]), np.array([1, 2, 2, 4])
    ratings = rng.normal(size=4)
    squares = sum(
        theta.user_bias[u] ** 2
        + theta.item_bias[i] ** 2
        + theta.user_factors[u] @ theta.user_factors[u]
        + theta.item_factors[i] @ theta.item_factors[i]
        for u, i in zip(users, items, strict=True)
    )
    with_reg, without = (loss(theta, 0.0, users, items, ratings, reg) for reg in (0.3, 0.0))
    assert with_reg - without == pytest.approx(0.3 / 2 * squares)
    assert "BiasedMF: λ/2 for each rating" in entry("L2 penalty").differs


def test_reg_of_closed_forms_is_lambda_beside_a_sum_of_squares(log: Dataset) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(log.n_users, 3)), rng.normal(size=(log.n_items, 3))
    user_reg, item_reg = (penalties(r, 0.0, 0.7, 1.0) for r in (log.seen, log.seen.T.tocsr()))
    nothing = objective(x, y, log.seen, 0.0, 0 * user_reg, 0 * item_reg)
    added = objective(x, y, log.seen, 0.0, user_reg, item_reg) - nothing
    assert added == pytest.approx(0.7 * ((x**2).sum() + (y**2).sum()), rel=1e-5)
    errors = (log.seen.toarray() - x @ y.T) ** 2
    assert nothing == pytest.approx(errors.sum(), rel=1e-5)
    # EASE: at the minimum of |X - X W|² + reg |W|² the gradient is zero off the diagonal
    w = EASE(reg=2.5).fit(log).weights_.astype(float)
    seen = log.seen.toarray().astype(float)
    slope = seen.T @ (seen @ w - seen) + 2.5 * w
    np.fill_diagonal(slope, 0)
    assert np.abs(slope).max() < 1e-3 < 0.1 < np.abs(2.5 * w).max()


@pytest.mark.parametrize("name", ["NeuMF", "BPR", "LightGCN", "NGCF"])
def test_reg_of_keras_answers_is_lambda_times_the_squared_norm(name: str, log: Dataset) -> None:
    cls = classes()[name]
    argument = "reg" if "reg" in inspect.signature(cls).parameters else "embedding_reg"
    model = cls(**{argument: 0.25}).build(log)
    tables = [w for w in model.trainable_weights if w.path.endswith("embeddings")]
    if name == "BPR":
        tables = [w for w in tables if "bias" not in w.path]  # the item bias is free
    added = sum(float(each) for each in model.losses)
    squares = sum(float((np.asarray(w) ** 2).sum()) for w in tables)
    assert tables and added == pytest.approx(0.25 * squares, rel=1e-4) and squares > 1e-3


def test_reg_of_the_towers_is_the_same() -> None:
    tower = TextTower(4, 3, 2, dropout=0.0, id_dropout=0.0, reg=0.25)
    tower.own.assign(np.ones((4, 2)))
    squares = float((np.asarray(tower.matrix) ** 2).sum()) + 8
    assert sum(float(each) for each in tower.losses) == pytest.approx(0.25 * squares, rel=1e-5)


def test_the_pairwise_loss_is_one_thing() -> None:
    from keras_recs.answers.q11_implicit_mf.bpr import bpr_loss
    from keras_recs.answers.q18_gcn import bpr

    rng = np.random.default_rng(3)
    scores = rng.normal(size=(6, 4)).astype(np.float32) * 3
    labels = np.eye(4, dtype=np.float32)[rng.integers(4, size=6)]
    defined = []
    for row, label in zip(scores, labels, strict=True):
        gaps = row[label == 1] - row[label == 0]
        defined.append(np.mean(np.log1p(np.exp(-gaps))))
    for each in (bpr_loss, bpr):
        np.testing.assert_allclose(np.asarray(each(labels, scores)), defined, rtol=1e-5)


# --- looking up -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("implicit feedback", "implicit feedback"),
        ("隐式反馈", "implicit feedback"),
        ("Two-Tower", "two-tower model"),
        ("双塔", "two-tower model"),
        ("regularisation", "L2 penalty"),
        ("reg", "L2 penalty"),
        ("λ", "L2 penalty"),
        ("n_neighbors", "number of neighbours"),
        ("倾向分", "propensity"),
        ("K", "number of layers"),
        ("k", "cut-off"),
        ("NDCG", "normalized discounted cumulative gain"),
    ],
)
def test_a_term_is_found_by_any_of_its_names(asked: str, found: str) -> None:
    assert look_up(asked)[0].en == found


def test_its_own_name_goes_before_another_term_that_mentions_it() -> None:
    assert [term.en for term in look_up("popularity")] == ["popularity", "popularity weight"]


@pytest.mark.parametrize("asked", ["", "  ", "zzzz", "价格"])
def test_what_is_not_there_is_a_key_error(asked: str) -> None:
    with pytest.raises(KeyError, match="the glossary has no"):
        look_up(asked)


def test_terms_are_found_as_words_and_not_within_others() -> None:
    assert terms_in("a tokenizer of pseudo-bprs") == ()
    assert [t.en for t in terms_in("Two **towers** and **难**负样本, learned with SGD")] == [
        "two-tower model",
        "hard negative",
        "negative sampling",
        "gradient descent",
    ]
    assert [t.en for t in terms_in("regularised by L2 regularization")] == ["L2 penalty"]


@pytest.mark.parametrize("number", [q.number for q in QUESTIONS if q.built])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_answer_names_terms_of_its_question(number: int, language: str) -> None:
    found = interview(number, language).terms
    assert len(found) >= 4 and all(number in term.questions for term in found)


# --- the commands ---------------------------------------------------------------------------------


def test_the_command_lists_all(run: Any) -> None:
    code, out, err = run("glossary")
    assert code == 0 and not err
    assert all(term.zh in out for term in glossary())
    rows = json.loads(run("glossary", "--json")[1])
    assert [row["term"] for row in rows] == [term.en for term in glossary()]
    assert set(rows[0]) >= {"term_zh", "symbol", "means", "means_zh", "parameters", "questions"}


def test_the_command_shows_one_and_those_of_a_question(run: Any) -> None:
    code, out, _ = run("glossary", "正则化")
    assert code == 0 and "L2 penalty · L2 正则  λ" in out and "reg" in out
    assert json.loads(run("glossary", "λ", "--json")[1])[0]["term"] == "L2 penalty"
    rows = json.loads(run("glossary", "--question", "18", "--json")[1])
    assert {"graph convolution"} <= {row["term"] for row in rows}
    assert all(18 in row["questions"] for row in rows) and len(rows) < len(glossary())


def test_a_wrong_term_is_one_line_with_the_nearest(run: Any) -> None:
    code, out, err = run("glossary", "temprature")
    assert code == 2 and out == "" and err.count("\n") == 1 and "temperature" in err


def asked(
    run: Any, monkeypatch: pytest.MonkeyPatch, folder: Path, typed: str, *options: str
) -> str:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    code, out, _ = run("ask", "5", *options, "--folder", str(folder))
    assert code == 0
    return " ".join(out.split())


def test_ask_compares_what_is_typed_with_the_terms_of_the_answer(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = asked(run, monkeypatch, tmp_path, "an inner product with regularisation\n3\n")
    said, rest = re.search(r"You said: (.*?) Also in the answer: (.*?) How an", out).groups()
    assert "L2 penalty (L2 正则)" in said and "dot product (内积)" in said
    assert "root mean squared error" in rest and "L2 penalty" not in rest
    silent = asked(run, monkeypatch, tmp_path, "\n3\n")
    assert "You said" not in silent and "Terms of the answer: " in silent
    assert "L2 penalty" in silent
    chinese = asked(run, monkeypatch, tmp_path, "内积 正则化\n3\n", "--language", "zh")
    assert "你提到了：内积、L2 正则 " in chinese and "答案里还有：评分、" in chinese


def test_ask_explains_a_term_at_any_prompt(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = asked(run, monkeypatch, tmp_path, "?reg\n？双塔\n?nonsense\n\n?λ\n3\n")
    assert out.count(entry("L2 penalty").means) == 2 and entry("two-tower model").means in out
    assert "the glossary has no 'nonsense'" in out and "Graded fair" in out


def test_what_ask_says_is_in_both_languages() -> None:
    assert WORDS["en"].keys() == WORDS["zh"].keys()
