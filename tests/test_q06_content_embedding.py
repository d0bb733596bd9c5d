"""Question 6: content embeddings."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import sparse

from keras_recs.data import Dataset, ItemFeatures, UserFeatures, cinema_cold_split, recency_weighted, split
from keras_recs.data.cinema import CinemaTruth, load_cinema

#: Vectors whose cosines one can see. "the" is long, and points elsewhere.
TOY = {"ghost": (1, 0, 0), "cellar": (0.8, 0.6, 0), "kiss": (0, 1, 0), "the": (0, 0, 4),
       "鬼": (0.9, 0.1, 0), "地窖": (0.8, 0.5, 0), "亲吻": (0, 2, 0)}


@pytest.fixture
def toy(tmp_path: Path) -> str:
    """A file with the toy vectors, in word2vec's text format."""
    lines = [f"{len(TOY)} 3", *(" ".join(map(str, (word, *vector))) for word, vector in TOY.items())]
    path = tmp_path / "toy.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf8")
    return str(path)


def films(titles: list[str], history: tuple = ((0, 0),), profiles: list[str] | None = None) -> Dataset:
    """One film for each title, and who watched what."""
    users, items = np.array(history).T
    n_users = len(profiles) if profiles else users.max() + 1
    people = UserFeatures(np.arange(n_users), profiles) if profiles else None
    return Dataset.from_arrays(users, items, timestamps=np.arange(len(users)), user_features=people,
                               item_features=ItemFeatures(np.arange(len(titles)), titles=titles))


def plain(answer: ModuleType, vectors: str, **settings: object):
    """All words alike, nothing taken out: figures that one can work out by hand."""
    return answer.ContentEmbedding(vectors, **{"pooling": "mean", "components": 0, **settings})


def cosine(a: object, b: object) -> float:
    a, b = np.asarray(a, float), np.asarray(b, float)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


# --- words -------------------------------------------------------------------------------------------------------


@pytest.mark.shape
def test_shapes(answer: ModuleType, cinema: Dataset) -> None:
    """A vector for each film, each user and each new text."""
    recommender = answer.ContentEmbedding().fit(cinema)
    assert recommender.item_factors_.shape == (290, 50) and recommender.user_factors_.shape == (600, 50)
    assert recommender.embed(["a text", "一段话"]).shape == (2, 50)
    assert recommender.embed([]).shape == (0, 50)


def test_a_chinese_sentence_is_several_words(answer: ModuleType, toy: str) -> None:
    """Chinese has no spaces: a sentence is taken apart into words, and they are looked up."""
    recommender = plain(answer, toy).fit(films(["鬼在地窖。", "ghost", "kiss"]))
    expected = np.add(TOY["鬼"], TOY["地窖"])
    assert recommender.coverage_["items"] >= 0.8
    assert recommender.score([0])[0, 1] == pytest.approx(cosine(expected, TOY["ghost"]), abs=1e-5)


def test_a_text_in_two_languages_is_read_in_both(answer: ModuleType, toy: str) -> None:
    """Of a mixed text, the English and the Chinese words both count."""
    vectors = plain(answer, toy).fit(films(["ghost", "kiss"])).embed(["ghost亲吻", "ghost", "亲吻"])
    assert vectors[0] @ vectors[1] == pytest.approx(cosine((1, 2, 0), (1, 0, 0)), abs=1e-5)
    assert vectors[0] @ vectors[2] == pytest.approx(cosine((1, 2, 0), (0, 2, 0)), abs=1e-5)


def test_unknown_words_are_skipped_and_counted(answer: ModuleType, toy: str) -> None:
    """A word without a vector changes nothing, and is on record with its count."""
    recommender = plain(answer, toy).fit(films(["ghost zyx", "Ghost!", "zyx kiss qqq"]))
    assert recommender.unknown_ == {"zyx": 2, "qqq": 1}
    assert recommender.coverage_["items"] == pytest.approx(3 / 6)
    assert recommender.score([0])[0].tolist() == pytest.approx([1, 1, 0], abs=1e-6)
    assert recommender.embed(["the ghost", "the never ghost"]).std(axis=0).max() < 1e-6


