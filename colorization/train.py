"""Trains a colorizer.

`python -m colorization.train --flagfile=RECIPE --data=folder:PHOTOS --model_dir=RUN`
"""

import functools
import os
import sys

# Status of a run that another start will mend, as after any other but 0 none will: EX_TEMPFAIL.
TRY_AGAIN = 75


def main(arguments):
    """Runs or resumes the training that the flags describe."""
    from colorization import flags
    from colorization.config import ConfigError
    from colorization.training.cluster.membership import LostWorkerError, find_cluster
    from pipelines import console

    if arguments:
        raise ConfigError(f"train takes flags only. Received: {' '.join(arguments)}.")
    config = flags.config_from_flags()
    for name in ("data", "model_dir"):
        if not getattr(config, name) and not (name == "model_dir" and config.dry_run):
            raise ConfigError(f"--{name} is needed. Received: nothing. See --help.")
    cluster = find_cluster(os.environ)
    console.import_quietly()
    try:
        train(config, cluster)
    except LostWorkerError as error:
        console.print_error(error)
        return TRY_AGAIN
    return 0


def train(config, cluster=None):
    """Trains as a `Config` says, from the latest checkpoint of its run directory if there is one.

    Args:
        config: The `Config`.
        cluster: The `Cluster` of workers that this process trains with; None: it trains alone.

    Returns:
        The model, as after the last epoch.
    """
    from colorization import build
    from colorization.training.cluster.membership import Cluster
    from colorization.training.cluster.workers import Workers, telling_of_losses

    cluster = cluster or Cluster()
    # Before all else: TensorFlow learns of devices and workers at its start alone.
    strategy = build.build_strategy(config, cluster)
    with telling_of_losses(cluster):
        return _train(config, Workers(cluster, strategy))


