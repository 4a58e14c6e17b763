import subprocess
import sys

import pytest

# Adam with an epsilon far above the gradient steps along the gradient itself.
_STEP = """
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

import keras
from colorization.training.optimizers import AdamW

for clip_norm, expected in (1.0, [-0.6, -0.8]), (10.0, [-3.0, -4.0]), (None, [-3.0, -4.0]):
    with strategy.scope():
        variable = keras.Variable(np.zeros(2, "float32"))
        optimizer = AdamW(
            1e6, beta_2=0.0, epsilon=1e6, weight_decay=0.0, global_clipnorm=clip_norm
        )
        optimizer.build([variable])

    @tf.function
    def step():
        def replica_step():
            index = tf.distribute.get_replica_context().replica_id_in_sync_group
            gradient = tf.gather(tf.constant([[3.0, 0.0], [0.0, 4.0]]), index)
            optimizer.apply([gradient], [variable])
        strategy.run(replica_step)

    step()
    np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-4)
"""


@pytest.mark.slow
def test_gradients_are_clipped_by_the_norm_of_their_sum_over_devices():
    subprocess.run([sys.executable, "-c", _STEP], check=True)
