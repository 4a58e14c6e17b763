"""The network by TensorFlow, in this process, and how a SavedModel is asked, here or on a server.

Of the signatures `client` and `suggest`, lightness at the working size goes in; ab at the network's
own resolution comes out, or what it believes of a place. Photos travel as strings with the batch
first, so that a server may put any requests together: it joins tensors of one shape only, and
strings of photos have one, whatever the photos' sizes.
"""

import numpy as np

from colorization.inference import full_size
from colorization.inference.model_folder import ModelError
from pipelines import console
from pipelines.errors import first_line
from pipelines.photos.photo_files import PictureError

NAME, SUGGEST = "client", "suggest"


class SavedModelEngine:
    """Runs an exported SavedModel. See `model_folder`.

    Its code is its graph: load only models whose source you trust. Raises `ModelError` if it is
    damaged.
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
            for name in [NAME] + [SUGGEST] * self.gives_suggestions:
                self._model.signatures[name]
        except (OSError, ValueError, LookupError, RuntimeError, tf.errors.OpError) as error:
            reason = first_line(error)
            raise ModelError(
                f"{folder}: the model is damaged or incomplete ({reason}). Copy or export it again."
            ) from error

    def coefficients(self, lightness, hints=None):
        """Predicts one coloring."""
        return self.variants(lightness, 0, 1, hints)

    def variants(self, lightness, seed, count, hints=None):
        """Predicts several colorings."""
        given = inputs(lightness, hints, self.description, seed, count)
        return full_size.fit(lightness, ab(self._call(NAME, given, lightness)))

    def suggest(self, lightness, place, hints=None):
        """Tells what the network believes of a place."""
        given = inputs(lightness, hints, self.description, place=place)
        return suggested(self._call(SUGGEST, given, lightness))

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


def inputs(lightness, hints, description, seed=0, count=1, place=None):
    """Makes the inputs for one photo: a dict of arrays, strings of type object.

    `lightness` is of shape `(1, h, w, 1)`, `hints` are None or of shape `(1, h, w, 3)`;
    `description` says what of the others the model takes. `place` has shares of height and width,
    for the signature `SUGGEST`; None for the other.
    """
    import tensorflow as tf

    found = {"lightness_bytes": np.array([tf.io.serialize_tensor(lightness[0]).numpy()], object)}
    if place is not None:
        found["place"] = np.array([place], np.float32)
    elif description["gives_variants"]:
        found |= {"seed": np.array([seed], np.int32), "count": np.array([count], np.int32)}
    if description.get("takes_hints"):
        shown = np.zeros([1, 1, 3], np.float32) if hints is None else hints[0]
        found["hints_bytes"] = np.array([tf.io.serialize_tensor(shown).numpy()], object)
    return found


def ab(answer):
    """Ab of each coloring, `(n, h, w, 2)`, of the outputs for one photo."""
    import tensorflow as tf

    return tf.io.parse_tensor(answer["ab_bytes"][0], tf.float32).numpy()


def suggested(answer):
    """Ab, `(n, 2)`, and shares, `(n,)`, of the outputs of `SUGGEST` for one photo."""
    return np.asarray(answer["ab"][0]), np.asarray(answer["shares"][0])
