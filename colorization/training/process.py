"""The process that trains, where it is the only one."""

import contextlib

import tensorflow as tf

from colorization.training.adversarial import assemble_model
from colorization.training.state import TrainingError
from pipelines import console


class Process:
    """A process that trains alone, on one device or on several, under a `tf.distribute` strategy.

    What several workers have to do together it does alone, or not at all; `cluster.workers.Workers`
    does it with others.
    """

    is_chief = True
    shard = (0, 1)

    def __init__(self, strategy):
        self.strategy = strategy

    @property
    def description(self):
        """What trains, for people."""
        return console.count(self.strategy.num_replicas_in_sync, "device")

    def guard(self):
        """Context within which the loss of another worker is an error that names it."""
        return contextlib.nullcontext()

    def chief_first(self):
        """Context that the chief goes through before the others."""
        return contextlib.nullcontext()

    def wait(self):
        """Waits until all workers are here."""

    def agree(self, facts):
        """Checks that all workers have the same facts, a dict of texts."""

    def assemble(self, generator, discriminator=None):
        """The Keras model that trains a generator, against a discriminator if there is one."""
        return assemble_model(generator, discriminator)

    def feed(self, batches, is_endless=False):
        """Makes what `fit` takes of this process's batches: see `Workers.feed`."""
        return batches

    def count_steps(self, num_pictures, batch_size):
        """Steps of a validation; None: until its batches end."""
        return None

    def callbacks(self):
        """Callbacks of `fit` that come before those that act on the logs."""
        return []


def open_process(logical_devices=0):
    """Makes the `Process` of so many logical CPU devices; 0: of every GPU, or the CPU.

    Raises `TrainingError` if TensorFlow has started with another number of logical devices.
    """
    if logical_devices:
        cpu = tf.config.list_physical_devices("CPU")[0]
        split = [tf.config.LogicalDeviceConfiguration()] * logical_devices
        try:
            tf.config.set_logical_device_configuration(cpu, split)
        except RuntimeError as error:
            raise TrainingError("--logical_devices comes before any work on a device.") from error
        devices = [device.name for device in tf.config.list_logical_devices("CPU")]
        return Process(tf.distribute.MirroredStrategy(devices))
    if tf.config.list_physical_devices("GPU"):
        return Process(tf.distribute.MirroredStrategy())
    return Process(tf.distribute.get_strategy())
