"""Question 6: content embeddings."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import sparse

from keras_recs.data import (
    Dataset,
    ItemFeatures,
    UserFeatures,
    cinema_cold_split,
    recency_weighted,
    split,
)
from keras_recs.data.cinema import CinemaTruth, load_cinema
from keras_recs.practice import expect

#: Vectors whose cosines one can see. "the" is long, and points elsewhere.
TOY = {
    "ghost": (1, 0, 0),
    "cellar": (0.8, 0.6, 0),
    "kiss": (0, 1, 0),
    "the": (0, 0, 4),
    "鬼": (0.9, 0.1, 0),
    "地窖": (0.8, 0.5, 0),
    "亲吻": (0, 2, 0),
}


@pytest.fixture
def toy(tmp_path: Path) -> str:
    """A file with the toy vectors, in word2vec's text format."""
    lines = [
        f"{len(TOY)} 3",
        *(" ".join(map(str, (word, *vector))) for word, vector in TOY.items()),
    ]
    path = tmp_path / "toy.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf8")
    return str(path)


def films(
    titles: list[str], history: tuple = ((0, 0),), profiles: list[str] | None = None
) -> Dataset:
    """One film for each title, and who watched what."""
    users, items = np.array(history).T
    n_users = len(profiles) if profiles else users.max() + 1
    people = UserFeatures(np.arange(n_users), profiles) if profiles else None
    return Dataset.from_arrays(
        users,
        items,
        timestamps=np.arange(len(users)),
        user_features=people,
        item_features=ItemFeatures(np.arange(len(titles)), titles=titles),
    )


def plain(answer: ModuleType, vectors: str, **settings: object):
    """All words alike, nothing taken out: figures that one can work out by hand."""
    return answer.ContentEmbedding(vectors, **{"pooling": "mean", "n_components": 0, **settings})


def cosine(a: object, b: object) -> float:
    a, b = np.asarray(a, float), np.asarray(b, float)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.shape
@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_shapes(answer: ModuleType, cinema: Dataset) -> None:
    """A vector for each film, each user and each new text."""
    recommender = answer.ContentEmbedding().fit(cinema)
    expect.equal(
        recommender.item_factors_.shape,
        (428, 50),
        "each of the 428 films has a vector, as long as those of words",
    )
    expect.equal(
        recommender.user_factors_.shape,
        (600, 50),
        "each of the 600 users has a vector where the films have theirs",
    )
    expect.equal(
        recommender.embed(["a text", "一段话"]).shape,
        (2, 50),
        "two new texts get a vector each, in the same space",
    )
    expect.equal(
        recommender.embed([]).shape,
        (0, 50),
        "no text gives no vector: a table without rows, and no error",
    )


@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_a_chinese_sentence_is_several_words(answer: ModuleType, toy: str) -> None:
    """Chinese has no spaces: a sentence is taken apart into words, and they are looked up."""
    recommender = plain(answer, toy).fit(films(["鬼在地窖。", "ghost", "kiss"]))
    expected = np.add(TOY["鬼"], TOY["地窖"])
    expect.true(
        recommender.coverage_["items"] >= 0.8,
        "four of five words are known once 鬼在地窖 is taken apart into "
        "three: as one word it would be unknown",
        coverage=recommender.coverage_["items"],
    )
    expect.equal(
        recommender.score([0])[0, 1],
        cosine(expected, TOY["ghost"]),
        "a Chinese sentence is the mean of its "
        "words: here of 鬼 and 地窖, whose angle with ghost is that of their sum",
        abs=1e-5,
        mistakes={
            "only 鬼 was read": cosine(TOY["鬼"], TOY["ghost"]),
            "no word of the sentence was found": 0,
        },
    )


