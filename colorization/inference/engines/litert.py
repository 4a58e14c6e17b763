"""The network by LiteRT (TensorFlow Lite): a second sooner at the start than TensorFlow itself."""

import queue

import cv2
import numpy as np
from ai_edge_litert import interpreter

from colorization.inference.model_folder import ModelError
from pipelines import console


class LiteRTEngine:
    """Runs a model that `colorization.export` wrote for LiteRT. See `engines`.

    Args:
        path: Path of the file.
        description: Dict of what the exporter wrote about the model.

    Raises:
        ModelError: If the file is damaged.
    """

    gives_variants = gives_suggestions = False

    def __init__(self, path, description):
        self.description = description
        self._path = path
        # An interpreter serves one thread at a time. The one used last comes first: a photo of the
        # same size as the last one needs no new plan of memory.
        self._idle = queue.LifoQueue()
        try:
            self._idle.put(self._interpreter())
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise ModelError(
                f"{path}: the model is damaged or incomplete ({reason}). Copy or export it again."
            ) from error

    def coefficients(self, lightness, hints=None):
        """Predicts one coloring."""
        inputs = {"lightness": lightness}
        if self.description.get("takes_hints"):
            nothing = np.zeros((*lightness.shape[:3], 3), np.float32)
            inputs["hints"] = nothing if hints is None else hints
        try:
            run = self._idle.get_nowait()
        except queue.Empty:
            run = self._interpreter()
        try:
            return run(**inputs)["coefficients"]
        finally:
            self._idle.put(run)

    def _interpreter(self):
        # It announces the library that it computes with when memory is laid out for the first time.
        with console.silence_stderr():
            network = interpreter.Interpreter(
                str(self._path), num_threads=max(1, cv2.getNumThreads())
            )
            network.allocate_tensors()
        return network.get_signature_runner()
