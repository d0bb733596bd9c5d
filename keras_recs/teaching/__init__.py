"""What the notebooks need besides the library."""

from keras_recs.teaching.show import defect_table, goes_wrong, plot_style, show_lists, source

__all__ = ["defect_table", "goes_wrong", "plot_style", "show_lists", "source"]
