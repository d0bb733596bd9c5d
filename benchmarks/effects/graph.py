"""Films of the same people please the same users: a path film, person, film in the knowledge graph,
against genres only."""

from __future__ import annotations

from effects.cold import ColdFilms, effect, one_hot
from effects.effect import Effect

from keras_recs.data import Dataset

CREDITS = ("director", "actor")


def measure() -> list[Effect]:
    """One comparison of closed forms, which needs no seed."""
    films = ColdFilms.load()
    features = films.train.item_features
    assert features is not None and features.genres is not None
    genres = one_hot(features.genres)
    people = one_hot(credited(films.train), least=2)  # who made one film leads to no other
    return [
        effect(
            "graph",
            "genres and the people of the graph",
            "genres only",
            films.evaluate(genres, people),
            films.evaluate(genres),
        )
    ]


def credited(data: Dataset) -> list[tuple[str, ...]]:
    """The people of each film, in the order of the items, as the knowledge graph names them."""
    graph = data.knowledge
    assert graph is not None
    found: dict[str, list[str]] = {}
    for head, relation, tail in zip(graph.heads, graph.relations, graph.tails, strict=True):
        if relation in CREDITS:
            found.setdefault(head, []).append(tail)
    names = [graph.item_entities[item] for item in data.item_ids.ids.tolist()]
    return [tuple(found[name]) for name in names]
