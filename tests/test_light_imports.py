"""NumPy and SciPy answers are imported, fitted, saved and asked without TensorFlow."""

from __future__ import annotations

import subprocess
import sys

from keras_recs.questions import QUESTIONS

CODE = """
import sys, tempfile
import keras_recs
from keras_recs.data import load_cinema
from keras_recs.questions import QUESTIONS
data, done = load_cinema(), []
events = data.interactions
data = data.with_interactions(events.take(events.users < 40))
for q in QUESTIONS:
    for a in q.answers:
        if not a.keras:
            model = q.make(a).fit(data)
            with tempfile.TemporaryDirectory() as folder:
                model.save(f"{folder}/model")
                keras_recs.load(f"{folder}/model").recommend(data.user_ids.ids[:2], 3)
            done.append(a.name)
print(*done, sep="\\n")
assert not {"tensorflow", "keras"} & set(sys.modules), "TensorFlow was imported"
"""


def test_an_answer_without_keras_never_loads_tensorflow() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    light = [a.name for q in QUESTIONS for a in q.answers if not a.keras]
    assert done.stdout.split("\n")[:-1] == light and "ImplicitALS" in light
