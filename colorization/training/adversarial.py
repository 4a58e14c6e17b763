"""Adversarial training of a generator and a discriminator with two optimizers."""

import keras
import tensorflow as tf

from colorization.models import layers

# Phase: whether a step updates the generator, and the discriminator.
PHASES = {
    "pretraining": (True, False),
    "both": (True, True),
    "generator": (True, False),
    "discriminator": (False, True),
}
# What is drawn in a step.
_NOISE, _FACTORS, _REAL_LABELS, _FAKE_LABELS = range(4)


class AdversarialModel(keras.Model):
    """Trains a conditional generator against a discriminator.

    A step first updates the discriminator on a real and a generated target, then the generator on
    the adversarial loss and the distance to the target; `phase`, one of `PHASES`, decides
    which of the two. While it is `"pretraining"` the generator trains on the distance alone.

    Args:
        generator: Model from `condition`, or `[condition, noise]`, to a prediction in the target's
            space.
        discriminator: Model from `[condition, target]`, or from what `shown` of `compile` makes of
            them, to logits of any shape.

    Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", 2017.
    """

    def __init__(self, generator, discriminator):
        super().__init__(name="adversarial")
        self.generator = generator
        self.discriminator = discriminator
        self.phase = "both"
        names = ("loss", "generator_loss", "discriminator_loss", "penalty", "distance", "extra")
        self._means = {name: keras.metrics.Mean(name) for name in names}
        # Both networks are built; Keras would otherwise build by calling on a batch, which a
        # distributed batch cannot do.
        self.built = True

    def compile(
        self,
        optimizer,
        discriminator_optimizer,
        adversarial_loss,
        distance,
        weight,
        *,
        shown=None,
        extra=None,
        penalty_weight=0.0,
        label_smoothing=0.0,
        seed=0,
        **kwargs,
    ):
        """Sets optimizers and losses, and builds the optimizers so that checkpoints hold them.

        Args:
            optimizer: That of the generator.
            discriminator_optimizer: That of the discriminator.
            adversarial_loss: Pair of functions `discriminator(real_logits, fake_logits)` and
                `generator(fake_logits)`.
            distance: Function of `(target, prediction)`.
            weight: Weight of the distance beside the adversarial loss of the generator.
            shown: Function of `(condition, target, prediction)` to a pair: what the discriminator
                takes for the target, and what for the prediction. Default: `[condition, target]`
                and `[condition, prediction]`.
            extra: Function of `(condition, target, prediction)`: a further term of the
                generator's loss, such as a perceptual one.
            penalty_weight: Weight of the gradient penalty of the discriminator.
            label_smoothing: Real labels are drawn from U(1 - label_smoothing, 1) and fake ones from
                U(0, label_smoothing), for each picture; if it is not 0, the first function of
                `adversarial_loss` takes them as `real_labels` and `fake_labels`.
            seed: Of noise, labels and interpolation.
            **kwargs: For `keras.Model.compile`.
        """
        super().compile(optimizer=optimizer, **kwargs)
        self.discriminator_optimizer = discriminator_optimizer
        self.discriminator_loss, self.generator_loss = adversarial_loss
        self.distance, self.weight, self.extra = distance, weight, extra
        self.shown = shown or _beside_condition
        self.penalty_weight, self.label_smoothing = penalty_weight, label_smoothing
        self.seed = seed
        self.optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    @property
    def metrics(self):
        """Means over an epoch: the losses of both networks, and their parts."""
        return list(self._means.values())

    def call(self, condition, training=False):
        return layers.generate(self.generator, condition, training=training)

    def make_train_function(self, force=False):
        """Makes the function of a step, which depends on the current phase.

        `train_step` is traced once, and what it updates is a Python value: every phase has a
        trace of its own.
        """
        if self.train_function is not None and not force:
            return self.train_function
        functions = {}

        def step(iterator):
            if self.phase not in functions:
                super(AdversarialModel, self).make_train_function(force=True)
                functions[self.phase], self.train_function = self.train_function, step
            return functions[self.phase](iterator)

        self.train_function = step
        return step

    def train_step(self, data):
        condition, target = data[:2]
        updates_generator, updates_discriminator = PHASES[self.phase]
        variables = self.generator.trainable_variables
        losses = {}
        with tf.GradientTape() as tape:
            size, noise = layers.noise_size(self.generator), None
            if size:
                noise = normal(self._seed(_NOISE), [tf.shape(condition)[0], size])
            prediction = layers.generate(self.generator, condition, noise, training=True)
            batch = condition, target, prediction
            shown = None if self.phase == "pretraining" else self.shown(*batch)
            if updates_discriminator:
                with tape.stop_recording():
                    losses |= self._update_discriminator(*shown, *batch)
            if updates_generator:
                losses |= self._generator_losses(shown, *batch)
                scaled = self.optimizer.scale_loss(_share_of_replica(losses["loss"]))
        if updates_generator:
            self.optimizer.apply(tape.gradient(scaled, variables), variables)
        return self._record(**losses)

    def test_step(self, data):
        """Measures the distance alone: it is the loss that means the same in every phase."""
        condition, target = data[:2]
        distance = tf.reduce_mean(self.distance(target, self(condition)))
        self._record(loss=distance, distance=distance)
        return {name: self._means[name].result() for name in ("loss", "distance")}

    def _generator_losses(self, shown, condition, target, prediction):
        distance = tf.reduce_mean(self.distance(target, prediction))
        losses = {"distance": distance, "loss": self.weight * distance}
        if self.extra is not None:
            losses["extra"] = self.extra(condition, target, prediction)
            losses["loss"] += losses["extra"]
        if self.phase != "pretraining":
            fake_logits = self.discriminator(shown[1], training=True)
            losses["generator_loss"] = self.generator_loss(fake_logits)
            losses["loss"] += losses["generator_loss"]
        return losses

    def _update_discriminator(self, real, fake, condition, target, prediction):
        variables = self.discriminator.trainable_variables
        with tf.GradientTape() as tape:
            real_logits = self.discriminator(real, training=True)
            fake_logits = self.discriminator(fake, training=True)
            smoothing, labels = self.label_smoothing, {}
            if smoothing:
                shape = [tf.shape(real_logits)[0]] + [1] * (real_logits.shape.rank - 1)
                labels["real_labels"] = uniform(self._seed(_REAL_LABELS), shape, 1 - smoothing, 1)
                labels["fake_labels"] = uniform(self._seed(_FAKE_LABELS), shape, 0, smoothing)
            loss = self.discriminator_loss(real_logits, fake_logits, **labels)
            losses = {"discriminator_loss": loss}
            if self.penalty_weight:
                factors = uniform(self._seed(_FACTORS), [tf.shape(target)[0], 1, 1, 1])
                losses["penalty"] = gradient_penalty(
                    self.discriminator, condition, target, prediction, factors
                )
                loss += self.penalty_weight * losses["penalty"]
            scaled = self.discriminator_optimizer.scale_loss(_share_of_replica(loss))
        self.discriminator_optimizer.apply(tape.gradient(scaled, variables), variables)
        return losses

    def _seed(self, purpose):
        steps = self.optimizer.iterations, self.discriminator_optimizer.iterations
        return step_seed(self.seed, purpose, *map(tf.convert_to_tensor, steps))

    def _record(self, **losses):
        for name, value in losses.items():
            self._means[name].update_state(value)
        # All that the epoch reports, since the last step of an epoch may be of either network.
        names = ["loss", "distance"]
        if self.phase != "pretraining":
            names += ["generator_loss", "discriminator_loss"]
        names += ["penalty"] * (self.penalty_weight > 0 and self.phase != "pretraining")
        names += ["extra"] * (self.extra is not None)
        return {name: self._means[name].result() for name in names}


