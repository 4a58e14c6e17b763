"""What a graph does around the network: restores contrast before it, smooths and enlarges after it.

Tensors are float32, `(batch, height, width, channels)`; L* is in `[0, 100]`, ab in CIE units. Pure
functions that run in a graph, for any height and width from 1 up. `full_size` is the twin of the
enlargement for arrays.

Chroma is predicted coarsely, lightness is known at every pixel. At the working size each pixel
takes the chroma of those cells around it that are as light as it is. From there on `ab = slope * L
+ intercept`: slope and intercept may be enlarged bilinearly, and the photo's full-size lightness
puts the edges back where they are.

Sources: Kopf, Cohen, Lischinski, Uyttendaele, "Joint Bilateral Upsampling", SIGGRAPH 2007; the
slopes are those of He, Sun, Tang, "Guided Image Filtering", TPAMI 2013, equations 5 and 8; enlarged
as in He, Sun, "Fast Guided Filter", arXiv:1505.00996.
"""

import tensorflow as tf

from colorization.inference.full_size import EPSILON, LEAST_SHARE, RADIUS, SIMILAR

COMMON_RANGE, FLAT_RANGE = 80.0, 10.0
LIGHTNESS_STEP, TEXTURE_STEP, AB_STEP = 6.0, 1.0, 24.0
# Standard deviation of L* of a place that is no longer flat.
FLAT_TEXTURE = 5.0


def restore_contrast(lightness):
    """Widens the range of L*, of shape `(batch, height, width, 1)`, to what photos commonly have.

    Photos whose L* ranges over `COMMON_RANGE` and more, the darkest and the lightest hundredth left
    out, come back as they are, and so do photos of less than `FLAT_RANGE`, in which there is
    nothing to be seen.
    """
    batch = tf.shape(lightness)[0]
    levels = tf.clip_by_value(tf.cast(tf.round(lightness * 2), tf.int32), 0, 200)
    places = tf.reshape(levels + 201 * tf.range(batch)[:, None, None, None], [-1, 1])
    # A histogram of operations that LiteRT knows, too.
    counts = tf.scatter_nd(places, tf.ones_like(places[:, 0], tf.float32), [batch * 201])
    counts = tf.reshape(counts, [batch, 201])
    shares = tf.cumsum(counts / tf.reduce_sum(counts, axis=-1, keepdims=True), axis=-1)
    darkest, lightest = (
        tf.cast(tf.argmax(tf.cast(shares >= share, tf.int32), axis=-1), tf.float32) / 2
        for share in (0.01, 0.99)
    )
    darkest, lightest = darkest[:, None, None, None], lightest[:, None, None, None]
    extent, middle = lightest - darkest, (lightest + darkest) / 2
    gain = tf.where(extent < FLAT_RANGE, 1.0, tf.maximum(COMMON_RANGE / extent, 1.0))
    restored = (lightness - middle) * gain + 50 + (middle - 50) / gain
    return tf.clip_by_value(restored, 0.0, 100.0)


def box_mean(image, radius):
    """Averages over square windows, `2 * radius + 1` wide; at the border, over the part inside."""
    size = 2 * radius + 1
    # Padding of "SAME" pooling is left out of the mean, and a mean of means is exact here because
    # the windows are rectangles also where the border cuts them.
    image = tf.nn.avg_pool2d(image, [size, 1], strides=1, padding="SAME")
    return tf.nn.avg_pool2d(image, [1, size], strides=1, padding="SAME")


def shrink_sharply(images, size):
    """Shrinks what the network is to see, by a filter that keeps it sharp.

    A network that learned from pictures as cameras and programs shrink them takes softer ones for
    old prints. Of numbers of any type and shape `(batch, height, width, channels)` it returns
    float32 of shape `(batch, h, w, channels)`, at edges a little beyond the range. `size` is
    `(h, w)`.
    """
    return tf.image.resize(images, size, "lanczos3", antialias=True)


