"""The contract of a recommender: hyperparameters, the verbs, requests, lists, saving."""