def assemble_model(generator, discriminator=None):
    """The model that trains a generator, against a discriminator if there is one."""
    return generator if discriminator is None else AdversarialModel(generator, discriminator)


def _beside_condition(condition, target, prediction):
    return [condition, target], [condition, prediction]


def _share_of_replica(loss):
    # Gradients are summed over replicas, each of which gets its share of the batch.
    return loss / tf.distribute.get_strategy().num_replicas_in_sync


def gradient_penalty(discriminator, condition, real, fake, factors):
    """Squared distance from 1 of the critic's slope between real and generated targets.

    The discriminator of `[condition, target]` is without batch norm, so that a logit depends on its
    own picture alone. `factors`, of shape `(batch, 1, 1, 1)` and in `[0, 1]`, say where between
    `real`, at 0, and `fake`, at 1, each picture's slope is taken. Returns the mean over the
    pictures.

    Source: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, equation 3.
    """
    between = real + factors * (fake - real)
    with tf.GradientTape() as tape:
        tape.watch(between)
        logits = discriminator([condition, between], training=True)
    gradient = tf.cast(tape.gradient(logits, between), tf.float32)
    # Inside the root, since its slope at zero is infinite.
    norms = tf.sqrt(tf.reduce_sum(gradient**2, axis=[1, 2, 3]) + 1e-12)
    return tf.reduce_mean((norms - 1) ** 2)


def step_seed(seed, purpose, *counters):
    """Derives a seed from a run's seed, a purpose and the numbers of steps taken.

    The purpose is an integer that distinguishes what is drawn in one step. Returns int32 of shape
    `(2,)`, for TensorFlow's stateless functions.
    """
    derived = tf.constant([seed % 2**31, purpose], tf.int32)
    for counter in counters:
        derived = tf.random.fold_in(derived, tf.cast(counter, tf.int32))
    return derived


def uniform(seed, shape, low=0.0, high=1.0):
    """Draws float32 numbers from U(low, high) for this replica's share of the batch.

    The shape is that of the share, samples first; all replicas have equal shares.
    """
    return _share(tf.random.stateless_uniform, seed, shape, minval=low, maxval=high)


def normal(seed, shape):
    """Draws numbers from N(0, 1) for this replica's share of the batch, as `uniform` does."""
    return _share(tf.random.stateless_normal, seed, shape)


def _share(draw, seed, shape, **options):
    context = tf.distribute.get_replica_context()
    count, *rest = tf.unstack(tf.convert_to_tensor(shape))
    numbers = draw([count * context.num_replicas_in_sync, *rest], seed, **options)
    start = context.replica_id_in_sync_group * count
    return numbers[start : start + count]
