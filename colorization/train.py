"""Trains a colorizer.

`colorization train --recipe=chroma --data=folder:PHOTOS --model_dir=RUN`

--recipe=NAME stands for the --flagfile of a recipe that comes with the program.
"""

import os

from pipelines import console

# Status of a run that the same command resumes, unlike one that failed: EX_TEMPFAIL.
TRY_AGAIN = 75


def main(arguments):
    """Runs or resumes the training that the flags describe."""
    from colorization import flags
    from colorization.config import ConfigError
    from colorization.training.cluster.membership import LostWorkerError, find_cluster

    if arguments:
        raise ConfigError(f"train takes flags only. Received: {' '.join(arguments)}.")
    config = flags.config_from_flags()
    for name in ("data", "model_dir"):
        if not getattr(config, name) and not (name == "model_dir" and config.dry_run):
            raise ConfigError(f"--{name} is needed. Received: nothing. See --help.")
    cluster = find_cluster(os.environ)
    console.import_quietly("keras")
    try:
        train(config, cluster)
    except LostWorkerError as error:
        console.print_error(error)
        return TRY_AGAIN
    return 0


def train(config, cluster=None):
    """Trains as a `Config` says, from the latest checkpoint of its run directory if there is one.

    `cluster` has the workers that this process trains with; None: it trains alone. Returns the
    model, as after the last epoch.
    """
    # Before all else: TensorFlow learns of devices and workers only at its start.
    if cluster and cluster.num_workers > 1:
        from colorization.training.cluster.workers import join

        workers = join(config, cluster)
    else:
        from colorization.training.process import open_process

        workers = open_process(config.logical_devices)
    from colorization.training import loop

    with workers.guard():
        return loop.train(config, workers)


if __name__ == "__main__":
    from colorization.flags import define_config_flags, expand_recipe

    console.run_command(main, define_config_flags, expand_recipe)
