"""`python -m keras_recs`, the same as the command `keras-recs`."""

from keras_recs.cli import main

main()
