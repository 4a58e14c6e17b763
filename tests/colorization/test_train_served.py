"""Training with a tf.data service: the run that it is without one."""

import dataclasses

import numpy as np
import pytest

from colorization import train
from colorization.config import Config
from pipelines.batches.distributed import ServiceError
from tests.pipelines.served import free_ports, serving

pytestmark = pytest.mark.xdist_group("processes")


def test_a_run_goes_on_with_a_service_or_without(finished_run, tmp_path):
    """And ends with the weights of a run that never saw one."""
    config = dataclasses.replace(finished_run.config, model_dir=str(tmp_path / "run"))
    with serving(1) as address:
        model = train.train(dataclasses.replace(config, data_service=address))
    again = train.train(config)
    variables = [*again.variables, *again.optimizer.variables]
    for value, variable in zip(finished_run.state, variables, strict=True):
        np.testing.assert_array_equal(variable, value)
    for old, new in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_service_that_is_not_there_leaves_no_directory(picture_folder, tmp_path):
    (port,) = free_ports(1)
    with pytest.raises(ServiceError, match=f"localhost:{port} does not answer"):
        train.train(
            Config(
                data=f"folder:{picture_folder}",
                model_dir=str(tmp_path / "run"),
                data_service=f"localhost:{port}",
            )
        )
    assert not list(tmp_path.iterdir())