@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_a_text_in_two_languages_is_read_in_both(answer: ModuleType, toy: str) -> None:
    """Of a mixed text, the English and the Chinese words both count."""
    vectors = plain(answer, toy).fit(films(["ghost", "kiss"])).embed(["ghost亲吻", "ghost", "亲吻"])
    expect.equal(
        vectors[0] @ vectors[1],
        cosine((1, 2, 0), (1, 0, 0)),
        "of ghost亲吻 the English word counts, and so does the Chinese one, which is twice as long",
        abs=1e-5,
        mistakes={
            "the Chinese word was not read": 1,
            "the English word was not read": 0,
            "the words were brought to length one before the mean: a document is the mean of vectors as "
            "they are": cosine((1, 1, 0), (1, 0, 0)),
        },
    )
    expect.equal(
        vectors[0] @ vectors[2],
        cosine((1, 2, 0), (0, 2, 0)),
        "the angle of ghost亲吻 with 亲吻 is that of (1, 2, 0) with (0, 2, 0)",
        abs=1e-5,
    )


@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_unknown_words_are_skipped_and_counted(answer: ModuleType, toy: str) -> None:
    """A word without a vector changes nothing, and is on record with its count."""
    recommender = plain(answer, toy).fit(films(["ghost zyx", "Ghost!", "zyx kiss qqq"]))
    expect.equal(
        sorted(recommender.unknown_.items()),
        [("qqq", 1), ("zyx", 2)],
        "words without a vector are on record, each with how often it occurs",
    )
    expect.equal(
        recommender.coverage_["items"], 3 / 6, "three of the six words of the films have a vector"
    )
    expect.equal(
        recommender.score([0])[0],
        [1, 1, 0],
        "a word without a vector changes nothing: the films are ghost, ghost and kiss",
        abs=1e-6,
    )
    expect.true(
        recommender.embed(["the ghost", "the never ghost"]).std(axis=0).max() < 1e-6,
        "an unknown word moves no new text either",
        vectors=recommender.embed(["the ghost", "the never ghost"]),
    )


@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_a_text_of_unknown_words_is_neutral(answer: ModuleType, toy: str) -> None:
    """Nothing known of a film or user: the vector zero, the score 0, and the films in the order of their ids."""
    recommender = plain(answer, toy).fit(films(["ghost", "zyx", "kiss"], ((0, 0), (1, 1))))
    expect.equal(
        recommender.item_factors_[1],
        [0, 0, 0],
        "no word of film 1 is known: its vector is zero, not NaN and not a guess",
        abs=0,
    )
    expect.equal(
        recommender.user_factors_[1],
        [0, 0, 0],
        "user 1 watched only a film of which nothing is known: the "
        "vector is zero, and 0 / 0 is no direction",
        abs=0,
    )
    expect.equal(
        recommender.score([0])[0, 1],
        0,
        "a film of which nothing is known scores 0: neither praise nor blame",
        abs=0,
    )
    expect.equal(
        recommender.recommend([1], 2).items,
        [[0, 2]],
        "of a user of whom nothing is known the films come in "
        "the order of their ids, without the one that was watched",
    )
    expect.equal(
        recommender.score([1])[0],
        [0, 0, 0],
        "a user of whom nothing is known has the score 0 everywhere",
        abs=0,
    )
    expect.true(
        recommender.embed(["zyx", "", "!?"]) == 0,
        "a new text without a known word is zero as well",
        vectors=recommender.embed(["zyx", "", "!?"]),
    )
    alike = answer.ContentEmbedding(toy).fit(films(["ghost the", "ghost the", "ghost the"]))
    expect.true(
        alike.item_factors_ == 0,
        "three times the same words: what all share is taken out, and nothing is "
        "left of them, not even rounding brought to length one",
        vectors=alike.item_factors_,
    )


@pytest.mark.needs()
def test_texts_of_another_language_are_refused(answer: ModuleType, toy: str) -> None:
    """Where no word at all has a vector, the error says so; a missing file is named."""
    with expect.error(
        ValueError,
        "none of the 2 words of the texts has a vector",
        "where no word has a vector there "
        "is nothing to compare: say so, and that the language may be another",
    ):
        plain(answer, toy).fit(films(["fantôme", "baiser"]))
    with expect.error(
        FileNotFoundError,
        r"no vectors '/no/where\.bin': neither a file nor one of cinema",
        "a file of vectors that is missing is named in the error",
    ):
        plain(answer, "/no/where.bin").fit(films(["ghost"]))


