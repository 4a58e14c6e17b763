"""Weights of a SqueezeNet with the layout of the published file, drawn at random."""

import h5py
import numpy as np
import pytest

FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))


@pytest.fixture(scope="session")
def squeezenet_weights():
    """Dict of a kernel and a bias for each layer, in the names of the Caffe model."""
    random, channels, weights = np.random.default_rng(0), 64, {}

    def draw(name, size, inputs, outputs):
        kernel = random.normal(
            0, np.sqrt(2 / (size * size * inputs)), (size, size, inputs, outputs)
        )
        bias = random.normal(0, 0.1, outputs)
        weights[name] = kernel.astype(np.float32), bias.astype(np.float32)

    draw("conv1", 3, 3, 64)
    for number, (squeeze, expand) in enumerate(FIRES, 2):
        draw(f"fire{number}/squeeze1x1", 1, channels, squeeze)
        draw(f"fire{number}/expand1x1", 1, squeeze, expand)
        draw(f"fire{number}/expand3x3", 3, squeeze, expand)
        channels = 2 * expand
    return weights


@pytest.fixture(scope="session")
def squeezenet_file(squeezenet_weights, tmp_path_factory):
    """Path of these weights as Keras 2 wrote them."""
    path = tmp_path_factory.mktemp("weights") / "squeezenet.h5"
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in squeezenet_weights.items():
            group = file.create_group(name)
            # As there: the last part of a name again, and kernels under any name.
            group[f"{name.split('/')[0]}/{name.split('/')[-1]}_b"] = bias
            group["uniform7"] = kernel
    return path
