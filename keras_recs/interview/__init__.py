"""What is said in the interview: question, 60-second answer, follow-ups and rubric, in English and
Chinese.

The texts are plain files in `texts/`, one for each question and language. Notebooks, `keras-recs
show`, `keras-recs ask` and the Anki cards are all fed from them, so that a text is mended in one
place.
"""

from keras_recs.interview.texts import (
    LANGUAGES,
    LEVELS,
    FollowUp,
    Interview,
    Level,
    Minutes,
    TextError,
    interview,
)

__all__ = [
    "LANGUAGES",
    "LEVELS",
    "FollowUp",
    "Interview",
    "Level",
    "Minutes",
    "TextError",
    "interview",
]
