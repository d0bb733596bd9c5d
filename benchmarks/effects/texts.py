"""Synopses tell what genres do not: an encoder that reads them, against genres and against words."""

from __future__ import annotations

from effects.cold import ColdFilms, effect, one_hot
from effects.effect import Effect
from sklearn.feature_extraction.text import TfidfVectorizer

from keras_recs.text import load_encoder

ENCODER = "use-multilingual"


def measure() -> list[Effect]:
    """Three comparisons of closed forms, which need no seed."""
    films = ColdFilms.load()
    features = films.train.item_features
    assert features is not None and features.texts is not None and features.genres is not None
    genres = one_hot(features.genres)
    vectors = load_encoder(ENCODER).encode(features.texts)
    words = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit_transform(features.texts)
    by_genres = films.evaluate(genres)
    by_synopsis = films.evaluate(vectors)
    return [
        effect("texts", "encoder on synopses", "genres only", by_synopsis, by_genres),
        effect(
            "texts",
            "encoder on synopses",
            "TF-IDF on synopses",
            by_synopsis,
            films.evaluate(words.toarray()),
        ),
        effect(
            "texts",
            "genres and encoder",
            "genres only",
            films.evaluate(genres, vectors),
            by_genres,
        ),
    ]
