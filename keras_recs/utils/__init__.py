"""What knows nothing of recommenders: checks of arguments, blocks, the best k, memory, progress."""
