"""What mining interests needs to know of the two languages: phrases, orders to a machine, and words
for interests."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from keras_recs.data import ItemFeatures
from keras_recs.text.encoder import TextEncoder, unit_rows

#: Interest -> how we describe it, in English and in Chinese. Zero-shot: nobody labels an example.
TAGS = {
    "science fiction": (
        "science fiction: space ships, aliens, robots, time travel and the future",
        "科幻：宇宙飞船、外星人、机器人、时间旅行和未来世界",
    ),
    "action": (
        "action: fights, chases, explosions, stunts and martial arts",
        "动作：打斗、追车、爆炸、特技和武术",
    ),
    "comedy": (
        "comedy: jokes, pranks, misunderstandings and things that make me laugh",
        "喜剧：笑话、恶作剧、误会，让人哈哈大笑",
    ),
    "romance": (
        "romance: falling in love, couples, first kisses and broken hearts",
        "爱情：坠入爱河、恋人、初吻和心碎",
    ),
    "horror": (
        "horror: ghosts, monsters, fear in the dark and haunted houses",
        "恐怖：鬼魂、怪物、黑暗中的恐惧和闹鬼的老宅",
    ),
    "mystery": (
        "mystery: detectives, clues, a murder to solve and a twist at the end",
        "悬疑：侦探、线索、谋杀谜案和出人意料的结局",
    ),
    "crime": (
        "crime: gangsters, robbers, swindlers, hit men and corrupt police",
        "犯罪：黑帮、抢劫、骗子、杀手和腐败的警察",
    ),
    "adventure": (
        "fantasy and adventure: magic, dragons, legends, treasure and long journeys",
        "奇幻冒险：魔法、巨龙、神话传说、宝藏和远方的旅程",
    ),
    "family": (
        "family and animation: cartoons, fairy tales and talking animals for children",
        "家庭动画：动画片、童话、会说话的动物，适合孩子",
    ),
    "music": (
        "music: singers, songs, bands, dance and the stage",
        "音乐：歌手、歌曲、乐队、舞蹈和舞台",
    ),
    "history": (
        "history and war: soldiers, battles, kings and lives of the past",
        "历史战争：士兵、战役、帝王和过去的年代",
    ),
    "drama": (
        "quiet drama: everyday life, family ties, silence, loneliness and growing old",
        "文艺剧情：日常生活、亲情、沉默、孤独和衰老",
    ),
    "the sea": (
        "the sea: sailors, ships, storms, islands, divers and shipwrecks",
        "大海：水手、轮船、风暴、海岛、潜水和沉船",
    ),
    "school": (
        "school: teachers, pupils, classrooms, exams and growing up",
        "校园：老师、学生、课堂、考试和成长",
    ),
    "parents and children": (
        "kin: fathers, mothers, sons, daughters, brothers, sisters and home",
        "亲人：父母、儿女、兄弟姐妹和一个家",
    ),
    "money": (
        "money: the rich, the poor, debts, business, greed and loot",
        "金钱：富人、穷人、债务、生意、贪婪和赃款",
    ),
    "power": (
        "power: rulers, courts, politics, law, conspiracies and rebels",
        "权力：统治者、法庭、政治、法律、阴谋和反抗",
    ),
    "contest": (
        "contests: sport, boxing, races, training, rivals and the final",
        "比赛：体育、拳击、赛跑、训练、对手和决赛",
    ),
    "the stage": (
        "the stage: actors, film makers, theatre, artists, fame and rehearsals",
        "舞台：演员、导演、剧院、艺术家、成名和排练",
    ),
    "the road": (
        "the road: cars, trains, drifters, borders and people on the run",
        "旅途：汽车、火车、流浪者、边境和逃亡的人",
    ),
    "the wild": (
        "the wild: mountains, deserts, jungles, snow and survival far from people",
        "荒野：高山、沙漠、丛林、冰雪和野外求生",
    ),
    "animals": (
        "animals: dogs, horses, sharks, apes, birds and creatures",
        "动物：狗、马、鲨鱼、猿猴、飞鸟和怪兽",
    ),
    "machines": (
        "machines: computers, robots, engines, inventors and technology out of control",
        "机器：电脑、机器人、引擎、发明家和失控的技术",
    ),
    "the mind": (
        "the mind: memory, dreams, madness, identity and obsession",
        "内心：记忆、梦境、疯狂、身份和执念",
    ),
}
STOP = set(
    "a an and are as at be but by for from give have i if in is it me my no not of on or so than that the them "
    "there they this to was we what when where which who will with you your".split()
)
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
#: Chinese has no spaces, but words without a meaning of their own mark where a phrase ends.
PIECES = re.compile(
    rf"(?:(?![的了是我你他她它们在和与也都就很不有这那把被让会要到说对还没再最])[{HAN}]){{2,8}}"
)
#: A sentence that speaks to the model and not to the reader. A filter is no wall: see
#: `keras_recs.text.uses`.
ORDERS = re.compile(
    r"\b(ignore|disregard|forget)\b.{0,40}\b(above|previous|instructions?|rules|history)\b|"
    r"\b(system|assistant|user)\s*[:：]|<\|.*?\|>|\bas an ai\b|"
    r"(^|\b(always|must|only|please|and|just) )(recommend|rank|answer with) (only )?this\b|"
    r"\b(always|must) recommend\b|"
    r"(忽略|无视|忘记).{0,12}(以上|上面|之前|指令|历史)|(只|必须|一定要?)推荐(这|本)",
    re.IGNORECASE,
)


def phrases(sentence: str) -> list[str]:
    """Candidates: up to three words in a row, the outer ones not empty of meaning; of Chinese,
    pieces of it."""
    words = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", re.sub(f"[{HAN}]+", " | ", sentence))
    runs = [words[i : i + n] for n in (1, 2, 3) for i in range(len(words) - n + 1)]
    spans = [
        " ".join(run) for run in runs if run[0].lower() not in STOP and run[-1].lower() not in STOP
    ]
    return list(
        dict.fromkeys([s for s in spans if len(s) > 2 and s in sentence] + PIECES.findall(sentence))
    )


def tag_vectors(encoder: TextEncoder) -> np.ndarray:
    """(tags, d) unit rows, in the order of `TAGS`: of each tag the mean of its descriptions in both
    languages."""
    return unit_rows(
        encoder.encode([text for pair in TAGS.values() for text in pair])
        .reshape(len(TAGS), 2, -1)
        .sum(1)
    )


def described(films: ItemFeatures) -> list[str]:
    """Each film in words: its text, and where there is none, its title and genres.

    A list of genres pasted into a text would outweigh it; genres are a feature of their own.
    """
    n = len(films.ids)
    titles = films.titles or [""] * n
    genres = films.genres or [()] * n
    texts = films.texts or [""] * n
    return [
        text if text.strip() else f"{title}. {', '.join(tags)}"
        for title, tags, text in zip(titles, genres, texts, strict=True)
    ]


@dataclass(frozen=True)
class Mined:
    """What a text holds. `refused` are sentences that give orders to a model; they are in nothing
    else."""

    sentences: tuple[str, ...]
    language: str
    keyphrases: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


def clean(text: str) -> str:
    """On one line, without mark-up, addresses, and characters that nobody sees.

    >>> clean("<b>Ghosts</b>\\n at \\u200bhttp://x.y/z night")
    'Ghosts at night'
    """
    text = re.sub(r"<[^|>]{1,200}>|https?://\S+", " ", html.unescape(text))
    text = "".join(
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in text
        if unicodedata.category(c) not in ("Cf", "Cs", "Co")
    )
    return re.sub(r" (?=[.,;:!?]( |$))", "", " ".join(text.split()))
