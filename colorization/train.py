"""Trains a colorizer.

`python -m colorization.train --flagfile=RECIPE --data=folder:PHOTOS --model_dir=RUN`
"""

import os
import sys


def main(arguments):
    """Runs or resumes the training that the flags describe."""
    from colorization import commands, flags
    from colorization.config import ConfigError

    if arguments:
        raise ConfigError(f"train takes flags only. Received: {' '.join(arguments)}.")
    config = flags.config_from_flags()
    for name in ("data", "model_dir"):
        if not getattr(config, name) and not (name == "model_dir" and config.dry_run):
            raise ConfigError(f"--{name} is needed. Received: nothing. See --help.")
    commands.import_quietly()
    train(config)


def train(config):
    """Trains as a `Config` says, from the latest checkpoint of its run directory if there is one.

    Returns:
        The model, as after the last epoch.
    """
    import keras
    import tensorflow as tf

    from colorization import build
    from colorization.flags import format_flags, parse_flagfile
    from colorization.training import run_directory
    from pipelines import batches

    model_dir = None if config.dry_run else config.model_dir
    # Opened first: a wrong --data, --cache or --feature_weights leaves no directory behind.
    strategy = build.build_strategy(config)
    source = build.open_source(config.data, config.exclude)
    batches.check_cache(config.cache)
    witnesses = build.open_witnesses(config)
    if model_dir:
        run_directory.open_run(
            model_dir,
            _asked(format_flags(config)),
            lambda path: _asked(format_flags(parse_flagfile(path))),
        )
    found = build.open_survey(source, model_dir, white_background=config.white_background)
    validation = None
    if config.val_data:
        validation = build.open_pictures(
            config.val_data, model_dir, "val_survey", config.white_background
        )
    if model_dir:
        run_directory.write_environment(model_dir, found.fingerprint, config.seed)
    steps = config.steps_per_epoch or max(1, found.num_usable // config.batch_size)

    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    codec = build.build_codec(config)
    prior = None
    if config.is_quantized:
        path = os.path.join(model_dir, "prior.npy") if model_dir else None
        prior = build.build_prior(source, found, path)
    with strategy.scope():
        model, generator = build.build_model(config, steps, prior)
    figures = build.build_figures(config, generator, validation, witnesses)
    _print_plan(config, found, steps, generator, strategy)
    if config.dry_run:
        return _one_step(config, model, batches.training_batches(source, found, codec, config))
    return _fit(config, steps, model, generator, codec, source, found, validation, figures)


def _fit(config, steps, model, generator, codec, source, found, validation, figures):
    from colorization import build
    from colorization.training import callbacks, checkpoints, run_directory
    from pipelines import batches, photos

    latest = checkpoints.folder(config.model_dir)
    saved = checkpoints.Checkpoints(model, latest, config.keep_checkpoints)
    epoch = saved.restore()
    followers = build.build_followers(config)
    history = callbacks.History(config.model_dir, epoch, followers)
    # Or it was killed after its last checkpoint, before it could be marked.
    is_finished = run_directory.is_finished(config.model_dir) or history.has_stopped(model)
    if epoch:
        print(f"{'Finished' if is_finished else 'Resuming'} behind epoch {epoch}.", flush=True)
    shown = validation or (source, found)
    pictures = next(
        batches.center_batches(*shown, config.image_size, 8).take(1).as_numpy_iterator()
    )
    samples = os.path.join(config.model_dir, "samples")
    around = [
        callbacks.StopAtNonFiniteLoss(steps),
        *figures,
        *followers,
        history,
        callbacks.SampleSheet(generator, codec, pictures, samples, photos.write_picture),
        *build.build_best(config, model, history),
        saved,
    ]
    if config.is_adversarial:
        every = config.generator_every, config.discriminator_every
        around.insert(0, callbacks.Phases(config.pretrain_epochs, *every, steps))
    checks = None
    if validation:
        checks = batches.center_batches(*validation, config.image_size, config.batch_size)
        checks = checks.map(codec.encode)
    model.fit(
        batches.training_batches(source, found, codec, config, start_step=epoch * steps),
        initial_epoch=epoch,
        # A run that stopped early has no epochs left, whatever its recipe says.
        epochs=epoch if is_finished else config.epochs,
        steps_per_epoch=steps,
        validation_data=checks,
        callbacks=around,
        shuffle=False,
        verbose=1 if sys.stdout.isatty() else 2,
    )
    run_directory.mark_finished(config.model_dir)
    return model


def _one_step(config, model, training):
    logs = model.fit(training.take(1), steps_per_epoch=1, shuffle=False, verbose=0).history
    print("One step:", ", ".join(f"{name} {values[0]:.4f}" for name, values in logs.items()))
    print("Dry run: nothing written.")
    return model


def _print_plan(config, found, steps, generator, strategy):
    from pipelines import surveys

    print(
        f"{config.generator}: {generator.count_params():,} parameters, codec {config.codec}, "
        f"{strategy.num_replicas_in_sync} device(s)\n"
        f"{found.num_usable:,} pictures ({surveys.describe_skipped(found)}, "
        f"{len(found.excluded)} excluded), {config.epochs} epochs of {steps} steps of "
        f"{config.batch_size} pictures, {config.image_size} px",
        flush=True,
    )


def _asked(recipe):
    # Where a run lies and how many checkpoints it keeps do not change what it computes.
    free = ("--model_dir=", "--keep_checkpoints=", "--dry_run", "--nodry_run")
    return "".join(line for line in recipe.splitlines(True) if not line.startswith(free))


if __name__ == "__main__":
    from colorization.commands import run_command
    from colorization.flags import define_config_flags

    run_command(main, define_config_flags)