def test_a_text_of_unknown_words_is_neutral(answer: ModuleType, toy: str) -> None:
    """Nothing known of a film or user: the vector zero, the score 0, and the films in the order of their ids."""
    recommender = plain(answer, toy).fit(films(["ghost", "zyx", "kiss"], ((0, 0), (1, 1))))
    assert not recommender.item_factors_[1].any() and not recommender.user_factors_[1].any()
    assert recommender.score([0])[0, 1] == 0
    assert recommender.recommend([1], 2).items.tolist() == [[0, 2]] and (recommender.score([1]) == 0).all()
    assert not recommender.embed(["zyx", "", "!?"]).any()
    alike = answer.ContentEmbedding(toy).fit(films(["ghost the", "ghost the", "ghost the"]))
    assert not alike.item_factors_.any(), "three times the same words: nothing is left of them, not even rounding"


def test_texts_of_another_language_are_refused(answer: ModuleType, toy: str) -> None:
    """Where no word at all has a vector, the error says so; a missing file is named."""
    with pytest.raises(ValueError, match="none of the 2 words of the texts has a vector"):
        plain(answer, toy).fit(films(["fantôme", "baiser"]))
    with pytest.raises(FileNotFoundError, match=r"no vectors '/no/where\.bin': neither a file nor one of cinema"):
        plain(answer, "/no/where.bin").fit(films(["ghost"]))


# --- documents ---------------------------------------------------------------------------------------------------


def test_weights_are_worked_out_by_hand(answer: ModuleType) -> None:
    """SIF: a over a plus the share of all tokens. TF-IDF: the log of documents over those that hold the word."""
    counts = sparse.csr_array(np.array([[6, 1, 0], [2, 0, 1]], float))  # "the" 8 of 10 tokens
    sif = answer.word_weights("sif", counts, 0.1)
    assert sif == pytest.approx([0.1 / 0.9, 0.1 / 0.2, 0.1 / 0.2])
    tfidf = answer.word_weights("tfidf", counts, 0.1)
    assert tfidf == pytest.approx([1, np.log(3 / 2) + 1, np.log(3 / 2) + 1])
    assert answer.word_weights("mean", counts, 0.1).tolist() == [1, 1, 1]


def test_a_document_is_the_weighted_mean_of_its_words(answer: ModuleType) -> None:
    """Counts and weights multiply, the weights sum to one; a document without words is zero, not NaN."""
    counts = sparse.csr_array(np.array([[2, 1], [0, 3], [0, 0]], np.float32))
    pooled = answer.pool(counts, np.array([0.5, 3.0]), np.array([[1.0, 0], [0, 2.0]]))
    assert pooled == pytest.approx(np.array([[1 / 4, 6 / 4], [0, 2], [0, 0]]), abs=1e-6)


def test_the_common_direction_is_found_and_taken_out(answer: ModuleType) -> None:
    """Documents that share a large part are compared by the rest of them; empty ones neither count nor change."""
    rng = np.random.default_rng(0)
    documents = np.vstack([rng.normal(size=(30, 5)) + [9, 0, 0, 0, 0], np.zeros((400, 5))])
    common = answer.common_directions(documents, 2)
    assert common @ common.T == pytest.approx(np.eye(2), abs=1e-6)
    assert np.abs(common[0]) == pytest.approx([1, 0, 0, 0, 0], abs=0.2)
    rest = answer.without(documents, common)
    assert rest @ common.T == pytest.approx(np.zeros((430, 2)), abs=1e-6) and not rest[30:].any()
    assert np.linalg.matrix_rank(rest) == 3, "nothing else is lost"
    assert answer.common_directions(documents[:2], 2).shape == (0, 5), "two documents have nothing in common but all"


def test_word_order_and_stop_words_do_not_matter_under_sif(answer: ModuleType, cinema: Dataset) -> None:
    """Shuffled, and with twenty more "the", a text stays where it was; the plain mean moves away."""
    text = "machines that learn to think faster than their makers"
    texts = [text, " ".join(text.split()[::-1]), text + " the" * 20]
    apart = {}
    for pooling in ("sif", "mean"):
        vectors = answer.ContentEmbedding(pooling=pooling).fit(cinema).embed(texts)
        assert vectors[0] @ vectors[1] == pytest.approx(1, abs=1e-5)
        apart[pooling] = 1 - vectors[0] @ vectors[2]
    assert apart["sif"] < 0.1 < apart["mean"]


# --- films and users ---------------------------------------------------------------------------------------------


