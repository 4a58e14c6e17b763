"""Training, from a `Config` to the last epoch, in the order in which it happens."""

import contextlib
import dataclasses
import sys

import keras
import numpy as np
import tensorflow as tf

from colorization.evaluation.features import open_squeezenet
from colorization.flags import format_flags
from colorization.training import callbacks, networks, restore, state
from pipelines import console
from pipelines.batches import distributed, input_chain, survey
from pipelines.sources import opener

# Pictures of a sheet of samples.
NUM_SHOWN = 8


def train(config, workers):
    """Trains as a `Config` says, from the latest checkpoint of its run directory if there is one.

    `workers` is the `Process` that trains, or the `Workers` of a cluster. Returns the model, as
    after the last epoch.
    """
    run = state.Run("" if config.dry_run else config.model_dir, workers.is_chief)
    # Opened first: a flag that names nothing usable leaves no directory behind.
    with console.doing("Opening the pictures"):
        pictures, features = Pictures(config), []
        if config.measures_features:
            features = [open_squeezenet(config.feature_weights)]
    weights, origin = None, None
    if not run.has_checkpoint:
        with console.doing("Reading the weights to start from"):
            weights, origin = restore.starting_weights(config)
    facts = {"flags": format_flags(config), "pictures": pictures.source.listing}
    workers.agree(facts | {"versions": f"{tf.__version__} {keras.__version__}"})
    with workers.chief_first(), console.doing("Looking at every picture"):
        run.open(config)
        pictures.look(run)
        run.write_recipe(config)
        run.write_environment(pictures.survey.fingerprint, config.seed, origin)

    keras.utils.set_random_seed(config.seed)
    tf.config.experimental.enable_op_determinism()
    prior = None
    if config.is_quantized:
        with workers.chief_first(), console.doing("Counting colors"):
            prior = run.prior(lambda: input_chain.measure_prior(pictures.source, pictures.survey))
    with workers.strategy.scope(), console.doing("Building the networks"):
        built = networks.build_networks(config, pictures.steps_per_epoch, prior, workers.assemble)
        if weights is not None:
            built.generator.set_weights(weights)
    figures = callbacks.build_figures(config, built, pictures, features)
    if workers.is_chief:
        _print_plan(config, workers, pictures, built)
    with distributed.guard(pictures.service), contextlib.ExitStack() as first_step:
        first_step.enter_context(console.doing("Preparing the first step"))
        if config.dry_run:
            return _run_one_step(workers, pictures, built)
        until = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: first_step.close(),
            on_train_end=lambda logs: first_step.close(),
        )
        return _fit(config, workers, run, pictures, built, [until, *figures])


def _fit(config, workers, run, pictures, built, figures):
    """Runs the epochs that are left."""
    checkpoints = state.Checkpoints(
        built.model, state.checkpoint_folder(run.model_dir), config.keep_checkpoints
    )
    epoch = checkpoints.restore()
    followers = callbacks.build_followers(config)
    history = callbacks.History(run.model_dir, epoch, followers, workers.is_chief)
    # Or it was killed after its last checkpoint, before it could be marked.
    is_finished = run.is_finished or history.has_stopped(built.model)
    workers.agree({"checkpoints": f"{epoch} {is_finished}"})
    if epoch and workers.is_chief:
        print(f"{'Finished' if is_finished else 'Resuming'} after epoch {epoch}.", flush=True)

    steps = pictures.steps_per_epoch
    around = [callbacks.StopAtNonFiniteLoss(steps), *figures, *workers.callbacks()]
    around += [*followers, history]
    if config.is_adversarial:
        every = config.generator_every, config.discriminator_every
        around.insert(0, callbacks.Phases(config.pretrain_epochs, *every, steps))
    if workers.is_chief:
        around.append(callbacks.SampleSheet(built, pictures.shown(), run.path("samples")))
        if config.monitor != "auto":
            folder = state.checkpoint_folder(run.model_dir, "best")
            saved = state.Checkpoints(built.model, folder, 1)
            around.append(callbacks.KeepBest(config.monitor, history, saved))
        around.append(checkpoints)

    batches = pictures.training_batches(built.codec, epoch * steps, workers.shard)
    checks, check_steps = None, None
    if pictures.validation:
        checks = workers.feed(pictures.validation_batches(built.codec, workers.shard))
        check_steps = workers.count_steps(pictures.validation[1].num_usable, config.batch_size)
    verbose = 1 if sys.stdout.isatty() else 2
    built.model.fit(
        workers.feed(batches, is_endless=True),
        initial_epoch=epoch,
        # A run that stopped early has no epochs left.
        epochs=epoch if is_finished else config.epochs,
        steps_per_epoch=steps,
        validation_data=checks,
        validation_steps=check_steps,
        callbacks=around,
        shuffle=False,
        verbose=verbose if workers.is_chief else 0,
    )
    if workers.is_chief:
        run.mark_finished()
        print(
            f"Trained. Sample sheets: {run.path('samples')}\n"
            f"Color with it: colorize PHOTO --model={run.model_dir}\n"
            f"Keep it as a model: colorization export --model_dir={run.model_dir}",
            flush=True,
        )
    workers.wait()
    return built.model


