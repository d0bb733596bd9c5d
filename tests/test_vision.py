"""SqueezeNet by hand: its weights read safely, its images prepared as ImageNet's were, its features
the means of its maps."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_recs.data.assets import AssetError
from keras_recs.vision import STAGES, image_features, squeezenet
from keras_recs.vision.network import prepared
from keras_recs.vision.pickled import read_arrays


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(3)
    return squeezenet(side=64)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 48, 32, 3), np.uint8)


def written(model: keras.Model, path: Path) -> Path:
    """The weights of a model in the form of the published file."""
    arrays = {
        layer.name.replace("_", "/", 1): layer.get_weights()
        for layer in model.layers
        if layer.weights
    }
    path.write_bytes(pickle.dumps(arrays, protocol=3))
    return path


def test_the_network_has_the_published_size(network: keras.Model) -> None:
    """SqueezeNet 1.1 has 1,235,496 weights, of which the classifier, left out here, has 513,000."""
    assert network.count_params() == 1_235_496 - 513_000
    assert tuple(network.output) == STAGES
    assert [network.output[stage].shape[-1] for stage in STAGES] == [
        *(128, 128, 256, 256),
        *(384, 384, 512, 512),
    ]


def test_features_are_means_of_the_maps(network: keras.Model, images: np.ndarray) -> None:
    maps = network(prepared(images, 64))
    expected = np.hstack([np.mean(maps[stage], axis=(1, 2)) for stage in ("fire3", "fire8")])
    found = image_features(images, ("fire3", "fire8"), model=network, batch_size=2)
    assert found.shape == (5, 128 + 512) and found.dtype == np.float32
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-4)
    turned = image_features(images, ("fire8", "fire3"), model=network)
    assert np.allclose(turned[:, :512], expected[:, 128:], rtol=1e-4, atol=1e-4)
    assert np.std(found, axis=0).max() > 1e-3, "images differ"
    assert image_features(images[:0], ("fire3",), model=network).shape == (0, 128)


def test_images_are_prepared_as_the_network_was_trained() -> None:
    """Blue first, ImageNet's mean taken off, no scaling to one."""
    image = np.zeros((1, 2, 2, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = 200, 100, 50
    assert prepared(image, 4)[0, 1, 2] == pytest.approx(
        [50 - 104.006, 100 - 116.669, 200 - 122.679], abs=1e-4
    )


def test_weights_come_back_from_the_file(
    network: keras.Model, images: np.ndarray, tmp_path: Path
) -> None:
    again = squeezenet(side=64, weights=written(network, tmp_path / "weights.pkl"))
    expected = image_features(images, model=network)
    assert np.array_equal(image_features(images, model=again), expected)
    assert not np.allclose(image_features(images, model=squeezenet(side=64)), expected)


def test_a_file_of_another_network_is_refused(network: keras.Model, tmp_path: Path) -> None:
    arrays = read_arrays(written(network, tmp_path / "weights.pkl"))
    arrays["fire4/expand3x3"] = [array[..., :7] for array in arrays["fire4/expand3x3"]]
    file = tmp_path / "other.pkl"
    file.write_bytes(pickle.dumps(arrays, protocol=3))
    with pytest.raises(ValueError, match="fire4_expand3x3"):
        squeezenet(side=64, weights=file)
    del arrays["fire4/expand3x3"]
    file.write_bytes(pickle.dumps(arrays, protocol=3))
    with pytest.raises(ValueError, match="fire4_expand3x3"):
        squeezenet(side=64, weights=file)


class Order:
    """What a hostile pickle asks for."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("made-by-a-pickle",)


@pytest.mark.parametrize("content", [pickle.dumps({"conv1": Order()}), b"no pickle", b""])
def test_a_pickle_that_orders_anything_is_refused(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.pkl").write_bytes(content)
    with pytest.raises(ValueError, match="no pickle of arrays"):
        read_arrays(tmp_path / "weights.pkl")
    assert not (tmp_path / "made-by-a-pickle").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((2, 8, 8), np.uint8), r"images must have shape .*got \(2, 8, 8\)"),
        (np.zeros((2, 3, 8, 8), np.uint8), "images must have shape"),
        (np.zeros((2, 8, 8, 3)), "images must be uint8.*float64"),
    ],
)
def test_bad_images_are_named(network: keras.Model, wrong: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        image_features(wrong, model=network)


def test_bad_stages_and_sides_are_named(network: keras.Model, images: np.ndarray) -> None:
    for stages in (("fire1",), ()):
        with pytest.raises(ValueError, match="stages must be some of fire2"):
            image_features(images, stages, model=network)
    with pytest.raises(ValueError, match="side must be at least 32, got 8"):
        squeezenet(side=8)


def test_without_the_weights_the_message_says_how_to_go_on(
    images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(name: str) -> Path:
        raise AssetError(f"the asset {name!r} cannot be had")

    monkeypatch.setattr("keras_recs.vision.network.fetch", nothing)
    with pytest.raises(AssetError, match="squeezenet"):
        image_features(images)


@pytest.mark.assets
def test_the_trained_network_sees_more_than_colours() -> None:
    """A ring and a bar of the same colours lie farther apart than two rings of different colours."""
    rows, columns = np.mgrid[-32:32, -32:32]
    ring = abs(np.hypot(rows, columns) - 18) < 5
    bar = abs(rows + columns) < 9

    def drawn(shape: np.ndarray, ink: tuple[int, ...], paper: tuple[int, ...]) -> np.ndarray:
        return np.where(shape[..., None], ink, paper).astype(np.uint8)

    one, two = ((250, 240, 20), (20, 40, 160)), ((240, 60, 60), (230, 230, 220))
    try:
        found = image_features(
            np.stack([drawn(ring, *one), drawn(ring, *two), drawn(bar, *one)]), ("fire9",)
        )
    except AssetError as error:
        pytest.skip(f"the weights cannot be had: {error}")
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.02