def test_a_score_is_a_cosine(answer: ModuleType, tmp_path: Path, toy: str) -> None:
    """Scores equal the cosine by hand, and do not change when a vector is ten times as long."""
    titles = ["ghost", "ghost kiss", "the kiss", "cellar"]
    scores = plain(answer, toy).fit(films(titles)).score([0])[0]
    expected = [cosine(TOY["ghost"], v) for v in ((1, 0, 0), (1, 1, 0), (0, 1, 4), (0.8, 0.6, 0))]
    assert scores == pytest.approx(expected, abs=1e-5)
    longer = tmp_path / "longer.txt"
    longer.write_text(Path(toy).read_text(encoding="utf8").replace("ghost 1 0 0", "ghost 10 0 0"), encoding="utf8")
    assert plain(answer, str(longer)).fit(films(["ghost", "cellar"])).score([0])[0, 1] == pytest.approx(0.8, abs=1e-5)


def test_a_user_is_the_mean_of_the_films_watched(answer: ModuleType, toy: str) -> None:
    """Each film watched counts alike, however long its vector; with `recency`, the older the less."""
    titles = ["ghost", "亲吻", "cellar"]  # of lengths 1, 2, 1
    data = films(titles, ((0, 0), (0, 1), (1, 2)))
    assert plain(answer, toy).fit(data).score([0])[0, :2] == pytest.approx([0.5 ** 0.5] * 2, abs=1e-5)
    old, new = recency_weighted(data, 2.0).toarray()[0, :2]
    recent = plain(answer, toy, recency=2.0).fit(data).score([0])[0, :2]
    assert recent == pytest.approx(np.array([old, new]) / np.hypot(old, new), abs=1e-5) and recent[0] < recent[1]


def test_a_profile_speaks_where_there_is_no_history_and_beside_one(answer: ModuleType, toy: str) -> None:
    """Without events a user is the profile, without a profile the events, else both in the proportion asked for."""
    data = films(["ghost", "kiss", "cellar"], ((0, 0), (1, 0), (3, 1)), ["kiss", "", "kiss", "zyx"])
    scores = plain(answer, toy, profile=0.25).fit(data).score([0, 1, 2, 3])
    assert scores[0] == pytest.approx([cosine((0.75, 0.25, 0), TOY[w]) for w in ("ghost", "kiss", "cellar")], abs=1e-5)
    assert scores[1, 0] == pytest.approx(1) and scores[2, 1] == pytest.approx(1) and scores[3, 1] == pytest.approx(1)
    assert plain(answer, toy).fit(data).recommend([2], 1).items.tolist() == [[1]]


def test_films_profiles_and_new_texts_are_placed_by_one_rule(answer: ModuleType, toy: str) -> None:
    """The same words land on the same spot, whoever wrote them: a film, a user, or somebody new."""
    titles = ["ghost the", "the kiss", "cellar the the", "ghost kiss"]
    for pooling in ("sif", "tfidf", "mean"):
        recommender = answer.ContentEmbedding(toy, pooling, a=0.1).fit(
            films(titles, ((0, 0),), ["", *titles]))
        assert recommender.user_factors_[1:] == pytest.approx(recommender.item_factors_, abs=1e-5)
        assert recommender.embed(titles) == pytest.approx(recommender.item_factors_, abs=1e-5)
        assert np.diag(recommender.score([1, 2, 3, 4])) == pytest.approx(1, abs=1e-5)


def test_a_film_nobody_has_watched_can_be_the_best(answer: ModuleType, toy: str) -> None:
    """Popularity has no say unless it is asked to; then it counts by the log of the audience."""
    history = ((0, 0), (1, 2), (2, 2), (3, 2))
    data = films(["ghost", "地窖", "kiss"], history)
    assert plain(answer, toy).fit(data).recommend([0], 1).items.tolist() == [[1]]
    wanted = plain(answer, toy, popularity=2.0).fit(data)
    assert wanted.score([0])[0] - plain(answer, toy).fit(data).score([0])[0] == pytest.approx(
        2 * np.log([2, 1, 4]) / np.log(4), abs=1e-5)
    assert wanted.recommend([0], 1).items.tolist() == [[2]]