def _run_one_step(workers, pictures, built):
    batches = pictures.training_batches(built.codec, shard=workers.shard)
    fed = workers.feed(batches, is_endless=True)
    logs = built.model.fit(fed, steps_per_epoch=1, shuffle=False, verbose=0).history
    print("One step:", ", ".join(f"{name} {values[0]:.4f}" for name, values in logs.items()))
    print("Dry run: nothing written.")
    return built.model


def _print_plan(config, workers, pictures, built):
    surveyed = pictures.survey
    print(
        f"{config.generator}: {built.generator.count_params():,} parameters, codec "
        f"{config.codec}, {workers.description}\n"
        f"{surveyed.num_usable:,} pictures ({survey.describe_skipped(surveyed)}, "
        f"{len(surveyed.excluded)} excluded), {config.epochs} epochs of "
        f"{pictures.steps_per_epoch} steps of {config.batch_size} pictures, "
        f"{config.image_size} px",
        flush=True,
    )


class Pictures:
    """The pictures that a `Config` names: what a run trains on, is validated on, and shows.

    Raises `UserError` if a source, the cache or the data service can't be opened.
    """

    def __init__(self, config):
        self.config = config
        self.source = opener.open_source(config.data, exclude=config.exclude)
        input_chain.check_cache(config.cache)
        self.service = distributed.connect(config.data_service) if config.data_service else None
        # Opened before the run's directory is made, which a mistyped folder must not cost.
        self._val_source = (
            opener.open_source(config.val_data, "--val_data") if config.val_data else None
        )
        self.survey, self.validation = None, None

    def look(self, run):
        """Surveys the pictures, or reads the surveys that the run keeps."""
        config = self.config
        self.survey = run.survey(self.source, white_background=config.white_background)
        if self._val_source:
            kept = run.survey(self._val_source, "val_survey", config.white_background)
            self.validation = self._val_source, kept

    @property
    def steps_per_epoch(self):
        counted = self.survey.num_usable // self.config.batch_size
        return self.config.steps_per_epoch or max(1, counted)

    def training_batches(self, codec, start_step=0, shard=(0, 1)):
        return input_chain.training_batches(
            self.source, self.survey, codec, self.config, start_step, shard, self.service
        )

    def validation_batches(self, codec, shard=(0, 1)):
        """One pass over the validation pictures, in whole batches."""
        size = self.config.image_size
        cut = input_chain.center_batches(*self.validation, size, self.config.batch_size, shard)
        return cut.map(survey.plain(codec.encode))

    def shown(self):
        """The first pictures of the validation, or else of the training, uint8."""
        source, kept = self.validation or (self.source, self.survey)
        return input_chain.cut_centers(source, kept, self.config.image_size, NUM_SHOWN)

    def measured(self):
        """Validation pictures for `--monitor_every`, spread evenly over the list, uint8."""
        source, kept = self.validation
        usable = np.setdiff1d(np.arange(kept.num_pictures), kept.skipped)
        number = min(self.config.monitor_pictures, len(usable))
        taken = usable[np.linspace(0, len(usable) - 1, number).round().astype(int)]
        skipped = np.setdiff1d(np.arange(kept.num_pictures), taken)
        chosen = dataclasses.replace(kept, skipped=skipped.tolist())
        return input_chain.cut_centers(source, chosen, self.config.image_size, number)
