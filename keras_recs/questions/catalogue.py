"""The catalogue: the 24 questions, in one list that files, tests and commands are checked
against."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_recs.core.recommender import Recommender

CONCEPTS, NEIGHBOURS, DEEP, TRANSFER, SIGNALS = (
    "Concepts",
    "Neighbourhoods and factors",
    "Deep models",
    "Transfer and graphs",
    "Learning signals",
)


@dataclass(frozen=True)
class Answer:
    """One way to answer a question: a class of the question's file, named after the algorithm, its
    settings, and whether it needs TensorFlow.

    >>> Answer("EASE", {"recency": 10.0}).name
    'EASE(recency=10)'
    """

    class_name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    keras: bool = False

    @property
    def name(self) -> str:
        """The class, with the settings that differ from its defaults: what is shown everywhere."""
        settings = ", ".join(
            f"{name}={value:.12g}" if type(value) in (int, float) else f"{name}={value}"
            for name, value in self.params.items()
        )
        return f"{self.class_name}({settings})" if settings else self.class_name


@dataclass(frozen=True)
class Question:
    """A question and where its answer is.

    Attributes:
        number: 1 to 24.
        stem: the name of its files: `answers/<stem>.py`, `notebooks/<stem>.ipynb`,
        `tests/test_<stem>.py`. title, title_zh: the question in a few words.
        topic: the part of the field it belongs to.
        answers: empty until it is built.
        published: the class of the published answer, where it has one; importable as an alias of
        the first answer's. protocol: the split that its answers are measured on.
        parts: the files of an answer that is a package, one an algorithm; empty for one file.
    """

    number: int
    stem: str
    title: str
    title_zh: str
    topic: str
    answers: tuple[Answer, ...] = ()
    published: str | None = None
    protocol: str = "P1"
    parts: tuple[str, ...] = ()

    @property
    def built(self) -> bool:
        return bool(self.answers)

    @property
    def keras(self) -> bool:
        """Whether one of the answers needs TensorFlow."""
        return any(answer.keras for answer in self.answers)

    @property
    def module(self) -> str:
        return f"keras_recs.answers.{self.stem}"

    @property
    def modules(self) -> tuple[str, ...]:
        """The module of the answer and, where it is a package, those of its parts."""
        return (self.module, *(f"{self.module}.{part}" for part in self.parts))

    def files(self) -> list[Path]:
        """The source files of the answer, in the order of `modules`; nothing is imported."""
        from importlib import resources

        folder = resources.files("keras_recs.answers")
        if not self.parts:
            return [Path(str(folder / f"{self.stem}.py"))]
        names = ("__init__", *self.parts)
        return [Path(str(folder / self.stem / f"{name}.py")) for name in names]

    def load(self, answer: Answer) -> type[Recommender]:
        """The class of one of `answers`."""
        if answer.keras:
            # imports TensorFlow without its start-up notes
            importlib.import_module("keras_recs.neural")
        return getattr(importlib.import_module(self.module), answer.class_name)

    def make(self, answer: Answer, **params: Any) -> Recommender:
        """A new, unfitted recommender with the answer's settings and, over them, `params`."""
        return self.load(answer)(**{**answer.params, **params})


