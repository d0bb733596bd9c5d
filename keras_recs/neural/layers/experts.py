"""`MixtureOfExperts`: tasks that share what helps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("keras_recs")
class MixtureOfExperts(layers.Layer):
    """Experts that all tasks share, and for each task a gate of its own that weighs them.

    With one bottom for all, tasks that disagree pull it both ways. Here each task takes the experts
    that suit it (MMoE). With `n_own`, a task also has experts that no other task sees (CGC, the
    layer that PLE stacks). Without shared experts nothing is shared.

    Args:
        n_tasks: gates.
        n_shared: experts that every task sees.
        n_own: experts that one task alone sees, for each task.
        hidden: units of each expert's layers.
        activation: of these layers.

    Call:
        x: (batch, dim).
        return_gates: also give the weights.

    Returns:
        a list of n_tasks tensors (batch, hidden[-1]), in the order of the tasks. The weights are
        (batch, n_tasks, n_shared + n_own), shared experts first, and sum to 1 over the experts.

    Raises:
        ValueError: `x` of another rank; no task, or no expert.

    Source: Ma et al. (2018), "Modeling Task Relationships in Multi-task Learning with Multi-gate
    Mixture-of-Experts"; Tang et al. (2020), "Progressive Layered Extraction (PLE)".

    >>> click, finish = MixtureOfExperts(n_tasks=2, n_shared=3, hidden=(8,))(keras.ops.ones((2, 4)))
    >>> click.shape, finish.shape
    (TensorShape([2, 8]), TensorShape([2, 8]))
    """

    def __init__(
        self,
        n_tasks: int,
        n_shared: int = 4,
        n_own: int = 0,
        hidden: Sequence[int] = (32,),
        activation: Any = "relu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if n_tasks < 1 or n_shared + n_own < 1 or not hidden:
            raise ValueError(
                "there must be a task, an expert and a layer at least, got "
                f"n_tasks {n_tasks}, n_shared {n_shared}, n_own {n_own}, hidden {tuple(hidden)}"
            )
        self.n_tasks = n_tasks
        self.n_shared = n_shared
        self.n_own = n_own
        self.hidden = tuple(hidden)
        self.activation = keras.activations.get(activation)

        self.shared = [self._expert(f"shared_{k}") for k in range(n_shared)]
        self.own = [
            [self._expert(f"own_{task}_{k}") for k in range(n_own)] for task in range(n_tasks)
        ]
        self.gates = [self._gate(f"gate_{task}") for task in range(n_tasks)]

    def _expert(self, name: str) -> list[layers.Layer]:
        return [
            layers.Dense(units, self.activation, dtype=self.dtype_policy, name=f"{name}_{depth}")
            for depth, units in enumerate(self.hidden)
        ]

    def _gate(self, name: str) -> layers.Layer:
        n_experts = self.n_shared + self.n_own
        return layers.Dense(n_experts, "softmax", dtype=self.dtype_policy, name=name)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) != 2 or input_shape[-1] is None:
            raise ValueError(f"x must have shape (batch, dim), got {tuple(input_shape)}")
        for expert in [*self.shared, *(e for own in self.own for e in own)]:
            shape = tuple(input_shape)
            for dense in expert:
                dense.build(shape)
                shape = dense.compute_output_shape(shape)
        for gate in self.gates:
            gate.build(input_shape)

    def call(self, x: Any, return_gates: bool = False) -> Any:
        shared = [_through(expert, x) for expert in self.shared]  # n_shared of (batch, units)
        weights = [gate(x) for gate in self.gates]  # n_tasks of (batch, n_experts)
        outputs = []
        for gate, own in zip(weights, self.own, strict=True):
            # what this task's experts say, as its own gate weighs them
            said = shared + [_through(expert, x) for expert in own]
            stacked = ops.stack(said, axis=1)  # (batch, n_experts, units)
            outputs.append(ops.sum(ops.expand_dims(gate, -1) * stacked, axis=1))  # (batch, units)
        return (outputs, ops.stack(weights, axis=1)) if return_gates else outputs

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "n_tasks": self.n_tasks,
            "n_shared": self.n_shared,
            "n_own": self.n_own,
            "hidden": list(self.hidden),
            "activation": keras.activations.serialize(self.activation),
        }


def _through(expert: Sequence[layers.Layer], x: Any) -> Any:
    """(batch, dim) through an expert's layers: (batch, units)."""
    for dense in expert:
        x = dense(x)
    return x