# --- documents ------------------------------------------------------------------------------------


@pytest.mark.needs("word_weights")
def test_weights_are_worked_out_by_hand(answer: ModuleType) -> None:
    """SIF: a over a plus the share of all tokens. TF-IDF: the log of documents over those that hold the word."""
    counts = sparse.csr_array(np.array([[6, 1, 0], [2, 0, 1]], float))  # "the" 8 of 10 tokens
    often = np.array([8, 1, 1])
    expect.equal(
        answer.word_weights("sif", counts, 0.1),
        0.1 / (0.1 + often / 10),
        "SIF weighs a word by a / (a + its share of all tokens): 8 of 10 are the first word",
        mistakes={
            "how often a word occurs was taken, not its share of all tokens": 0.1 / (0.1 + often),
            "the share of the documents that hold the word was taken, not that of the tokens": 0.1
            / (0.1 + np.array([1, 0.5, 0.5])),
            "the count was divided by the number of documents, not by that of all tokens": 0.1
            / (0.1 + often / 2),
            "the fraction is upside down: frequent words weigh most": 1 + often / 10 / 0.1,
            "frequent words weigh most: it is a that stands above the line": often
            / 10
            / (0.1 + often / 10),
        },
    )
    holding = np.array([2, 1, 1])
    expect.equal(
        answer.word_weights("tfidf", counts, 0.1),
        np.log(3 / (1 + holding)) + 1,
        "TF-IDF weighs a word by "
        "the natural log of (1 + documents) / (1 + documents that hold it), plus 1",
        mistakes={
            "how often a word occurs was counted, not how many documents hold it": np.log(
                3 / (1 + often)
            )
            + 1,
            "the 1 that is added to both counts is missing": np.log(2 / holding) + 1,
            "the 1 that is added to the log is missing: a word in all documents would weigh nothing": np.log(
                3 / (1 + holding)
            ),
            "neither 1 is there, that of the counts and that of the log: this is the textbook's, and "
            "weighs a word in all documents with 0": np.log(2 / holding),
            "this is the logarithm to base 2": np.log2(3 / (1 + holding)) + 1,
            "this is the logarithm to base 10": np.log10(3 / (1 + holding)) + 1,
        },
    )
    expect.equal(
        answer.word_weights("mean", counts, 0.1),
        [1, 1, 1],
        "the plain mean weighs all words alike",
        abs=0,
    )


@pytest.mark.needs("pool")
def test_a_document_is_the_weighted_mean_of_its_words(answer: ModuleType) -> None:
    """Counts and weights multiply, the weights sum to one; a document without words is zero, not NaN."""
    counts = sparse.csr_array(np.array([[2, 1], [0, 3], [0, 0]], np.float32))
    pooled = answer.pool(counts, np.array([0.5, 3.0]), np.array([[1.0, 0], [0, 2.0]]))
    expect.equal(
        pooled,
        np.array([[1 / 4, 6 / 4], [0, 2], [0, 0]]),
        "a document is Σ count · weight · vector over Σ "
        "count · weight of its words, and zero where it has none",
        abs=1e-6,
        mistakes={
            "a document without words was divided by 0: it has to stay zero": [
                [1 / 4, 6 / 4],
                [0, 2],
                [np.nan, np.nan],
            ],
            "the sum was never divided": [[1, 6], [0, 18], [0, 0]],
            "the sum was divided by the number of words, not by the sum of their weights": [
                [1 / 3, 2],
                [0, 6],
                [0, 0],
            ],
            "the sum was divided by the weights of all words, in the document or not": [
                [1 / 3.5, 6 / 3.5],
                [0, 18 / 3.5],
                [0, 0],
            ],
            "a word counts once, however often it occurs: multiply by the counts": [
                [1 / 7, 12 / 7],
                [0, 2],
                [0, 0],
            ],
            "the weights are not used": [[2 / 3, 2 / 3], [0, 2], [0, 0]],
        },
    )


