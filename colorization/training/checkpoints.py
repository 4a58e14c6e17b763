"""Checkpoints: everything that the next step depends on, written whole or not at all.

A checkpoint is the state at the end of an epoch: networks, both optimizers with their averages and
step, and the states of dropout. The input chain and the schedule are functions of the step, so
that nothing else is needed to go on as if never interrupted.
"""

import os
import re

import keras
import tensorflow as tf

from pipelines.errors import UserError


class TrainingError(UserError):
    """A run that can't go on. The message says how to mend it."""


def folder(model_dir, which="latest"):
    """Folder of a run's latest checkpoints, or of its best one.

    Args:
        model_dir: Directory of the run.
        which: `"latest"` or `"best"`.
    """
    latest = os.path.join(model_dir, "checkpoints")
    return os.path.join(latest, "best") if which == "best" else latest


class Checkpoints(keras.callbacks.Callback):
    """Saves a model after every epoch, and restores it.

    Args:
        model: A compiled and built Keras model; an adversarial one has `discriminator_optimizer`.
        directory: Where the checkpoints go.
        keep: Number of the latest checkpoints to keep.
    """

    def __init__(self, model, directory, keep):
        super().__init__()
        optimizers = [model.optimizer, getattr(model, "discriminator_optimizer", None)]
        variables = list(model.variables)
        for optimizer in filter(None, optimizers):
            variables += optimizer.variables
        # Numbered, since layers may share a name and the order is that of the graph.
        state = {f"{i:05d}": variable.value for i, variable in enumerate(variables)}
        self._checkpoint = tf.train.Checkpoint(**state)
        self._manager = tf.train.CheckpointManager(self._checkpoint, directory, keep)

    @property
    def epoch(self):
        """Number of epochs behind the latest checkpoint; 0 without one."""
        latest = self._manager.latest_checkpoint
        return int(re.search(r"-(\d+)$", latest).group(1)) if latest else 0

    def restore(self):
        """Loads the latest checkpoint, if there is one.

        Returns:
            The number of epochs it stands behind.

        Raises:
            TrainingError: If the checkpoint is damaged or of another network.
        """
        latest = self._manager.latest_checkpoint
        if latest:
            try:
                self._checkpoint.restore(latest).assert_consumed()
            except (tf.errors.OpError, AssertionError, ValueError) as error:
                raise TrainingError(
                    f"{latest} can't be restored: it is damaged or of another network. Remove its "
                    f"line from {os.path.dirname(latest)}/checkpoint to go on from the one before. "
                    f"({str(error).splitlines()[0][:120]})"
                ) from error
        return self.epoch

    def on_epoch_end(self, epoch, logs=None):
        """Saves the state behind `epoch + 1` epochs."""
        try:
            self._manager.save(checkpoint_number=epoch + 1)
        except (tf.errors.OpError, OSError) as error:
            raise TrainingError(
                f"The checkpoint of epoch {epoch + 1} could not be written to "
                f"{self._manager.directory}: {str(error).splitlines()[0][:160]}. Earlier "
                "checkpoints are whole: make room and run the same command again."
            ) from error
