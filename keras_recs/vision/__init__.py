"""What a network trained on photographs sees in a picture, as features for a recommender."""

from keras_recs.vision.network import STAGES, image_features, squeezenet

__all__ = ["STAGES", "image_features", "squeezenet"]