def alike() -> np.ndarray:
    """430 documents: 30 whose first entry is about 9, and 400 without words."""
    rng = np.random.default_rng(0)
    return np.vstack([rng.normal(size=(30, 5)) + [9, 0, 0, 0, 0], np.zeros((400, 5))])


@pytest.mark.needs("common_directions")
def test_common_directions_are_the_first_singular_vectors(answer: ModuleType) -> None:
    """What documents share is the direction in which they are longest together; empty ones say nothing about it."""
    documents = alike()
    common = answer.common_directions(documents, 2)
    expect.equal(
        common @ common.T,
        np.eye(2),
        "the two directions have length one and are at right angles, as right "
        "singular vectors are: a row each",
        abs=1e-6,
        mistakes={
            "the directions are scaled by their singular values: take the vectors alone": np.diag(
                np.linalg.svd(documents)[1][:2] ** 2
            )
        },
    )
    told = documents[:30]
    expect.equal(
        np.abs(common[0]),
        [1, 0, 0, 0, 0],
        "the first direction is what all documents share: here their first entry, about 9",
        abs=0.2,
        mistakes={
            "the documents were centred first, which takes away just what they share": np.abs(
                np.linalg.svd(told - told.mean(axis=0), full_matrices=False)[2][0]
            ),
            "the last singular vector was taken, the least common": np.abs(
                np.linalg.svd(told, full_matrices=False)[2][-1]
            ),
        },
    )
    expect.equal(
        answer.common_directions(documents[:2], 2).shape,
        (0, 5),
        "two documents lie in two directions: "
        "taking out as many would leave nothing, so there are none",
    )


@pytest.mark.needs("common_directions", "without")
def test_the_common_direction_is_found_and_taken_out(answer: ModuleType) -> None:
    """Documents that share a large part are compared by the rest of them; empty ones do not change."""
    documents = alike()
    common = answer.common_directions(documents, 2)
    rest = answer.without(documents, common)
    expect.equal(
        rest @ common.T,
        np.zeros((430, 2)),
        "what is left of a document has no part along the common directions",
        abs=1e-6,
        mistakes={
            "nothing was taken out": documents @ common.T,
            "the projections were added: subtract them": 2 * documents @ common.T,
        },
    )
    expect.true(
        rest[30:] == 0,
        "an empty document stays empty: it has nothing that could be taken out",
        largest=np.abs(rest[30:]).max(),
    )
    expect.equal(
        np.linalg.matrix_rank(rest),
        3,
        "of five dimensions two are taken out, and nothing else is lost",
    )


@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_word_order_and_stop_words_do_not_matter_under_sif(
    answer: ModuleType, cinema: Dataset
) -> None:
    """Shuffled, and with twenty more "the", a text stays where it was; the plain mean moves away."""
    text = "machines that learn to think faster than their makers"
    texts = [text, " ".join(text.split()[::-1]), text + " the" * 20]
    apart = {}
    for pooling in ("sif", "mean"):
        vectors = answer.ContentEmbedding(pooling=pooling).fit(cinema).embed(texts)
        expect.equal(
            vectors[0] @ vectors[1],
            1,
            f"under {pooling} a text read backwards is the same text: a mean knows no order",
            abs=1e-5,
        )
        apart[pooling] = 1 - vectors[0] @ vectors[2]
    expect.true(
        apart["sif"] < 0.1 < apart["mean"],
        'twenty more "the" leave a text where it was under SIF, where '
        "frequent words weigh next to nothing, and carry the plain mean away",
        moved_under_sif=apart["sif"],
        moved_under_mean=apart["mean"],
    )


# --- films and users ------------------------------------------------------------------------------


