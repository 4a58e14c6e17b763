"""The signature that `colorize --server` calls: lightness at the working size in, ab out.

Law of the file: every input and output has the batch first, and photos travel as strings, so that a
server that batches may put any requests together: it joins tensors of one shape only, and strings
of photos have one, whatever the photos' sizes.

Only what the network sees and says travels, a part of a megabyte for a photo of any size; the
client does the rest, with the code that `Colorizer` does it with. What differs is rounding, since
TensorFlow orders the sums of one function differently in unlike graphs.
"""

import tensorflow as tf

NAME = "client"


def client_signature(graph):
    """Makes the signature of a model.

    Args:
        graph: A `colorization.inference.graph.ColorizationGraph`.

    Returns:
        Function of `lightness_bytes`, strings of shape `(batch,)`, each a serialized float tensor
        of shape `(height, width, 1)`: L* of a photo, best at the working size, to which it is
        brought if it has another. For models that give variants it takes `seed` and `count`, too,
        int32 of shape `(batch,)`.

        It returns a dict of `ab_bytes`, strings of shape `(batch,)`, each a serialized float tensor
        of shape `(n, h, w, 2)`: the colorings of a photo at the network's own resolution, `count`
        at most, the likeliest first; and of `working_size` and `size_multiple`, int32 of shape
        `(batch,)`, by which the client makes the working size of its next photo.
    """

    def client(lightness_bytes, seed=None, count=None):
        batch = tf.shape(lightness_bytes)
        # Without variants the numbers go unused.
        numbers = [tf.ones(batch, tf.int32) if one is None else one for one in (seed, count)]
        colorings = tf.map_fn(
            lambda inputs: tf.io.serialize_tensor(_colorings(graph, *inputs)),
            (lightness_bytes, *numbers),
            fn_output_signature=tf.string,
        )
        return {
            "ab_bytes": colorings,
            "working_size": tf.fill(batch, graph._working_size),
            "size_multiple": tf.fill(batch, graph._size_multiple),
        }

    return client


def _colorings(graph, data, seed, count):
    """Colorings of one photo as ab, `(n, h, w, 2)`."""
    lightness = tf.ensure_shape(tf.io.parse_tensor(data, tf.float32), [None, None, 1])
    # What has the size comes through this as it is.
    size = graph._working_shape(tf.shape(lightness)[0], tf.shape(lightness)[1])
    lightness = tf.image.resize(lightness[None], size, antialias=True)
    if not graph.gives_variants:
        return graph._codec.ab(graph._say(lightness))
    return tf.cond(
        count > 1,
        lambda: graph.colorings(lightness, seed, count),
        lambda: graph._codec.ab(graph._say(lightness)),
    )
