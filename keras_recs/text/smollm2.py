"""SmolLM2-135M-Instruct (Allal et al. 2025): a small language model that scores, writes and encodes
text.

It is a decoder of 30 blocks; see `keras_recs.text.decoder`. At 135 million weights it is better at
telling a likely text from an unlikely one than at free text: what it writes about films is fluent
and often wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf

from keras_recs.data.assets import fetch
from keras_recs.text.encoder import TOKENS_AT_ONCE, NeuralEncoder, checked_texts
from keras_recs.text.gguf_file import read_decoder
from keras_recs.utils.checks import real_number, whole_number

#: Tokens that a long text is read by, so that scores of all pairs of tokens are never in memory
#: together; and rows of logits at once, each of which is 49,152 floats.
ROWS_AT_ONCE = 512


class SmolLM2:
    """The language model. Prompts are strings, or token ids as `tokens` and `chat` give them.

    It takes 0.6 GB of memory and some seconds to load; `SmolLM2.shared()` loads it once in a
    process.

    Attributes:
        decoder: the Keras model.  tokenizer: byte-level BPE.
        system: the system prompt that it was trained with.
        context: the longest text that it was trained on, prompt and continuation together.
    """

    def __init__(self) -> None:
        self.decoder, self.tokenizer, self.system = read_decoder(
            fetch("smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"
        )
        self.context = self.decoder.config.context
        self._start, self._end = (
            self.tokenizer.token_to_id(mark) for mark in ("<|im_start|>", "<|im_end|>")
        )
        self._compiled: dict[int, tf.types.experimental.PolymorphicFunction] = {}
        self._logits = tf.function(
            self.decoder.logits,
            autograph=False,
            input_signature=[tf.TensorSpec((None, self.decoder.config.width), tf.float32)],
        )

    @staticmethod
    @cache
    def shared() -> SmolLM2:
        """One model for the whole process."""
        return SmolLM2()

    # --- tokens -----------------------------------------------------------------------------------

    def tokens(self, text: str) -> list[int]:
        """The ids of a text. Control tokens spelled in it are read as plain text."""
        return self.tokenizer.encode(checked_texts("text", [text])[0], add_special_tokens=False).ids

    def text(self, ids: Sequence[int]) -> str:
        """The text of ids, without control tokens."""
        return self.tokenizer.decode([int(i) for i in ids], skip_special_tokens=True)

    def chat(self, user: str, *, system: str | None = None) -> list[int]:
        """The ids of a conversation up to where the assistant answers: a prompt for `generate` and
        `loglikelihood`.

        `system` is by default the one that it was trained with.
        """

        def turn(role: str, said: str) -> list[int]:
            return [self._start, *self.tokens(f"{role}\n{said}"), self._end, *self.tokens("\n")]

        first = turn("system", self.system if system is None else system)
        return [*first, *turn("user", user), self._start, *self.tokens("assistant\n")]

    def _prompt(self, name: str, prompt: str | Sequence[int]) -> list[int]:
        ids = self.tokens(prompt) if isinstance(prompt, str) else [int(i) for i in prompt]
        if not ids:
            raise ValueError(
                f"{name} must not be empty: the first token has nothing to follow from"
            )
        if not all(0 <= i < self.decoder.config.vocabulary for i in ids):
            raise ValueError(
                f"{name} must hold token ids from 0 to {self.decoder.config.vocabulary - 1}"
            )
        return ids

    def run(
        self, ids: np.ndarray, past: tf.Tensor, n_blocks: int | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """`decoder(ids, past, n_blocks)`, compiled: some seconds once, and then a third of the
        time."""
        config = self.decoder.config
        n_blocks = config.n_blocks if n_blocks is None else n_blocks
        if n_blocks not in self._compiled:
            past_shape = (config.n_blocks, 2, None, config.n_kv_heads, None, config.head_dim)
            self._compiled[n_blocks] = tf.function(  # without autograph, which takes twice as long
                lambda ids, past: self.decoder(ids, past, n_blocks=n_blocks),
                autograph=False,
                input_signature=[
                    tf.TensorSpec((None, None), tf.int32),
                    tf.TensorSpec(past_shape, tf.float32),
                ],
            )
        return self._compiled[n_blocks](ids, past)

    def _read(self, ids: np.ndarray, past: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Hidden states (batch, t, width) of `ids` (batch, t), and the past that now includes
        them."""
        past, states = self.decoder.no_past(len(ids)) if past is None else past, []
        for start in range(0, ids.shape[1], ROWS_AT_ONCE):
            state, past = self.run(ids[:, start : start + ROWS_AT_ONCE], past)
            states.append(state)
        return tf.concat(states, axis=1), past

    def _fits(self, name: str, n_tokens: int) -> None:
        if n_tokens > self.context:
            raise ValueError(
                f"{name} has {n_tokens} tokens; the model reads {self.context} at most"
            )

    # --- what it is for ---------------------------------------------------------------------------

    def logits(self, ids: Any) -> np.ndarray:
        """For every position the logits of the token that follows: (t,) -> (t, 49152), (batch, t)
        -> (…, 49152)."""
        ids = np.asarray(ids, np.int32)
        rows = np.atleast_2d(ids)
        if ids.ndim > 2 or rows.size == 0:
            raise ValueError(
                f"ids must be (t,) or (batch, t) and not empty, got an array of shape {ids.shape}"
            )
        self._fits("ids", rows.shape[1])
        hidden, _ = self._read(rows)
        return (
            self._logits(tf.reshape(hidden, (-1, hidden.shape[-1]))).numpy().reshape(*ids.shape, -1)
        )

    def loglikelihood(
        self, prompts: Any, continuations: Sequence[str], *, mean: bool = False
    ) -> np.ndarray:
        """log p(continuation | prompt), in nats: how well each continuation follows.

        Each different prompt is read once, however many continuations it has.

        Args:
            prompts: one prompt (a string, or token ids) for all continuations, or a list of n of
            them. continuations: n strings; in the middle of a sentence they begin with a space, as
            tokens do. mean: per token instead of in sum, which favours the short.

        Returns:
            (n,) float32.
        """
        continuations = checked_texts("continuations", continuations)
        if isinstance(prompts, str) or (len(prompts) and isinstance(prompts[0], (int, np.integer))):
            prompts = [prompts] * len(continuations)
        if len(prompts) != len(continuations):
            raise ValueError(
                f"prompts has {len(prompts)} entries for {len(continuations)} continuations"
            )
        by_prompt: dict[tuple[int, ...], list[int]] = {}
        for i, prompt in enumerate(prompts):
            by_prompt.setdefault(tuple(self._prompt("prompts", prompt)), []).append(i)
        targets = [self.tokens(text) for text in continuations]
        if empty := [i for i, row in enumerate(targets) if not row]:
            raise ValueError(f"continuations must not be empty, but entry {empty[0]} is")
        out = np.empty(len(continuations), np.float32)
        for ids, rows in by_prompt.items():
            longest = max(len(targets[row]) for row in rows)
            self._fits("prompts and continuations", len(ids) + longest)
            hidden, past = self._read(np.array([ids], np.int32))
            size = max(1, TOKENS_AT_ONCE // (len(ids) + longest))
            for start in range(0, len(rows), size):
                some = rows[start : start + size]
                out[some] = self._follow([targets[row] for row in some], hidden[:, -1:], past, mean)
        return out

    def _follow(
        self, targets: list[list[int]], last: tf.Tensor, past: tf.Tensor, mean: bool
    ) -> np.ndarray:
        """Log-likelihood of each target after one prompt, whose last hidden state is `last` (1, 1,
        width)."""
        n, lengths = len(targets), np.array([len(row) for row in targets])
        ids = np.zeros((n, lengths.max()), np.int32)
        on = np.arange(ids.shape[1]) < lengths[:, None]  # (n, t)
        ids[on] = np.concatenate(targets)
        hidden, _ = self._read(ids, tf.repeat(past, n, axis=2))
        # the state that predicts each token
        before = tf.concat([tf.repeat(last, n, axis=0), hidden[:, :-1]], axis=1)
        states, wanted = before[on], ids[on]
        found = np.zeros(ids.shape, np.float32)
        found[on] = np.concatenate(
            [
                _log_softmax_at(
                    self._logits(states[i : i + ROWS_AT_ONCE]).numpy(), wanted[i : i + ROWS_AT_ONCE]
                )
                for i in range(0, len(wanted), ROWS_AT_ONCE)
            ]
        )
        return found.sum(axis=1) / (lengths if mean else 1)

    def generate(
        self,
        prompt: str | Sequence[int],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> str:
        """What the model writes after `prompt`, until it ends its turn or `max_new_tokens` are
        written.

        Args:
            prompt: a text to go on with, or what `chat` gives, to be answered.
            temperature: 0 takes the likeliest token every time; 1 draws from the model's
            distribution. seed: of the draws.
        """
        max_new_tokens, seed = (
            whole_number("max_new_tokens", max_new_tokens),
            whole_number("seed", seed, least=0),
        )
        temperature = real_number("temperature", temperature, least=0.0)
        ids = self._prompt("prompt", prompt)
        self._fits("prompt with max_new_tokens", len(ids) + max_new_tokens)
        rng, written = np.random.default_rng(seed), []
        hidden, past = self._read(np.array([ids], np.int32))
        while True:
            logits = self._logits(hidden[:, -1]).numpy()[0].astype(float)  # (vocabulary,)
            if temperature > 0:
                # its argmax is a draw of the softmax
                logits = logits / temperature + rng.gumbel(size=logits.shape)
            token = int(np.argmax(logits))
            if token in (self._end, 0):  # 0: the end of a document
                break
            written.append(token)
            if len(written) == max_new_tokens:
                break
            hidden, past = self.run(np.array([[token]], np.int32), past)
        return self.text(written)


class SmolLM2Encoder(NeuralEncoder):
    """Mean of the hidden states of one block, over the tokens of the text.

    The model was trained to predict the next token, not to put like beside like. Its vectors share
    a large common part: cosines of unrelated texts lie near 0.95, and only their order means
    something. Text after the first 256 tokens is not read.

    On the synopses of cinema, how alike are the genres of a film and of its five nearest (cosine of
    genre sets; 0.215 for any two films)? Block 15: 0.360, block 29: 0.429, block 30: 0.414. MiniLM:
    0.429, the multilingual encoder: 0.406, TF-IDF: 0.331. The last block turns to which word comes
    next.

    Args:
        layer: the block whose output is taken, from 1 to 30.
    """

    name = "smollm2"
    dim = 576
    languages = ("en",)
    max_tokens = 256

    def __init__(self, layer: int = 29, *, cache: bool = True) -> None:
        super().__init__(cache=cache)
        self.layer = whole_number("layer", layer)
        if layer > 30:
            raise ValueError(f"layer must be at most 30, got {layer}")
        self.version = f"1-layer{self.layer}"
        self.description = f"SmolLM2-135M-Instruct, mean hidden state of block {self.layer} of 30: a generative model"

    @property
    def model(self) -> SmolLM2:
        return SmolLM2.shared()

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        start = self.model.tokenizer.token_to_id("<|im_start|>")
        return [[start, *self.model.tokens(text)][: self.max_tokens] for text in texts]

    def _forward(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        x = self.model.run(ids, self.model.decoder.no_past(len(ids)), self.layer)[
            0
        ].numpy()  # (batch, t, width)
        # The first token is a mark. In such models it gathers attention that has nowhere else to
        # go, and its vector dwarfs all others: it would be the mean.
        weight = mask[:, 1:, None]
        return (x[:, 1:] * weight).sum(axis=1) / weight.sum(axis=1)


def _log_softmax_at(logits: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """log softmax(logits)[ids] row by row: (n, vocabulary), (n,) -> (n,)."""
    highest = logits.max(axis=1)
    return (
        logits[np.arange(len(ids)), ids]
        - highest
        - np.log(np.exp(logits - highest[:, None]).sum(axis=1))
    )
