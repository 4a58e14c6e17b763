"""Random numbers of a step."""

import numpy as np
import tensorflow as tf

from colorization.training import adversarial


def test_the_same_step_draws_the_same_and_another_others():
    steps = [
        (0, 0, 0, 0),
        (1, 0, 0, 0),
        (0, 1, 0, 0),
        *((0, 0, *pair) for pair in np.ndindex(5, 5)),
    ]
    seeds = [adversarial.step_seed(*step) for step in steps]
    drawn = [adversarial.normal(seed, [3, 2]).numpy().tobytes() for seed in seeds]
    assert drawn[0] == drawn[3] and len(set(drawn)) == len(steps) - 1


def test_every_sample_has_a_number_of_its_own_within_the_bounds():
    drawn = (
        adversarial.uniform(adversarial.step_seed(0, 0), [1000, 1, 1, 1], 0.8, 1.0).numpy().ravel()
    )
    assert drawn.min() >= 0.8 and drawn.max() < 1.0 and len(set(drawn)) > 990
    assert abs(drawn.mean() - 0.9) < 0.01


def test_noise_is_of_the_normal_distribution():
    drawn = adversarial.normal(adversarial.step_seed(0, 0), [2000, 5]).numpy()
    assert abs(drawn.mean()) < 0.05 and abs(drawn.std() - 1) < 0.05


def test_a_graph_draws_as_eager_code_does():
    seed = adversarial.step_seed(7, 1, 2)
    graph = tf.function(lambda count: adversarial.uniform(seed, [count, 2]))
    np.testing.assert_array_equal(graph(tf.constant(4)), adversarial.uniform(seed, [4, 2]))
