"""`Hyperparameters`: constructor arguments that can be read and set by name, as scikit-learn does
it."""

from __future__ import annotations

import inspect
from typing import Any, Self


class Hyperparameters:
    """For a class whose constructor checks its arguments and stores each under its own name, and
    does nothing else.

    What the constructor stores, it must store unchanged when it is given once more: a copy that is
    made from `get_params` has the same values, which is what `sklearn.base.clone` checks.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The hyperparameters: constructor argument -> value.

        Args:
            deep: as in scikit-learn, and of no effect here: no recommender is an argument of
                another.

        >>> from keras_recs import EASE
        >>> EASE(reg=100.0).get_params()
        {'reg': 100.0, 'recency': None}
        """
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Self:
        """Set some hyperparameters and return self. They are checked as in the constructor; on an
        error none is set.

        What `fit` has learned stays as it was, as in scikit-learn: call `fit` again.

        Raises:
            ValueError: a name that the constructor does not know, or a value out of range.
            TypeError: a value of the wrong type.

        >>> from keras_recs import EASE
        >>> EASE().set_params(reg=100, recency=10)
        EASE(reg=100.0, recency=10.0)
        """
        known = self.get_params()
        unknown = [name for name in params if name not in known]
        if unknown:
            raise ValueError(
                f"{type(self).__name__} has no parameter {', '.join(map(repr, unknown))}; "
                f"it has {', '.join(known) or 'none'}"
            )
        checked = type(self)(**{**known, **params})
        self.__dict__.update(checked.__dict__)
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_params().items())})"
