"""The pictures of a run: what it trains on, is validated on, and shows."""

import dataclasses

import numpy as np

from pipelines.batches import distributed, input_chain
from pipelines.batches.survey import plain
from pipelines.sources import opener

NUM_SHOWN = 8


class Pictures:
    """The training and validation pictures that a `Config` names.

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
        """Steps of an epoch."""
        counted = self.survey.num_usable // self.config.batch_size
        return self.config.steps_per_epoch or max(1, counted)

    @property
    def num_validated(self):
        """Number of pictures of a validation."""
        return self.validation[1].num_usable

    def measure_prior(self):
        """Measures how often each bin of chroma occurs in the training pictures."""
        return input_chain.measure_prior(self.source, self.survey)

    def training_batches(self, codec, start_step=0, shard=(0, 1)):
        """The endless training batches from a step on: see `input_chain.training_batches`."""
        return input_chain.training_batches(
            self.source, self.survey, codec, self.config, start_step, shard, self.service
        )

    def validation_batches(self, codec, shard=(0, 1)):
        """One pass over the validation pictures, in whole batches."""
        size = self.config.image_size
        cut = input_chain.center_batches(*self.validation, size, self.config.batch_size, shard)
        return cut.map(plain(codec.encode))

    def shown(self):
        """The first pictures of the validation, or else of the training, uint8."""
        source, kept = self.validation or (self.source, self.survey)
        return cut_centers(source, kept, self.config.image_size, NUM_SHOWN)

    def measured(self):
        """Validation pictures for `--monitor_every`, spread evenly over the list, uint8."""
        source, kept = self.validation
        usable = np.setdiff1d(np.arange(kept.num_pictures), kept.skipped)
        number = min(self.config.monitor_pictures, len(usable))
        taken = usable[np.linspace(0, len(usable) - 1, number).round().astype(int)]
        skipped = np.setdiff1d(np.arange(kept.num_pictures), taken)
        chosen = dataclasses.replace(kept, skipped=skipped.tolist())
        return cut_centers(source, chosen, self.config.image_size, number)


def cut_centers(source, survey, size, number):
    """The first usable pictures of a source, cut to their centers, as one uint8 array."""
    return next(input_chain.center_batches(source, survey, size, number).as_numpy_iterator())
