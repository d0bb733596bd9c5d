"""`CompositeRecommender`: the contract, for a recommender that is made of others."""

from __future__ import annotations

import os
from typing import Any, Self

from keras_recs.core import registry, storage
from keras_recs.core.recommender import Recommender
from keras_recs.data.dataset import Dataset

COMPONENT = "component:"  # what the name of a component's file begins with
MARK = "recommender"  # the key under which a saved hyperparameter says that it is one


class CompositeRecommender(Recommender):
    """A recommender whose hyperparameters include other recommenders: its components.

    They come unfitted, as in scikit-learn, and stay so: `fit` fits copies, which are in
    `components_`. A subclass declares its components as fields, calls `_fit_components` in `_fit`,
    and combines what they say; all of them have the users and items of one data set, so indices
    mean the same everywhere.

    A saved composite is one file that holds those of its components.

    Attributes:
        components_: name of the field -> fitted recommender.

    >>> from dataclasses import dataclass
    >>> from keras_recs import EASE, ItemCF, from_matrix
    >>> @dataclass(eq=False, repr=False)
    ... class Sum(CompositeRecommender):
    ...     one: Recommender
    ...     two: Recommender
    ...     def _fit(self, data):
    ...         self._fit_components(data)
    ...     def _score(self, users):
    ...         return self.components_["one"]._score(users) + self.components_["two"]._score(users)
    >>> both = Sum(EASE(reg=1.0), ItemCF()).fit(from_matrix([[1, 1, 0], [0, 1, 1], [1, 0, 0]]))
    >>> both.recommend(2, k=1).items.tolist()
    [[1]]
    >>> both.set_params(one__reg=9).one.reg
    9.0
    """

    components_: dict[str, Recommender]

    def _components(self) -> dict[str, Recommender]:
        """The fields that hold a recommender, as they were given."""
        params = self.get_params(deep=False)
        return {name: value for name, value in params.items() if isinstance(value, Recommender)}

    def _fit_components(self, data: Dataset) -> None:
        """Fit a copy of each component."""
        self.components_ = {
            name: _unfitted(component).fit(data) for name, component in self._components().items()
        }

    # --- hyperparameters --------------------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The hyperparameters: constructor argument -> value.

        Args:
            deep: also those of the components, as `component__argument`.
        """
        params = super().get_params(deep=False)
        if deep:
            for name, component in list(params.items()):
                if isinstance(component, Recommender):
                    inner = component.get_params(deep=True)
                    params |= {f"{name}__{key}": value for key, value in inner.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set some hyperparameters, those of a component as `component__argument`; return self.

        The components that were given are left alone: changed ones are copies. On an error none is
        set.

        Raises:
            ValueError: a name that is no argument, or a value out of range.
        """
        own = {name: value for name, value in params.items() if "__" not in name}
        changed = {**self._components(), **own}
        for name in dict.fromkeys(name.partition("__")[0] for name in params if "__" in name):
            if not isinstance(changed.get(name), Recommender):
                raise ValueError(
                    f"{type(self).__name__} has no component {name!r}; it has "
                    f"{', '.join(self._components()) or 'none'}"
                )
            inner = {k[len(name) + 2 :]: v for k, v in params.items() if k.startswith(f"{name}__")}
            own[name] = _unfitted(changed[name]).set_params(**inner)
        return super().set_params(**own)

    # --- saving -----------------------------------------------------------------------------------

    def _saved_params(self) -> dict[str, Any]:
        return _encoded(self.get_params(deep=False))

    @classmethod
    def _loaded_params(cls, params: dict[str, Any]) -> dict[str, Any]:
        return _decoded(params)

    def _state(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        state, blobs = super()._state()
        # Of what was fitted, not of the hyperparameters: those may have been set anew since.
        state["components_"] = {
            name: type(part).__name__ for name, part in self.components_.items()
        }
        files = {f"{COMPONENT}{name}": part.to_bytes() for name, part in self.components_.items()}
        return state, {**blobs, **files}

    def _restore(self, state: dict[str, Any], blobs: dict[str, bytes]) -> None:
        super()._restore(state, blobs)
        self.components_ = {}
        for name, expected in state["components_"].items():
            where = f"component {name!r}"
            found = _from_bytes(blobs[f"{COMPONENT}{name}"], where)
            if type(found).__name__ != expected:
                raise storage.StorageError(
                    f"{where} is a {type(found).__name__}, and was a {expected} when it was saved"
                )
            self.components_[name] = found


def _unfitted(recommender: Recommender) -> Recommender:
    """A new one with the same hyperparameters."""
    params = recommender.get_params(deep=False)
    return type(recommender)(
        **{name: _unfitted(v) if isinstance(v, Recommender) else v for name, v in params.items()}
    )


def _from_bytes(content: bytes, name: str) -> Recommender:
    saved = storage.unpacked(content, name)
    return _class(saved[0], name)._loaded(name, *saved)


def _class(meta: dict[str, Any], where: str | os.PathLike[str]) -> type[Recommender]:
    """The class that a file names, when it is known; a StorageError otherwise."""
    if not isinstance(meta, dict):
        raise storage.StorageError(f"{where} must name a class and a module, got {meta!r}")
    name, module = str(meta.get("class")), str(meta.get("module"))
    found = registry.find(name, module)
    if found is None or not issubclass(found, Recommender):
        raise storage.StorageError(
            f"{where} is a {name} of {module}, which is no class of keras_recs and has not been "
            "imported"
        )
    return found


def _encoded(params: dict[str, Any]) -> dict[str, Any]:
    """Hyperparameters as JSON has them: a recommender by its class and its own."""
    out = {}
    for name, value in params.items():
        if isinstance(value, Recommender):
            about = {"class": type(value).__name__, "module": type(value).__module__}
            value = {MARK: about, "params": _encoded(value.get_params(deep=False))}
        out[name] = value
    return out


def _decoded(params: dict[str, Any]) -> dict[str, Any]:
    out = {}
    for name, value in params.items():
        if isinstance(value, dict) and MARK in value:
            value = _class(value[MARK], f"hyperparameter {name!r}")(**_decoded(value["params"]))
        out[name] = value
    return out
