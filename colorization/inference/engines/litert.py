"""The network by LiteRT (TensorFlow Lite): a second sooner at the start than TensorFlow itself."""

import contextlib
import queue

import cv2
import numpy as np
from ai_edge_litert import interpreter

from colorization.inference import drawing, full_size
from colorization.inference.model_folder import ModelError
from pipelines import console
from pipelines.errors import first_line


class LiteRTEngine:
    """Runs a file that `colorization.export` wrote for LiteRT. See `model_folder`.

    Raises `ModelError` if the file is damaged.
    """

    def __init__(self, path, description):
        self.description = description
        self._path = path
        # An interpreter serves one thread at a time. The one used last comes first: a photo of the
        # same size as the last one needs no new plan of memory.
        self._idle = queue.LifoQueue()
        try:
            # LiteRT announces once what it computes with. Later interpreters are made by threads,
            # and what others say meanwhile must not be silenced with it.
            with console.silence_stderr():
                first = self._interpreter()
            self._idle.put(first)
            # Places, not the signature itself: called, it would copy all outputs, and while it is
            # kept an interpreter takes no other sizes.
            signature = first.get_signature_runner("serving_default")
            self._inputs = _places(signature.get_input_details())
            self._outputs = _places(signature.get_output_details())
        except (OSError, ValueError, RuntimeError) as error:
            reason = first_line(error)
            raise ModelError(
                f"{path}: the model is damaged or incomplete ({reason}). Copy or export it again."
            ) from error
        self.gives_variants = self.gives_suggestions = "logits" in self._outputs

    def coefficients(self, lightness, hints=None):
        """Predicts one coloring."""
        return self._run("coefficients", lightness, hints)

    def variants(self, lightness, seed, count, hints=None):
        """Predicts several colorings, of a model whose network predicts a distribution."""
        logits = self._run("logits", lightness, hints)[0]
        small = cv2.resize(lightness[0], logits.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        temperature = self.description["temperature"]
        ab = drawing.sample(small[..., None], logits, temperature, seed, count)
        return full_size.fit(lightness, ab * np.float32(self.description.get("saturation", 1)))

    def suggest(self, lightness, place, hints=None):
        """Tells what the network believes of a place."""
        logits = self._run("logits", lightness, hints)[0]
        shape = logits.shape[:2]
        row, column = (min(int(at * size), size - 1) for at, size in zip(place, shape, strict=True))
        ab, shares = drawing.likely_colors(drawing.softmax(logits[row, column]))
        return ab * np.float32(self.description.get("saturation", 1)), shares

    def _run(self, output, lightness, hints):
        inputs = {"lightness": lightness}
        if self.description.get("takes_hints"):
            nothing = np.zeros((*lightness.shape[:3], 3), np.float32)
            inputs["hints"] = nothing if hints is None else hints
        with self._lent() as network:
            for name, value in inputs.items():
                network.resize_tensor_input(self._inputs[name], value.shape)
            network.allocate_tensors()
            for name, value in inputs.items():
                network.set_tensor(self._inputs[name], value)
            network.invoke()
            return network.get_tensor(self._outputs[output])

    @contextlib.contextmanager
    def _lent(self):
        try:
            network = self._idle.get_nowait()
        except queue.Empty:
            network = self._interpreter()
        try:
            yield network
        finally:
            self._idle.put(network)

    def _interpreter(self):
        threads = max(1, cv2.getNumThreads())
        network = interpreter.Interpreter(str(self._path), num_threads=threads)
        network.allocate_tensors()
        return network


def _places(details):
    return {name: detail["index"] for name, detail in details.items()}
