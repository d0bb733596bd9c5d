"""The catalogue of the 24 questions, answers by name, and saved answers loaded again."""

from keras_recs.questions.catalogue import QUESTIONS, Answer, Question, question

__all__ = ["QUESTIONS", "Answer", "Question", "question"]
