"""How a SavedModel is asked, in this process or on a server: the signatures `client`, `suggest`.

Lightness at the working size goes in, ab at the network's own resolution comes out, or what it
believes of a place. Photos travel
as strings with the batch first, so that a server may put any requests together: it joins tensors
of one shape only, and strings of photos have one, whatever the photos' sizes.
"""

import numpy as np

NAME, SUGGEST = "client", "suggest"


def inputs(lightness, hints, description, seed=0, count=1, place=None):
    """Makes the inputs for one photo.

    Args:
        lightness: Float array of shape `(1, h, w, 1)`.
        hints: Float array of shape `(1, h, w, 3)`, or None.
        description: Of the model, which says what of these it takes.
        seed: Whole number.
        count: Whole number.
        place: Shares of height and width, for the signature `SUGGEST`; None for the other.

    Returns:
        Dict of arrays; strings are of type object.
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
