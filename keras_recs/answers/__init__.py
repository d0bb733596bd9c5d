"""One file per question: the answer, whole. `keras_recs.questions` is the list of them."""
