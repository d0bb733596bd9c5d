"""TensorFlow imported without its start-up notes."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

# What a TensorFlow without a GPU has to say at import. `TF_CPP_MIN_LOG_LEVEL` silences what comes
# later, but these lines are written before TensorFlow reads it (tensorflow issue 100442).
NOTES = re.compile(
    rb"before absl::InitializeLog\(\)|cudart_stub|cpu_feature_guard|oneDNN custom operations|"
    rb"computation_placer|To enable the following instructions|"
    rb"Unable to register cu(FFT|DNN|BLAS) factory"
)


@contextlib.contextmanager
def without_notes() -> Iterator[None]:
    """Hold back what is written to file descriptor 2 and pass on all but the `NOTES` afterwards."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            os.write(2, b"".join(line for line in held if not NOTES.search(line)))


def import_tensorflow() -> None:
    """Import TensorFlow once, quietly."""
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # "0" brings the notes back
        if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0":
            import tensorflow  # noqa: F401
        else:
            with without_notes():
                import tensorflow  # noqa: F401