QUESTIONS: tuple[Question, ...] = (
    Question(
        1,
        "q01_recommender_pipeline",
        "What is a recommender system, and how does it work?",
        "什么是推荐系统？它是怎样工作的？",
        CONCEPTS,
    ),
    Question(
        2,
        "q02_llm_interest",
        "What is a large language model, and what does it do for recommendation?",
        "什么是大语言模型？它在推荐系统里能做什么？",
        CONCEPTS,
        (Answer("LLMInterestModel", keras=True),),
    ),
    Question(
        3,
        "q03_interest_representation",
        "How do you represent a user's interests in several dimensions?",
        "如何从多个维度刻画用户兴趣？",
        CONCEPTS,
    ),
    Question(
        4,
        "q04_knn",
        "Recommend with k nearest neighbours",
        "用 k 近邻实现推荐",
        NEIGHBOURS,
        (Answer("UserKNN"),),
        published="KNNRecommender",
        protocol="P3",
    ),
    Question(
        5,
        "q05_matrix_factorization",
        "Write matrix factorisation from scratch",
        "从零实现矩阵分解推荐",
        NEIGHBOURS,
        (Answer("BiasedMF"),),
        published="MatrixFactorizationRecommender",
        protocol="P3",
    ),
    Question(
        6,
        "q06_content_embedding",
        "Recommend by content, with word embeddings",
        "用词向量做基于内容的推荐",
        NEIGHBOURS,
        (Answer("ContentEmbedding"), Answer("ContentEmbedding", {"popularity": 2.0})),
        published="ContentEmbeddingRecommender",
    ),
    Question(
        7,
        "q07_user_cf",
        "Collaborative filtering between users",
        "实现基于用户的协同过滤",
        NEIGHBOURS,
        (
            Answer("UserCF"),
            Answer("UserCF", {"recency": 10.0, "n_neighbors": 100, "significance": 1}),
        ),
        published="CollaborativeFilteringRecommender",
    ),
    Question(
        8,
        "q08_deep_learning",
        "Build a deep-learning recommender",
        "用深度学习搭建推荐模型",
        DEEP,
        (Answer("NeuMF", keras=True),),
        published="DeepLearningRecommender",
    ),
    Question(
        9,
        "q09_image_transfer",
        "Transfer learning: recommend from images",
        "迁移学习：用图像特征做推荐",
        TRANSFER,
    ),
    Question(
        10,
        "q10_graph_embedding",
        "Graph embedding: random walks on the user-item graph",
        "图嵌入：在用户-物品图上随机游走",
        TRANSFER,
        (Answer("DeepWalk"),),
        published="GraphEmbeddingRecommender",
    ),
    Question(
        11,
        "q11_implicit_mf",
        "Matrix factorisation, asked again: implicit feedback",
        "再问矩阵分解：隐式反馈怎么办？",
        NEIGHBOURS,
        (Answer("ImplicitALS"), Answer("BPR", keras=True)),
        parts=("als", "bpr"),
    ),
    Question(
        12,
        "q12_item_cf",
        "Collaborative filtering, asked again: items, and a closed form",
        "再问协同过滤：基于物品与闭式解",
        NEIGHBOURS,
        (
            Answer("ItemCF"),
            Answer("EASE"),
            Answer("ItemCF", {"recency": 10.0}),
            Answer("EASE", {"recency": 10.0}),
        ),
    ),
    Question(
        13,
        "q13_sequential_deep",
        "Deep learning, asked again: sequences",
        "再问深度学习：序列推荐",
        DEEP,
    ),
    Question(
        14,
        "q14_text_transfer",
        "Transfer learning, asked again: language encoders and other domains",
        "再问迁移学习：语言模型与跨域推荐",
        TRANSFER,
    ),
    Question(
        15,
        "q15_node2vec",
        "Graph embedding, asked again: biased walks and several kinds of nodes",
        "再问图嵌入：有偏游走与异构图",
        TRANSFER,
    ),
    Question(16, "q16_hybrid", "Build a hybrid recommender", "如何构建混合推荐系统？", DEEP),
    Question(
        17, "q17_context_aware", "Take the context into account", "如何做上下文感知推荐？", DEEP
    ),
    Question(
        18,
        "q18_gcn",
        "Recommend with a graph convolutional network",
        "用图卷积网络做推荐",
        TRANSFER,
        (Answer("LightGCN", keras=True), Answer("NGCF", keras=True)),
        published="GraphConvolutionalNetworkRecommender",
    ),
    Question(19, "q19_attention", "Recommend with attention", "用注意力机制做推荐", DEEP),
    Question(
        20,
        "q20_contrastive",
        "Contrastive learning for recommendation",
        "对比学习如何用于推荐？",
        SIGNALS,
    ),
    Question(
        21,
        "q21_self_supervised",
        "Self-supervised learning for recommendation",
        "自监督学习如何用于推荐？",
        SIGNALS,
    ),
    Question(
        22,
        "q22_reinforcement",
        "Reinforcement learning for recommendation",
        "强化学习如何用于推荐？",
        SIGNALS,
    ),
    Question(23, "q23_multi_task", "Learn several tasks at once", "多任务学习如何用于推荐？", DEEP),
    Question(
        24,
        "q24_gan",
        "Recommend with a generative adversarial network",
        "用生成对抗网络做推荐",
        SIGNALS,
    ),
)


def question(number: int | str) -> Question:
    """The question with this number; a ValueError says which numbers there are.

    >>> question(5) is question("05") is question("q05") is question("q05_matrix_factorization")
    True
    """
    asked = number
    if isinstance(number, str):
        form = re.fullmatch(r"q?0*([0-9]{1,3})(_\w*)?", number.strip().lower())
        number = int(form[1]) if form else 0
        if form and form[2] and number in range(1, len(QUESTIONS) + 1):
            number = number if QUESTIONS[number - 1].stem.endswith(form[2]) else 0
    if number not in range(1, len(QUESTIONS) + 1):
        raise ValueError(f"there is no question {asked}; they go from 1 to {len(QUESTIONS)}")
    return QUESTIONS[number - 1]