@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_a_score_is_a_cosine(answer: ModuleType, tmp_path: Path, toy: str) -> None:
    """Scores equal the cosine by hand, and do not change when a vector is ten times as long."""
    titles = ["ghost", "ghost kiss", "the kiss", "cellar"]
    scores = plain(answer, toy).fit(films(titles)).score([0])[0]
    sums = np.array([(1, 0, 0), (1, 1, 0), (0, 1, 4), (0.8, 0.6, 0)])
    expected = [cosine(TOY["ghost"], v) for v in sums]
    expect.equal(
        scores,
        expected,
        "user 0 watched ghost, and a score is the cosine with it: the angle, whatever the lengths",
        abs=1e-5,
        mistakes={
            "these are inner products of means: bring films and users to length one": sums
            @ TOY["ghost"]
            / [1, 2, 2, 1]
        },
    )
    longer = tmp_path / "longer.txt"
    longer.write_text(
        Path(toy).read_text(encoding="utf8").replace("ghost 1 0 0", "ghost 10 0 0"), encoding="utf8"
    )
    longer_score = plain(answer, str(longer)).fit(films(["ghost", "cellar"])).score([0])[0, 1]
    expect.equal(
        longer_score,
        0.8,
        "a word vector ten times as long points the same way: the cosine with cellar stays 0.8",
        abs=1e-5,
        mistakes={"the length counts: this is an inner product": 8},
    )


@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_a_user_is_the_mean_of_the_films_watched(answer: ModuleType, toy: str) -> None:
    """Each film watched counts alike, however long its vector; with `recency`, the older the less."""
    titles = ["ghost", "亲吻", "cellar"]  # of lengths 1, 2, 1
    data = films(titles, ((0, 0), (0, 1), (1, 2)))
    expect.equal(
        plain(answer, toy).fit(data).score([0])[0, :2],
        [0.5**0.5] * 2,
        "user 0 watched ghost and 亲吻, "
        "which are at right angles: as near to one as to the other, though the vector of 亲吻 is twice as "
        "long ",
        abs=1e-5,
        mistakes={
            "the longer film counts more: films are brought to length one first": np.array([1, 2])
            / 5**0.5,
            "the user's vector is not of length one: these are no cosines": [0.5, 0.5],
            "the films were added up, and the sum was not brought to length one": [1, 1],
        },
    )
    old, new = recency_weighted(data, 2.0).toarray()[0, :2]
    recent = plain(answer, toy, recency=2.0).fit(data).score([0])[0, :2]
    expect.equal(
        recent,
        np.array([old, new]) / np.hypot(old, new),
        "with recency=2 a film weighs exp(-age / 2): the user is nearer to what was watched last",
        abs=1e-5,
        mistakes={
            "the weights of the history are not used: old and new count alike": [0.5**0.5] * 2,
            "the older film counts more": np.array([new, old]) / np.hypot(old, new),
        },
    )
    expect.true(
        recent[0] < recent[1],
        "ghost was watched before 亲吻, so it counts less",
        of_ghost=recent[0],
        of_亲吻=recent[1],
    )


