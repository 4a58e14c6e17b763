"""The network by TensorFlow, in this process."""

from colorization.inference import full_size
from colorization.inference.engines import signature
from colorization.inference.model_folder import ModelError
from pipelines import console
from pipelines.photos.photo_files import PictureError


class SavedModelEngine:
    """Runs an exported SavedModel. See `engines`.

    Its code is its graph: load only models whose source you trust.

    Args:
        folder: Path of the version.
        description: Dict of what the exporter wrote about the model.

    Raises:
        ModelError: If the model is damaged.
    """

    def __init__(self, folder, description):
        self.description = description
        self.gives_variants = description["gives_variants"]
        self.gives_suggestions = description.get("gives_suggestions", False)
        console.import_quietly()
        import tensorflow as tf

        self._full = tf.errors.ResourceExhaustedError
        try:
            # It is kept, since its functions do not hold it.
            with console.doing("Loading the model"):
                self._model = tf.saved_model.load(str(folder))
            for name in [signature.NAME] + [signature.SUGGEST] * self.gives_suggestions:
                self._model.signatures[name]
        except (OSError, ValueError, LookupError, RuntimeError, tf.errors.OpError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise ModelError(
                f"{folder}: the model is damaged or incomplete ({reason}). Copy or export it again."
            ) from error

    def coefficients(self, lightness, hints=None):
        """Predicts one coloring."""
        return self.variants(lightness, 0, 1, hints)

    def variants(self, lightness, seed, count, hints=None):
        """Predicts several colorings."""
        inputs = signature.inputs(lightness, hints, self.description, seed, count)
        return full_size.fit(lightness, signature.ab(self._call(signature.NAME, inputs, lightness)))

    def suggest(self, lightness, place, hints=None):
        """Tells what the network believes of a place."""
        inputs = signature.inputs(lightness, hints, self.description, place=place)
        return signature.suggested(self._call(signature.SUGGEST, inputs, lightness))

    def _call(self, name, inputs, lightness):
        import tensorflow as tf

        try:
            signed = self._model.signatures[name]
            return signed(**{key: tf.constant(value) for key, value in inputs.items()})
        except self._full as error:
            height, width = lightness.shape[1:3]
            raise PictureError(
                f"A photo that the network sees at {width} x {height} pixels does not fit into "
                "memory. Close other programs, or take a model of a smaller working size."
            ) from error