def test_a_saved_model_does_not_need_the_file(answer: ModuleType, toy: str, tmp_path: Path) -> None:
    """After `load`, scores and new texts come out as before, though the file of vectors is gone."""
    recommender = plain(answer, toy).fit(films(["ghost", "cellar kiss"]))
    before = recommender.score([0]), recommender.embed(["the kiss"])
    recommender.save(tmp_path / "model")
    Path(toy).unlink()
    loaded = answer.ContentEmbedding.load(tmp_path / "model")
    assert np.array_equal(loaded.score([0]), before[0]) and np.array_equal(loaded.embed(["the kiss"]), before[1])


def test_fasttext_reads_words_it_has_not_met(answer: ModuleType, tmp_path: Path) -> None:
    """With "fasttext", a misspelt or inflected word lands near the one it was made from; also after `load`."""
    titles = ["haunted cellar ghosts", "haunted ghosts monster", "wedding lovers kissing", "lovers wedding dances"] * 8
    recommender = answer.ContentEmbedding("fasttext", components=0).fit(films(titles))
    recommender.save(tmp_path / "model")
    for reader in (recommender, answer.ContentEmbedding.load(tmp_path / "model")):
        vectors = reader.embed(["haunted", "hauntedly", "weddings", "wedding"])
        assert vectors.any(axis=1).all()
        assert vectors[1] @ vectors[0] > 0.1 + vectors[1] @ vectors[3]
        assert vectors[2] @ vectors[3] > 0.1 + vectors[2] @ vectors[0]
    again = answer.ContentEmbedding("fasttext", components=0).fit(films(titles))
    assert np.array_equal(again.score([0]), recommender.score([0]))


# --- cinema ------------------------------------------------------------------------------------------------------


def test_both_languages_of_one_interest_land_near_each_other(answer: ModuleType, cinema: Dataset,
                                                             truth: CinemaTruth) -> None:
    """English and Chinese profiles of different users are nearer where the main interest is the same."""
    recommender = answer.ContentEmbedding().fit(cinema)
    english, chinese = (recommender.embed(load_cinema(language).user_features.texts) for language in ("en", "zh"))
    single = np.flatnonzero(truth.n_interests == 1)
    similarity = english[single] @ chinese[single].T
    np.fill_diagonal(similarity, np.nan)
    same = truth.main_interest[single][:, None] == truth.main_interest[single]
    assert np.nanmean(similarity[same]) > 0.2 + np.nanmean(similarity[~same])
    nearest = np.nanargmax(similarity, axis=1)
    assert same[np.arange(len(single)), nearest].mean() > 0.8


def test_new_films_are_ranked_by_what_they_are_about(answer: ModuleType) -> None:
    """Films that nobody has watched are ranked far above chance, and above popularity, which cannot tell them apart."""
    from keras_recs.evaluation import PopularityRecommender, RandomRecommender, compare, evaluate_scores

    cold = cinema_cold_split()
    train = cold.warm.train
    new = np.isin(train.item_ids.ids, cold.item_ids)

    def ask(recommender, parts, candidates):
        scores = recommender.fit(train).score(train.user_ids.ids)
        return evaluate_scores(np.where(candidates, scores, -np.inf), parts)

    content = ask(answer.ContentEmbedding(), cold.cold_items, new)
    assert content.metrics["ndcg@10"] > 0.48
    for other in (PopularityRecommender(), RandomRecommender()):
        assert compare(content, ask(other, cold.cold_items, new), "ndcg@10").low > 0.1
    told = ask(answer.ContentEmbedding(popularity=2.0), cold.cold_users, ~new)
    known = ask(PopularityRecommender(), cold.cold_users, ~new)
    assert told.metrics["ndcg@10"] > 1.3 * known.metrics["ndcg@10"]
    assert compare(told, known, "ndcg@10").low > 0


@pytest.mark.data
def test_movielens_is_far_above_chance(answer: ModuleType, ml100k: Dataset) -> None:
    """On MovieLens-100K (P1), titles and genres alone rank twice as well as chance."""
    from keras_recs.evaluation import RandomRecommender, compare, evaluate

    parts = split(ml100k, "P1")
    reached = evaluate(answer.ContentEmbedding(pooling="tfidf").fit(parts.train), parts)
    chance = evaluate(RandomRecommender().fit(parts.train), parts)
    assert reached.metrics["ndcg@10"] > 2 * chance.metrics["ndcg@10"]
    assert compare(reached, chance, "ndcg@10").low > 0.01
