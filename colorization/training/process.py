"""The process that trains, where it is the only one."""

import contextlib

import tensorflow as tf

from colorization.training.adversarial import assemble_model
from colorization.training.state import TrainingError
from pipelines import console


class Process:
    """A process that trains alone, on one device or on several, under a `tf.distribute` strategy.

    What several workers have to do together it does alone, or not at all; `cluster.workers.Workers`
    does it with others. `is_chief`: it writes checkpoints, logs and sheets. `shard`: its number and
    the number of workers.
    """

    is_chief = True
    shard = (0, 1)

    def __init__(self, strategy):
        self.strategy = strategy

    @property
    def description(self):
        return console.count(self.strategy.num_replicas_in_sync, "device")

    def guard(self):
        return contextlib.nullcontext()

    def chief_first(self):
        return contextlib.nullcontext()

    def wait(self):
        pass

    def agree(self, facts):
        pass

    assemble = staticmethod(assemble_model)

    def feed(self, batches, is_endless=False):
        return batches

    def count_steps(self, num_pictures, batch_size):
        return None  # Until the batches end.

    def callbacks(self):
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
