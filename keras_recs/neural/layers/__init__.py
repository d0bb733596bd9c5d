"""Layers that several answers share: attention, factorisation machines, experts, interests.

Masks are bool, True where something is, in the form that `keras.layers.Embedding(mask_zero=True)`
passes on. What stands at a padded place never reaches an output, and an example that is nothing
but padding gets zeros.
"""

from keras_recs.neural.layers.attention_block import AttentionBlock
from keras_recs.neural.layers.experts import MixtureOfExperts
from keras_recs.neural.layers.factorization import BiInteraction, FactorizationMachine
from keras_recs.neural.layers.interests import CapsuleInterests, SelfAttentiveInterests
from keras_recs.neural.layers.masking import masked_softmax, without_padding
from keras_recs.neural.layers.target_attention import TargetAttention

__all__ = [
    "AttentionBlock",
    "BiInteraction",
    "CapsuleInterests",
    "FactorizationMachine",
    "MixtureOfExperts",
    "SelfAttentiveInterests",
    "TargetAttention",
    "masked_softmax",
    "without_padding",
]