def _train(config, workers):
    import keras
    import tensorflow as tf

    from colorization import build
    from colorization.flags import format_flags, parse_flagfile
    from colorization.training import run_directory
    from pipelines.batches import distributed, input_chain

    model_dir = None if config.dry_run else config.model_dir
    # Opened first: a wrong --data, --cache, --data_service or --feature_weights leaves no directory
    # behind.
    source = build.open_source(config.data, config.exclude)
    input_chain.check_cache(config.cache)
    service = distributed.connect(config.data_service) if config.data_service else None
    witnesses = build.open_witnesses(config)
    versions = f"{tf.__version__} {keras.__version__}"
    workers.agree({"flags": format_flags(config), "pictures": source.listing, "versions": versions})
    with workers.chief_first():
        if model_dir:
            run_directory.open_run(
                model_dir,
                _asked(format_flags(config)),
                lambda path: _asked(format_flags(parse_flagfile(path))),
                workers.is_chief,
            )
        found = build.open_survey(source, model_dir, white_background=config.white_background)
        validation = None
        if config.val_data:
            validation = build.open_pictures(
                config.val_data, model_dir, "val_survey", config.white_background
            )
        if model_dir and workers.is_chief:
            run_directory.write_environment(model_dir, found.fingerprint, config.seed)
    steps = config.steps_per_epoch or max(1, found.num_usable // config.batch_size)

    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    codec = build.build_codec(config)
    prior = None
    if config.is_quantized:
        path = os.path.join(model_dir, "prior.npy") if model_dir else None
        with workers.chief_first():
            prior = build.build_prior(source, found, path)
    with workers.strategy.scope():
        model, generator = build.build_model(config, steps, prior, workers.are_several)
    figures = build.build_figures(config, generator, validation, witnesses)
    if workers.is_chief:
        _print_plan(config, found, steps, generator, workers)
    shard = workers.cluster.shard
    training = functools.partial(
        input_chain.training_batches, source, found, codec, config, shard=shard, service=service
    )
    with distributed.guard(service):
        if config.dry_run:
            return _one_step(model, workers.feed(training(), is_endless=True))
        return _fit(config, workers, steps, model, generator, codec, training, validation, figures)


def _fit(config, workers, steps, model, generator, codec, training, validation, figures):
    from colorization import build
    from colorization.training import callbacks, checkpoints, run_directory
    from colorization.training.cluster.workers import ChiefsLogs
    from pipelines.batches import input_chain

    latest = checkpoints.folder(config.model_dir)
    saved = checkpoints.Checkpoints(model, latest, config.keep_checkpoints)
    epoch = saved.restore()
    followers = build.build_followers(config)
    history = callbacks.History(config.model_dir, epoch, followers, workers.is_chief)
    # Or it was killed after its last checkpoint, before it could be marked.
    is_finished = run_directory.is_finished(config.model_dir) or history.has_stopped(model)
    workers.agree({"checkpoints": f"{epoch} {is_finished}"})
    if epoch and workers.is_chief:
        print(f"{'Finished' if is_finished else 'Resuming'} behind epoch {epoch}.", flush=True)
    around = [
        callbacks.StopAtNonFiniteLoss(steps),
        *figures,
        *([ChiefsLogs(workers)] if workers.are_several else []),
        *followers,
        history,
    ]
    if workers.is_chief:
        shown = validation or training.args[:2]
        around += [
            _sheet(config, generator, codec, shown),
            *build.build_best(config, model, history),
            saved,
        ]
    if config.is_adversarial:
        every = config.generator_every, config.discriminator_every
        around.insert(0, callbacks.Phases(config.pretrain_epochs, *every, steps))
    checks, check_steps = None, None
    if validation:
        check_steps = workers.count_steps(validation[1].num_usable, config.batch_size)
        checks = input_chain.center_batches(
            *validation, config.image_size, config.batch_size, workers.cluster.shard
        )
        checks = workers.feed(checks.map(codec.encode))
    verbose = 1 if sys.stdout.isatty() else 2
    model.fit(
        workers.feed(training(start_step=epoch * steps), is_endless=True),
        initial_epoch=epoch,
        # A run that stopped early has no epochs left, whatever its recipe says.
        epochs=epoch if is_finished else config.epochs,
        steps_per_epoch=steps,
        validation_data=checks,
        validation_steps=check_steps,
        callbacks=around,
        shuffle=False,
        verbose=verbose if workers.is_chief else 0,
    )
    if workers.is_chief:
        run_directory.mark_finished(config.model_dir)
    workers.wait()
    return model


def _sheet(config, generator, codec, shown):
    from colorization.training import callbacks
    from pipelines.batches import input_chain
    from pipelines.photos import photo_files

    pictures = input_chain.center_batches(*shown, config.image_size, 8).take(1)
    return callbacks.SampleSheet(
        generator,
        codec,
        next(pictures.as_numpy_iterator()),
        os.path.join(config.model_dir, "samples"),
        photo_files.write_picture,
    )


def _one_step(model, training):
    logs = model.fit(training, steps_per_epoch=1, shuffle=False, verbose=0).history
    print("One step:", ", ".join(f"{name} {values[0]:.4f}" for name, values in logs.items()))
    print("Dry run: nothing written.")
    return model


def _print_plan(config, found, steps, generator, workers):
    from pipelines.batches import survey

    several = f" of {workers.cluster.num_workers} workers" if workers.are_several else ""
    print(
        f"{config.generator}: {generator.count_params():,} parameters, codec {config.codec}, "
        f"{workers.strategy.num_replicas_in_sync} device(s){several}\n"
        f"{found.num_usable:,} pictures ({survey.describe_skipped(found)}, "
        f"{len(found.excluded)} excluded), {config.epochs} epochs of {steps} steps of "
        f"{config.batch_size} pictures, {config.image_size} px",
        flush=True,
    )


def _asked(recipe):
    # Where a run lies, how many checkpoints it keeps and who cuts its pictures do not change what
    # it computes.
    free = ("--model_dir=", "--keep_checkpoints=", "--data_service=", "--dry_run", "--nodry_run")
    return "".join(line for line in recipe.splitlines(True) if not line.startswith(free))


if __name__ == "__main__":
    from colorization.flags import define_config_flags
    from pipelines.console import run_command

    run_command(main, define_config_flags)