@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_a_profile_speaks_where_there_is_no_history_and_beside_one(
    answer: ModuleType, toy: str
) -> None:
    """Without events a user is the profile, without a profile the events, else both in the proportion asked for."""
    data = films(["ghost", "kiss", "cellar"], ((0, 0), (1, 0), (3, 1)), ["kiss", "", "kiss", "zyx"])
    scores = plain(answer, toy, profile=0.25).fit(data).score([0, 1, 2, 3])
    words = [TOY[w] for w in ("ghost", "kiss", "cellar")]
    expect.equal(
        scores[0],
        [cosine((0.75, 0.25, 0), word) for word in words],
        "user 0 watched ghost and wrote kiss: "
        "three quarters of the one and one of the other, of unit vectors both",
        abs=1e-5,
        mistakes={
            "the profile is not used beside a history": [cosine((1, 0, 0), word) for word in words],
            "the history is not used beside a profile": [cosine((0, 1, 0), word) for word in words],
            "history and profile have changed shares": [
                cosine((0.25, 0.75, 0), word) for word in words
            ],
            "the profile is added to a whole history: its share is taken from it": [
                cosine((1, 0.25, 0), word) for word in words
            ],
            "the mixture is not brought to length one": np.array(words) @ [0.75, 0.25, 0],
        },
    )
    expect.equal(
        scores[1, 0], 1, "user 1 wrote nothing and watched ghost: the history alone, whole"
    )
    expect.equal(
        scores[2, 1],
        1,
        "user 2 watched nothing and wrote kiss: the profile alone, whole",
        mistakes={
            "without a history the profile keeps its share of 0.25": 0.25,
            "who has watched nothing is nobody: the profile has to speak": 0,
        },
    )
    expect.equal(
        scores[3, 1],
        1,
        "user 3 wrote no known word and watched kiss: the history alone, whole",
        mistakes={
            "a profile of unknown words takes its share: where its vector is zero it has none": 0.75
        },
    )
    unheard = plain(answer, toy, profile=0.0).fit(data).score([2])[0, 1]
    expect.equal(
        unheard,
        1,
        "β is the share of the profile beside a history: with β = 0 too, user 2, who has none, is "
        "the profile",
        mistakes={"who has watched nothing lost the profile with β = 0": 0},
    )
    unseen = plain(answer, toy, profile=1.0).fit(data).score([1])[0, 0]
    expect.equal(
        unseen,
        1,
        "with β = 1 too, user 1, who wrote nothing, is the history",
        mistakes={"who wrote nothing lost the history with β = 1": 0},
    )
    twice = films(["ghost", "kiss", "cellar", "ghost"], ((0, 0), (0, 3)), ["kiss"])
    expect.equal(
        plain(answer, toy, profile=0.25).fit(twice).score([0])[0, :3],
        scores[0],
        "two films watched, both "
        "ghost, are no more than one beside the profile: the history is brought to length one before it is "
        "mixed",
        abs=1e-5,
        mistakes={
            "the films of the history are added up, and outweigh the profile": [
                cosine((1.5, 0.25, 0), word) for word in words
            ]
        },
    )
    expect.equal(
        plain(answer, toy).fit(data).recommend([2], 1).items,
        [[1]],
        "user 2, who has watched nothing, is recommended what the profile speaks of",
    )


@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_films_profiles_and_new_texts_are_placed_by_one_rule(answer: ModuleType, toy: str) -> None:
    """The same words land on the same spot, whoever wrote them: a film, a user, or somebody new."""
    titles = ["ghost the", "the kiss", "cellar the the", "ghost kiss"]
    for pooling in ("sif", "tfidf", "mean"):
        recommender = answer.ContentEmbedding(toy, pooling, a=0.1).fit(
            films(titles, ((0, 0),), ["", *titles])
        )
        expect.equal(
            recommender.user_factors_[1:],
            recommender.item_factors_,
            f"under {pooling} a user who wrote a "
            "film's words, and watched nothing, lies where the film does: one rule of weights and common "
            "directions",
            abs=1e-5,
        )
        expect.equal(
            recommender.embed(titles),
            recommender.item_factors_,
            f"under {pooling} a new text with a film's words lies where the film does",
            abs=1e-5,
        )
        expect.equal(
            np.diag(recommender.score([1, 2, 3, 4])),
            np.ones(4),
            f"under {pooling} the cosine of a film with who wrote its words is 1",
            abs=1e-5,
        )