def shrink(images, size):
    """Averages as `tf.image.resize` does with `antialias`, by operations that LiteRT has.

    `size` is an int32 tensor, `(h, w)`, no larger than the images.
    """
    batch, height, width, channels = tf.unstack(tf.shape(images))
    rows = tf.reshape(images, [batch, height, width * channels])
    narrow = tf.reshape(
        tf.matmul(_shrinking_weights(height, size[0]), rows), [batch, size[0], width, channels]
    )
    small = tf.matmul(_shrinking_weights(width, size[1]), narrow)
    small.set_shape([None, None, None, images.shape[-1]])
    return small


def _shrinking_weights(length, new_length):
    """Shares of `length` values in each of fewer: triangles as wide as two of the new ones."""
    step = tf.cast(length, tf.float32) / tf.cast(new_length, tf.float32)
    centers = (tf.range(tf.cast(new_length, tf.float32)) + 0.5) * step - 0.5
    distances = tf.abs(centers[:, None] - tf.range(tf.cast(length, tf.float32)))
    weights = tf.nn.relu(1 - distances / step)
    return weights / tf.reduce_sum(weights, axis=-1, keepdims=True)


def places(height, width):
    """Row and column of each place: a float tensor of shape `(height, width, 2)`."""
    grid = tf.meshgrid(tf.range(height), tf.range(width), indexing="ij")
    return tf.cast(tf.stack(grid, axis=-1), tf.float32)


def average_alike(lightness, ab, prediction, reach):
    """Averages predictions over the places of a photo that are flat and look alike.

    A network paints a wall in patches, since it says of each place what it likes best there. Places
    look alike if they are near, and near in lightness, in predicted color and in texture, the
    standard deviation of L* within three cells of the prediction. They are averaged as by a
    bilateral filter, over means of four cells: these are as good, and take a quarter of the time.
    Where texture reaches `FLAT_TEXTURE` there are things, not walls, and the network is right to
    tell them apart.

    `lightness` is L*; `ab`, what is predicted, and `prediction`, of any channels, are of one size,
    no larger. `reach` is the standard deviation of the distances, as a share of the short side.
    Returns a tensor of the shape of `prediction`.

    Source: after Tomasi, Manduchi, "Bilateral filtering for gray and color images", ICCV 1998.
    """
    batch, height, width, channels = tf.unstack(tf.shape(prediction))
    moments = tf.concat([lightness, lightness**2], axis=-1)
    moments = shrink(moments, [height, width])
    mean, square = tf.split(box_mean(moments, 1), 2, axis=-1)
    texture = tf.sqrt(tf.nn.relu(square - mean**2))
    step = reach * tf.cast(tf.minimum(height, width), tf.float32)
    place = tf.repeat(places(height, width)[None] / step, batch, axis=0)
    looks = [moments[..., :1] / LIGHTNESS_STEP, texture / TEXTURE_STEP, ab / AB_STEP, place]
    looks = tf.concat(looks, axis=-1)
    others, said = (
        tf.nn.avg_pool2d(image, 2, strides=2, padding="SAME") for image in (looks, prediction)
    )
    looks, others = (tf.reshape(image, [batch, -1, 6]) for image in (looks, others))
    # Squared distances, less what all of a row have in common.
    unlike = tf.reduce_sum(others**2, axis=-1)[:, None] / 2
    alike = tf.nn.softmax(tf.matmul(looks, others, transpose_b=True) - unlike)
    averaged = tf.matmul(alike, tf.reshape(said, [batch, -1, prediction.shape[-1]]))
    averaged = tf.reshape(averaged, [batch, height, width, channels])
    flatness = tf.exp(-tf.square(texture / FLAT_TEXTURE))
    return prediction + (averaged - prediction) * flatness


