"""The networks of published figures, through their own packages: LPIPS, and FID's Inception.

They need the extra `perceptual`.
"""

import importlib
import threading

import numpy as np

from colorization.evaluation import EvaluationError
from colorization.evaluation.features import Features, digest, euclidean
from pipelines.errors import first_line


def open_fidelity(path):
    """Opens the Inception that FID was defined on, as torch-fidelity holds it, resizing with it.

    Its figures are called `fid` and `kid`. `path` is of its weights, as torch-fidelity takes them;
    None downloads them, once. It is a pickle, which may run code: take only files whose source you
    trust. Raises `EvaluationError` if the package is missing or the weights can't be had.
    """
    _import("torch_fidelity")
    from torch_fidelity import feature_extractor_inceptionv3 as inception

    network = _opened(
        "torch-fidelity",
        path,
        lambda: inception.FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=path
        ),
    )
    torch = _import("torch")
    lock = threading.Lock()

    def extract(picture):
        batch = torch.from_numpy(np.moveaxis(picture, -1, 0)[None].copy())
        # Its layers keep notes of the call in progress.
        with lock, torch.inference_mode():
            return network(batch)[0][0].numpy()

    return Features(
        name="torch-fidelity",
        protocol={
            "network": "Inception of 2015-12-05 by torch-fidelity, layer 2048",
            "input": "299 x 299 as in TensorFlow 1",
            "weights_sha256": _digest(network),
        },
        extract=extract,
        distance=euclidean(extract),
        is_standard=True,
    )


def open_lpips(path):
    """Opens LPIPS 0.1 over AlexNet, the authors' own choice for measuring.

    It gives no vectors; its figure is called `lpips-alex`. `path` is of AlexNet's weights, as
    torchvision publishes them; None downloads them, once. Errors are as of `open_fidelity`.

    Source: Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric",
    2018.
    """
    package, torch = _import("lpips"), _import("torch")

    def build():
        network = package.LPIPS(net="alex", pnet_rand=path is not None, verbose=False)
        if path is not None:
            _fill_alexnet(network.net, torch.load(path, map_location="cpu", weights_only=True))
        return network.eval()

    network = _opened("lpips", path, build)

    def distance(picture, other):
        pair = [
            torch.from_numpy(np.moveaxis(x, -1, 0)[None] / np.float32(127.5) - 1)
            for x in (picture, other)
        ]
        with torch.inference_mode():
            return float(network(*pair))

    return Features(
        name="lpips-alex",
        protocol={
            "network": "LPIPS 0.1, AlexNet",
            "input": "the picture's own size",
            "weights_sha256": _digest(network),
        },
        extract=None,
        distance=distance,
    )


def _fill_alexnet(slices, weights):
    """Spreads torchvision's AlexNet over the five slices that LPIPS cuts it into."""
    for index in range(1, 6):
        part = getattr(slices, f"slice{index}")
        own = {name: weights[f"features.{name}"] for name in part.state_dict()}
        part.load_state_dict(own)


def _import(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise EvaluationError(
            f"The package {error.name or name} is missing. Install what published figures need: "
            "pip install 'colorization[perceptual]'."
        ) from error


def _opened(name, path, build):
    try:
        return build()
    # Both packages raise any error of the packages below them.
    except Exception as error:
        reason = first_line(error)
        what = f"{path}: these are no weights of it" if path else "its weights can't be downloaded"
        raise EvaluationError(
            f"{name}: {what} ({reason}). Set --features={name}:FILE to a file of them."
        ) from error


def _digest(network):
    return digest(tensor.numpy() for tensor in network.state_dict().values())
