"""What the notebooks need besides the library."""

from keras_recs.teaching.bench import Bench, Setting
from keras_recs.teaching.claims import Claim
from keras_recs.teaching.show import defect_table, goes_wrong, plot_style, show_lists, source

__all__ = [
    "Bench",
    "Claim",
    "Setting",
    "defect_table",
    "goes_wrong",
    "plot_style",
    "show_lists",
    "source",
]