@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_a_film_nobody_has_watched_can_be_the_best(answer: ModuleType, toy: str) -> None:
    """Popularity has no say unless it is asked to; then it counts by the log of the audience."""
    history = ((0, 0), (1, 2), (2, 2), (3, 2))
    data = films(["ghost", "地窖", "kiss"], history)
    expect.equal(
        plain(answer, toy).fit(data).recommend([0], 1).items,
        [[1]],
        "地窖 is nearest to what user 0 watched, "
        "though nobody has watched it: popularity has no say unless asked",
        mistakes={"the most popular film was recommended": [[2]]},
    )
    wanted = plain(answer, toy, popularity=2.0).fit(data)
    added = wanted.score([0])[0] - plain(answer, toy).fit(data).score([0])[0]
    expect.equal(
        added,
        2 * np.log([2, 1, 4]) / np.log(4),
        "with popularity=2, twice log(1 + audience) over its largest is added to the cosine",
        abs=1e-5,
        mistakes={
            "the audience is added as it is: a log keeps a few hits from deciding all": 2
            * np.array([1, 0, 3])
            / 3,
            "popularity is not multiplied by its weight": np.log([2, 1, 4]) / np.log(4),
        },
    )
    expect.equal(
        wanted.recommend([0], 1).items,
        [[2]],
        "with popularity=2 the film that three users watched comes first",
    )


@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_a_saved_model_does_not_need_the_file(answer: ModuleType, toy: str, tmp_path: Path) -> None:
    """After `load`, scores and new texts come out as before, though the file of vectors is gone."""
    recommender = plain(answer, toy).fit(films(["ghost", "cellar kiss"]))
    before = recommender.score([0]), recommender.embed(["the kiss"])
    recommender.save(tmp_path / "model")
    Path(toy).unlink()
    loaded = answer.ContentEmbedding.load(tmp_path / "model")
    expect.equal(
        loaded.score([0]),
        before[0],
        "the vectors of films and users are saved with the model: scores are "
        "the same after load(), to the bit",
        abs=0,
        rel=0,
    )
    expect.equal(
        loaded.embed(["the kiss"]),
        before[1],
        "the words' vectors and weights are saved too: a new text is "
        "read after load(), though the file is gone",
        abs=0,
        rel=0,
    )


@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_fasttext_reads_words_it_has_not_met(answer: ModuleType, tmp_path: Path) -> None:
    """With "fasttext", a misspelt or inflected word lands near the one it was made from; also after `load`."""
    titles = [
        "haunted cellar ghosts",
        "haunted ghosts monster",
        "wedding lovers kissing",
        "lovers wedding dances",
    ] * 8
    recommender = answer.ContentEmbedding("fasttext", n_components=0).fit(films(titles))
    recommender.save(tmp_path / "model")
    for reader in (recommender, answer.ContentEmbedding.load(tmp_path / "model")):
        vectors = reader.embed(["haunted", "hauntedly", "weddings", "wedding"])
        expect.true(
            vectors.any(axis=1),
            "FastText puts a word that it has not met together from its pieces: none is zero",
            vectors=vectors,
        )
        expect.true(
            vectors[1] @ vectors[0] > 0.1 + vectors[1] @ vectors[3],
            "hauntedly shares most pieces with haunted, and lies nearer to it than to wedding",
            with_haunted=vectors[1] @ vectors[0],
            with_wedding=vectors[1] @ vectors[3],
        )
        expect.true(
            vectors[2] @ vectors[3] > 0.1 + vectors[2] @ vectors[0],
            "weddings shares most pieces with wedding, and lies nearer to it than to haunted",
            with_wedding=vectors[2] @ vectors[3],
            with_haunted=vectors[2] @ vectors[0],
        )
    again = answer.ContentEmbedding("fasttext", n_components=0).fit(films(titles))
    expect.equal(
        again.score([0]),
        recommender.score([0]),
        "FastText is trained with one thread and a fixed seed: the "
        "same texts give the same scores, to the bit",
        abs=0,
        rel=0,
    )


# --- cinema ---------------------------------------------------------------------------------------


