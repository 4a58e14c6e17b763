"""Adversarial training of a generator and a discriminator with two optimizers."""

import keras
import tensorflow as tf


class AdversarialModel(keras.Model):
    """Trains a conditional generator against a discriminator.

    A step first updates the discriminator on a real and a generated target, then the generator on
    the adversarial loss and the distance to the target. While `adversarial` is false the
    generator trains on the distance alone, and the discriminator is left as it is.

    Args:
        generator: Model from `condition` to a prediction in the target's space.
        discriminator: Model from `[condition, target]` to logits of any shape.

    Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", 2017.
    """

    def __init__(self, generator, discriminator):
        super().__init__(name="adversarial")
        self.generator = generator
        self.discriminator = discriminator
        self.adversarial = True
        names = ("loss", "generator_loss", "discriminator_loss", "distance")
        self._means = {name: keras.metrics.Mean(name) for name in names}
        # Both networks are built; Keras would otherwise build by calling on a batch, which a
        # distributed batch cannot do.
        self.built = True

    def compile(
        self, optimizer, discriminator_optimizer, adversarial_loss, distance, weight, **kwargs
    ):
        """Sets optimizers and losses, and builds the optimizers so that checkpoints hold them.

        Args:
            optimizer: Optimizer of the generator.
            discriminator_optimizer: Optimizer of the discriminator.
            adversarial_loss: Pair of functions `discriminator(real_logits, fake_logits)` and
                `generator(fake_logits)`.
            distance: Function of `(target, prediction)`.
            weight: Weight of the distance beside the adversarial loss of the generator.
            **kwargs: For `keras.Model.compile`.
        """
        super().compile(optimizer=optimizer, **kwargs)
        self.discriminator_optimizer = discriminator_optimizer
        self.discriminator_loss, self.generator_loss = adversarial_loss
        self.distance, self.weight = distance, weight
        self.optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    @property
    def metrics(self):
        """Means over an epoch: the losses of both networks, and the distance."""
        return list(self._means.values())

    def call(self, condition, training=False):
        """Predicts, as the generator does."""
        return self.generator(condition, training=training)

    def train_step(self, data):
        """Updates both networks once, or the generator alone while `adversarial` is false."""
        condition, target = data[:2]
        with tf.GradientTape() as tape:
            prediction = self.generator(condition, training=True)
            distance = tf.reduce_mean(self.distance(target, prediction))
            loss = self.weight * distance
            logs = {"distance": distance}
            # A Python value: Keras traces this function anew when a phase begins.
            if self.adversarial:
                with tape.stop_recording():
                    logs["discriminator_loss"] = self._update_discriminator(
                        condition, target, prediction
                    )
                fake_logits = self.discriminator([condition, prediction], training=True)
                logs["generator_loss"] = self.generator_loss(fake_logits)
                loss += logs["generator_loss"]
            scaled = self.optimizer.scale_loss(_share_of_replica(loss))
        variables = self.generator.trainable_variables
        self.optimizer.apply(tape.gradient(scaled, variables), variables)
        return self._record(loss=loss, **logs)

    def test_step(self, data):
        """Measures the distance alone: it is the loss that means the same in every phase."""
        condition, target = data[:2]
        prediction = self.generator(condition, training=False)
        distance = tf.reduce_mean(self.distance(target, prediction))
        return self._record(loss=distance, distance=distance)

    def _update_discriminator(self, condition, target, prediction):
        with tf.GradientTape() as tape:
            real_logits = self.discriminator([condition, target], training=True)
            fake_logits = self.discriminator([condition, prediction], training=True)
            loss = self.discriminator_loss(real_logits, fake_logits)
            scaled = self.discriminator_optimizer.scale_loss(_share_of_replica(loss))
        variables = self.discriminator.trainable_variables
        self.discriminator_optimizer.apply(tape.gradient(scaled, variables), variables)
        return loss

    def _record(self, **losses):
        for name, value in losses.items():
            self._means[name].update_state(value)
        return {name: self._means[name].result() for name in losses}


def _share_of_replica(loss):
    # Gradients are summed over replicas, each of which sees its share of the batch.
    return loss / tf.distribute.get_strategy().num_replicas_in_sync