def fit(lightness, ab):
    """Fits chroma as a local linear function of lightness.

    `lightness` is L*, `(batch, height, width, 1)`; `ab` is of its size or smaller. Returns
    coefficients, `(batch, height, width, 4)`: the slopes of a and b, then their intercepts at L* =
    0. At this lightness they give `enlarge_alike` of `ab`; what a larger copy of the photo adds in
    lightness, an edge or a line, adds chroma by the slope that the two have in windows around it.
    """
    ab = enlarge_alike(lightness, ab)
    slope = slopes(lightness, ab)
    return tf.concat([slope, ab - slope * lightness], axis=-1)


def enlarge_alike(lightness, values):
    """Enlarges values, `(batch, h, w, channels)`, to the size of `lightness`, `(batch, H, W, 1)`.

    Each pixel takes from the four cells around it, by how near they are, as in a bilinear
    enlargement, and by how alike they are in lightness: differences of `SIMILAR` are a standard
    deviation. So a color ends where what it belongs to ends. Where all is alike, this is bilinear.
    """
    _, height, width, _ = tf.unstack(tf.shape(lightness))
    _, rows, columns, _ = tf.unstack(tf.shape(values))
    cells = tf.concat([values, shrink(lightness, [rows, columns])], axis=-1)
    total, weights = 0.0, 0.0
    for row, row_share in _neighbors(rows, height):
        for column, column_share in _neighbors(columns, width):
            cell = tf.gather(tf.gather(cells, row, axis=1), column, axis=2)
            unlike = tf.square((lightness - cell[..., -1:]) / SIMILAR)
            near = row_share[:, None, None] * column_share[:, None]
            weight = near * (tf.exp(-unlike / 2) + LEAST_SHARE)
            total += weight * cell[..., :-1]
            weights += weight
    return total / weights


def _neighbors(length, new_length):
    """The two of `length` cells around each of more pixels: pairs of their numbers and shares."""
    step = tf.cast(length, tf.float32) / tf.cast(new_length, tf.float32)
    places = (tf.range(tf.cast(new_length, tf.float32)) + 0.5) * step - 0.5
    places = tf.clip_by_value(places, 0.0, tf.cast(length - 1, tf.float32))
    first = tf.floor(places)
    share = places - first
    first = tf.cast(first, tf.int32)
    return (first, 1 - share), (tf.minimum(first + 1, length - 1), share)


def slopes(lightness, ab, radius=RADIUS, epsilon=EPSILON):
    """The slopes of chroma over lightness of the same size: `(batch, height, width, 2)`.

    Windows reach `radius` pixels from their centers; the slopes of all windows that hold a pixel
    are averaged. `epsilon` is the variance of L* below which a window counts as flat, in L* units
    squared.
    """
    mean_lightness, mean_ab = box_mean(lightness, radius), box_mean(ab, radius)
    variance = box_mean(lightness**2, radius) - mean_lightness**2
    covariance = box_mean(lightness * ab, radius) - mean_lightness * mean_ab
    return box_mean(covariance / (tf.maximum(variance, 0.0) + epsilon), radius)


def enlarge_rows(coefficients, top, num_rows, height, width):
    """Enlarges coefficients bilinearly to `height` by `width`, and returns some rows of the result.

    These are `num_rows` from `top` on, the same as those of the whole enlargement, pixel centers
    aligned as in `tf.image.resize`.
    """
    rows = slice(top, top + num_rows)
    (above, _), (below, share) = _neighbors(tf.shape(coefficients)[1], height)
    upper = tf.gather(coefficients, above[rows], axis=1)
    lower = tf.gather(coefficients, below[rows], axis=1)
    share = share[rows][:, None, None]
    return tf.image.resize(upper + (lower - upper) * share, [num_rows, width])


def apply(lightness, coefficients):
    """Computes ab from lightness and coefficients of the same size, as `fit` returns them."""
    slope, intercept = tf.split(coefficients, 2, axis=-1)
    return slope * lightness + intercept