@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_both_languages_of_one_interest_land_near_each_other(
    answer: ModuleType, cinema: Dataset, truth: CinemaTruth
) -> None:
    """English and Chinese profiles of different users are nearer where the main interest is the same."""
    recommender = answer.ContentEmbedding().fit(cinema)
    english, chinese = (
        recommender.embed(load_cinema(language).user_features.texts) for language in ("en", "zh")
    )
    single = np.flatnonzero(truth.n_interests == 1)
    similarity = english[single] @ chinese[single].T
    np.fill_diagonal(similarity, np.nan)
    same = truth.main_interest[single][:, None] == truth.main_interest[single]
    alike, unlike = np.nanmean(similarity[same]), np.nanmean(similarity[~same])
    expect.true(
        alike > 0.2 + unlike,
        "an English and a Chinese profile of one interest are nearer than those of two: "
        "the words of both languages live in one space",
        of_one_interest=alike,
        of_two=unlike,
    )
    nearest = np.nanargmax(similarity, axis=1)
    right = same[np.arange(len(single)), nearest].mean()
    expect.true(
        right > 0.8,
        "the Chinese profile that is nearest to an English one shares its interest, four times "
        "out of five",
        share=right,
    )


@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_new_films_are_ranked_by_what_they_are_about(answer: ModuleType) -> None:
    """Films that nobody has watched are ranked far above chance, and above popularity, which cannot tell them apart."""
    from keras_recs.evaluation import (
        PopularityRecommender,
        RandomRecommender,
        compare,
        evaluate_scores,
    )

    cold = cinema_cold_split()
    train = cold.warm.train
    new = np.isin(train.item_ids.ids, cold.item_ids)

    def ask(recommender, parts, candidates):
        scores = recommender.fit(train).score(train.user_ids.ids)
        return evaluate_scores(np.where(candidates, scores, -np.inf), parts)

    content = ask(answer.ContentEmbedding(), cold.cold_items, new)
    expect.true(
        content.metrics["ndcg@10"] > 0.28,
        "a film that nobody has watched has a text, and that is enough to "
        "rank it: an NDCG@10 above 0.28 among the new films",
        ndcg_at_10=content.metrics["ndcg@10"],
    )
    for other in (PopularityRecommender(), RandomRecommender()):
        apart = compare(content, ask(other, cold.cold_items, new), "ndcg@10")
        expect.true(
            apart.low > 0.1,
            f"of films without an audience {type(other).__name__} knows nothing, and the "
            "texts do: NDCG@10 is higher by more than 0.1, with its interval",
            interval=(apart.low, apart.high),
        )
    told = ask(answer.ContentEmbedding(popularity=2.0), cold.cold_users, ~new)
    known = ask(PopularityRecommender(), cold.cold_users, ~new)
    expect.true(
        told.metrics["ndcg@10"] > 1.2 * known.metrics["ndcg@10"],
        "of new users, what they wrote beside "
        "popularity ranks better by 20 % than popularity alone",
        with_profiles=told.metrics["ndcg@10"],
        popularity=known.metrics["ndcg@10"],
    )
    expect.true(
        compare(told, known, "ndcg@10").low > 0,
        "that profiles beat popularity is no chance: the paired interval lies above 0",
        low=compare(told, known, "ndcg@10").low,
    )


@pytest.mark.data
@pytest.mark.needs(
    "word_weights", "pool", "common_directions", "without", "ContentEmbedding._users"
)
def test_movielens_is_far_above_chance(answer: ModuleType, ml100k: Dataset) -> None:
    """On MovieLens-100K (P1), titles and genres alone rank twice as well as chance."""
    from keras_recs.evaluation import RandomRecommender, compare, evaluate

    parts = split(ml100k, "P1")
    reached = evaluate(answer.ContentEmbedding(pooling="tfidf").fit(parts.train), parts)
    chance = evaluate(RandomRecommender().fit(parts.train), parts)
    expect.true(
        reached.metrics["ndcg@10"] > 2 * chance.metrics["ndcg@10"],
        "titles and genres alone rank MovieLens twice as well as chance",
        ndcg_at_10=reached.metrics["ndcg@10"],
        of_chance=chance.metrics["ndcg@10"],
    )
    expect.true(
        compare(reached, chance, "ndcg@10").low > 0.01,
        "that texts beat chance is no chance itself: the paired interval lies above 0.01",
        low=compare(reached, chance, "ndcg@10").low,
    )
