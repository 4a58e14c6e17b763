"""Every knob of a training run: once, typed, with its default, help and choices.

Standard library only, so that `--help` and the checks of a command cost no import of TensorFlow.
"""

import dataclasses

from pipelines.errors import UserError

CODECS = (
    "lab",
    "lab_offset",
    "gray_offset",
    "gray_ab",
    "gray_rgb",
    "lab_128",
    "lightness_rgb",
    "quantized_ab",
    "hinted_ab",
)
# Codecs that predict bins, and the network that does.
QUANTIZED_GENERATORS = {"quantized_ab": "residual", "hinted_ab": "chroma"}
GENERATORS = ("unet", "pretrained_unet", "colornet", "encoder_decoder", "residual", "chroma")
ENCODERS = ("mobilenet_v2", "resnet50")
DOWNSAMPLINGS = ("max_pool", "strided")
UPSAMPLINGS = ("transposed", "resize")
NOISE_INJECTIONS = ("modulation", "map")
DISCRIMINATORS = ("none", "patch", "whole")
LOSSES = ("l1", "huber", "mse", "quantized_crossentropy")
ADVERSARIAL_LOSSES = ("cross_entropy", "least_squares", "hinge", "wasserstein")
SCHEDULES = ("constant", "cosine", "step", "plateau")
PRECISIONS = ("float32", "bfloat16", "float16")
# Figures of the evaluation that can drive a run, named as there; those that a gray picture wins
# are not among them.
MONITORED_FIGURES = (
    "psnr",
    "ssim",
    "ciede2000",
    "ab-error",
    "auc",
    "auc-balanced",
    "colorfulness-gap",
    "squeezenet-kid",
)
MONITORS = ("auto", "loss", "val_loss", *MONITORED_FIGURES)
# What figures of artifacts need.
MIN_MONITORED_SIZE = 35


class ConfigError(UserError):
    """A value or a combination of values that no run can have. The message says how to mend it."""


def knob(default, text, choices=None, minimum=None, maximum=None):
    """Declares a field of `Config`: a default and what a reader of `--help` must know."""
    metadata = {"help": text, "choices": choices, "minimum": minimum, "maximum": maximum}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Config:
    """What a run is. A recipe states only what differs from these defaults."""

    model_dir: str = knob("", "Directory of the run: made if absent, resumed if it holds one.")
    data: str = knob(
        "",
        "Training pictures: folder:PATH (recursive), pairs:color=PATH,gray=PATH (matched by name), "
        "records:GLOB (shards of pipelines.shard), "
        "oxford17:PATH[:SPLIT], video:GLOB[:EVERY] (every tenth frame, or so manieth), "
        "tfds:NAME[:SPLIT] (prepared under the environment's TFDS_DATA_DIR, by default "
        "~/tensorflow_datasets), or samples. Several, separated by commas, are joined.",
    )
    val_data: str = knob("", "Validation pictures, as --data. Empty: no validation.")
    exclude: str = knob(
        "",
        "File that names pictures of --data to leave out, one a line, as colorization.audit writes "
        "it. Empty: none.",
    )
    white_background: float = knob(
        0.0,
        "Leave out pictures whose upper edge and upper sides are white in a smaller share than "
        "this; 0: none. Of drawn faces 0.2 keeps those on white.",
        minimum=0,
        maximum=1,
    )

    codec: str = knob("lab", "What the networks see of a picture.", CODECS)
    generator: str = knob("unet", "The network that colors.", GENERATORS)
    base_filters: int = knob(64, "Width of the generator's first level.", minimum=1)
    depth: int = knob(8, "Times that `unet` halves the picture.", minimum=2, maximum=12)
    dropout: float = knob(0.5, "Dropout of `unet`, in its coarse blocks.", minimum=0, maximum=0.95)
    encoder: str = knob("mobilenet_v2", "The encoder of `pretrained_unet`.", ENCODERS)
    encoder_weights: str = knob(
        "",
        "Initial weights of the encoder of `pretrained_unet` or `chroma`: imagenet, or a file of "
        "them. Empty: random ones.",
    )
    downsampling: str = knob("max_pool", "How `colornet` halves the picture.", DOWNSAMPLINGS)
    upsampling: str = knob("transposed", "How `colornet` doubles it.", UPSAMPLINGS)
    leaky_slope: float = knob(
        0.0, "Slope of `colornet`'s activations below zero; 0: ReLU.", minimum=0, maximum=1
    )
    noise_size: int = knob(
        0, "Length of the noise that `colornet` is conditioned on; 0: none.", minimum=0
    )
    noise_injection: str = knob(
        "modulation",
        "How noise gets in: modulation of every level of the decoder, or a map joined to the "
        "condition.",
        NOISE_INJECTIONS,
    )
    discriminator: str = knob(
        "none",
        "The network that judges patches or the whole picture; none trains without.",
        DISCRIMINATORS,
    )
    discriminator_filters: int = knob(64, "Width of the discriminator's first level.", minimum=1)
    discriminator_depth: int = knob(
        3, "Times that the discriminator halves the picture.", minimum=1, maximum=8
    )
    discriminator_norm: bool = knob(True, "Batch norm in the discriminator.")
    discriminator_dropout: float = knob(
        0.0, "Dropout of the discriminator `whole`.", minimum=0, maximum=0.95
    )

    loss: str = knob("l1", "Distance of prediction and target.", LOSSES)
    loss_weight: float = knob(1.0, "Weight of the loss beside the adversarial one.", minimum=0)
    adversarial_loss: str = knob("cross_entropy", "Pair of adversarial losses.", ADVERSARIAL_LOSSES)
    label_smoothing: float = knob(
        0.0,
        "Real labels are drawn from U(1 - label_smoothing, 1), fake ones from U(0, "
        "label_smoothing), for each picture.",
        minimum=0,
        maximum=0.5,
    )
    gradient_penalty: float = knob(
        0.0, "Weight of the penalty on slopes of the discriminator other than 1.", minimum=0
    )
    perceptual_weight: float = knob(
        0.0, "Weight of the distance of features beside the loss.", minimum=0
    )
    feature_weights: str = knob(
        "",
        "File of the network that --perceptual_weight takes features of: weights of SqueezeNet 1.1 "
        "(.h5), or any Keras model (.keras) of RGB in [0, 255]. With SqueezeNet --monitor_every "
        "measures squeezenet-kid too.",
    )
    pretrain_epochs: int = knob(
        0, "Epochs of the generator alone, before the adversary.", minimum=0
    )
    generator_every: int = knob(
        1, "Update the generator at every so manieth step of adversarial training.", minimum=1
    )
    discriminator_every: int = knob(1, "Likewise the discriminator.", minimum=1)
    uniform_share: float = knob(
        0.5,
        "Share of the uniform prior in class weights: 1 weighs all colors alike.",
        minimum=0,
        maximum=1,
    )
    temperature: float = knob(
        0.38,
        "Of the annealed mean: 1 gives the mean color, toward 0 the likeliest.",
        minimum=0.01,
        maximum=1,
    )

    image_size: int = knob(256, "Height and width of the training crops, in pixels.", minimum=16)
    crop_area: float = knob(
        0.5,
        "Smallest share of a picture's area that is drawn for a crop; the crop is what of it lies "
        "in the picture, no longer than 4:3.",
        minimum=0.01,
        maximum=1,
    )
    flip: bool = knob(True, "Mirror half of the crops.")
    lightness_jitter: float = knob(
        0.0,
        "Largest change of lightness gamma and range in training, as a share; chroma stays.",
        minimum=0,
        maximum=0.5,
    )
    aging: float = knob(
        0.0,
        "Share of crops whose gray is made to look like an old print: faded, grainy, blurred, "
        "dusty, of other film.",
        minimum=0,
        maximum=1,
    )
    cache: str = knob(
        "none", "Keep encoded pictures: none, memory, or a folder, for later runs too."
    )
    shuffle_buffer: int = knob(50_000, "Pictures among which the next is drawn.", minimum=1)
    data_service: str = knob(
        "",
        "HOST:PORT of the dispatcher of a tf.data service (pipelines.data_service), whose workers "
        "read and crop the pictures. Empty: this process does.",
    )

    batch_size: int = knob(16, "Pictures in a step, over all devices together.", minimum=1)
    epochs: int = knob(20, "Epochs to train.", minimum=1)
    steps_per_epoch: int = knob(
        0,
        "Steps between two checkpoints, sheets and lines of history. 0: one pass over the data.",
        minimum=0,
    )
    seed: int = knob(
        0, "Fixes initial weights, order, crops and dropout.", minimum=0, maximum=2**32 - 1
    )

    learning_rate: float = knob(2e-4, "Of both optimizers, at its peak.", minimum=0)
    beta_1: float = knob(0.5, "Adam's decay of the mean.", minimum=0, maximum=0.9999)
    beta_2: float = knob(0.999, "Adam's decay of the variance.", minimum=0, maximum=0.999999)
    weight_decay: float = knob(0.0, "Decoupled weight decay (AdamW).", minimum=0)
    clip_norm: float = knob(0.0, "Largest global norm of the gradient; 0: no clipping.", minimum=0)
    schedule: str = knob("constant", "Course of the learning rate.", SCHEDULES)
    warmup_steps: int = knob(0, "Steps of linear warm-up (not for plateau).", minimum=0)
    decay_epochs: int = knob(10, "Epochs between the drops of `step`.", minimum=1)
    decay_factor: float = knob(
        0.5, "Factor of the drops of `step` and `plateau`.", minimum=0.01, maximum=0.99
    )
    monitor: str = knob(
        "auto",
        "What `plateau` and --early_stopping take for progress, and by which the best checkpoint "
        "is kept beside the latest; auto: val_loss, or loss without --val_data, and no best "
        "checkpoint.",
        MONITORS,
    )
    monitor_every: int = knob(
        0,
        "Measure the figures of the evaluation on pictures of --val_data every so many epochs; 0: "
        "never.",
        minimum=0,
    )
    monitor_pictures: int = knob(
        64, "Pictures that they are measured on, the same at every time.", minimum=2
    )
    patience: int = knob(
        3,
        "Epochs without progress before `plateau` drops; those that do not measure --monitor "
        "count for nothing.",
        minimum=1,
    )
    early_stopping: int = knob(
        0, "Epochs without progress before the run stops, counted alike; 0: never.", minimum=0
    )
    ema: float = knob(
        0.0,
        "Momentum of averaged generator weights, used for sheets and export; 0: no average.",
        minimum=0,
        maximum=0.99999,
    )

    precision: str = knob("float32", "Of layers; variables stay in float32.", PRECISIONS)
    xla: bool = knob(False, "Compile steps with XLA.")
    logical_devices: int = knob(
        0, "Train over so many logical CPU devices; 0: every visible GPU, or the CPU.", minimum=0
    )
    keep_checkpoints: int = knob(3, "Latest checkpoints kept.", minimum=1)
    dry_run: bool = knob(False, "Print the plan, run one step, write nothing.")

    def __post_init__(self):
        for field in dataclasses.fields(self):
            _check_field(field, getattr(self, field.name))
        for rule, message in _CROSS_CHECKS:
            if rule(self):
                raise ConfigError(message(self))

    @property
    def is_adversarial(self):
        """Whether a discriminator trains too."""
        return self.discriminator != "none"

    @property
    def is_quantized(self):
        """Whether the network predicts bins of chroma."""
        return self.codec in QUANTIZED_GENERATORS

    @property
    def measures_features(self):
        """Whether the figures measured during training include those of SqueezeNet."""
        is_squeezenet = self.feature_weights and not self.feature_weights.endswith(".keras")
        return bool(self.monitor_every and is_squeezenet)

    @property
    def size_multiple(self):
        """Pixels that height and width of the generator's input must be a multiple of."""
        return {
            "unet": 2**self.depth,
            "pretrained_unet": 32,
            "encoder_decoder": 32,
            "chroma": 32,
        }.get(self.generator, 16)


# Knobs that mean nothing without what they belong to.
_OF_COLORNET = ("noise_size", "leaky_slope", "downsampling", "upsampling")
_OF_PRETRAINED = ("encoder",)
_WITH_PRETRAINED_ENCODERS = ("pretrained_unet", "chroma")
_ADVERSARIAL = (
    "pretrain_epochs",
    "label_smoothing",
    "gradient_penalty",
    "perceptual_weight",
    "generator_every",
    "discriminator_every",
)


def _set(config, *names):
    """Those of the knobs that are not at their defaults."""
    defaults = {field.name: field.default for field in dataclasses.fields(config)}
    return [name for name in names if getattr(config, name) != defaults[name]]


# Each: when it is wrong, and what to say.
_CROSS_CHECKS = (
    (
        lambda c: c.image_size % c.size_multiple,
        lambda c: (
            f"`{c.generator}` needs a height and width that are multiples of {c.size_multiple}. "
            f"Received: --image_size={c.image_size}. Set --image_size="
            f"{max(1, round(c.image_size / c.size_multiple)) * c.size_multiple}"
            + (f", or a smaller --depth (now {c.depth})." if c.generator == "unet" else ".")
        ),
    ),
    (
        lambda c: c.is_quantized != (c.loss == "quantized_crossentropy"),
        lambda c: (
            f"--codec={' or '.join(QUANTIZED_GENERATORS)} and --loss=quantized_crossentropy go "
            f"together. Received: --codec={c.codec} --loss={c.loss}. Set both, or neither."
        ),
    ),
    (
        lambda c: (
            c.is_quantized and (c.is_adversarial or c.generator != QUANTIZED_GENERATORS[c.codec])
        ),
        lambda c: (
            f"--codec={c.codec} predicts bins: it takes "
            f"--generator={QUANTIZED_GENERATORS[c.codec]} and --discriminator=none. Received: "
            f"--generator={c.generator} --discriminator={c.discriminator}."
        ),
    ),
    (
        lambda c: c.is_adversarial and c.generator in ("residual", "chroma"),
        lambda c: (
            f"A discriminator judges predictions at the picture's own size, and `{c.generator}` "
            "predicts at a quarter of it. Set --generator=unet, or --discriminator=none."
        ),
    ),
    (
        lambda c: not c.is_adversarial and _set(c, *_ADVERSARIAL),
        lambda c: (
            f"--{_set(c, *_ADVERSARIAL)[0]} belongs to adversarial training, and there is none. "
            "Set --discriminator=patch or whole, or leave it out."
        ),
    ),
    (
        lambda c: c.generator != "colornet" and _set(c, *_OF_COLORNET),
        lambda c: (
            f"--{_set(c, *_OF_COLORNET)[0]} is of `colornet`. Received: --generator={c.generator}. "
            "Set --generator=colornet, or leave it out."
        ),
    ),
    (
        lambda c: c.generator != "pretrained_unet" and _set(c, *_OF_PRETRAINED),
        lambda c: (
            f"--{_set(c, *_OF_PRETRAINED)[0]} is of `pretrained_unet`. Received: "
            f"--generator={c.generator}. Set --generator=pretrained_unet, or leave it out."
        ),
    ),
    (
        lambda c: c.encoder_weights and c.generator not in _WITH_PRETRAINED_ENCODERS,
        lambda c: (
            f"--encoder_weights is of `pretrained_unet` and `chroma`. Received: "
            f"--generator={c.generator}. Set --generator=pretrained_unet, or leave it out."
        ),
    ),
    (
        lambda c: c.gradient_penalty and c.discriminator_norm,
        lambda c: (
            "--gradient_penalty is on each picture's own slope, and batch norm mixes pictures. "
            "Set --nodiscriminator_norm."
        ),
    ),
    (
        lambda c: c.label_smoothing and c.adversarial_loss != "cross_entropy",
        lambda c: (
            "--label_smoothing goes with --adversarial_loss=cross_entropy, which has labels. "
            f"Received: --adversarial_loss={c.adversarial_loss}."
        ),
    ),
    (
        lambda c: (
            bool(c.perceptual_weight) != bool(c.feature_weights)
            and not (c.feature_weights and c.measures_features)
        ),
        lambda c: (
            "--perceptual_weight and --feature_weights go together. Received: "
            f"--perceptual_weight={c.perceptual_weight} --feature_weights={c.feature_weights}. "
            "Set both, or neither."
        ),
    ),
    (
        lambda c: c.monitor in MONITORED_FIGURES and not c.monitor_every,
        lambda c: (
            f"--monitor={c.monitor} is measured every --monitor_every epochs. Received: "
            "--monitor_every=0. Set --monitor_every=1."
        ),
    ),
    (
        lambda c: c.monitor == "squeezenet-kid" and not c.measures_features,
        lambda c: (
            "--monitor=squeezenet-kid needs weights of SqueezeNet 1.1 (.h5). Received: "
            f"--feature_weights={c.feature_weights}. Set --feature_weights=FILE.h5."
        ),
    ),
    (
        lambda c: (c.monitor_every or c.monitor == "val_loss") and not c.val_data,
        lambda c: (
            f"--{'monitor_every' if c.monitor_every else 'monitor=val_loss'} measures pictures of "
            "--val_data, and there are none. Set --val_data."
        ),
    ),
    (
        lambda c: c.monitor_every > c.epochs,
        lambda c: (
            "--monitor_every is at most --epochs. Received: "
            f"--monitor_every={c.monitor_every} --epochs={c.epochs}."
        ),
    ),
    (
        lambda c: c.monitor_every and c.image_size < MIN_MONITORED_SIZE,
        lambda c: (
            f"--monitor_every measures pictures of at least {MIN_MONITORED_SIZE} pixels. Received: "
            f"--image_size={c.image_size}. Set a larger one."
        ),
    ),
    (
        lambda c: not c.monitor_every and _set(c, "monitor_pictures"),
        lambda c: (
            "--monitor_pictures belongs to --monitor_every. Set --monitor_every=1, or leave it out."
        ),
    ),
    (
        lambda c: c.data_service and c.cache != "none",
        lambda c: (
            "--cache keeps pictures where they are read, and with --data_service other machines "
            f"read them. Received: --cache={c.cache}. Set --cache=none, or no --data_service."
        ),
    ),
    (
        lambda c: c.generator_every > 1 and c.discriminator_every > 1,
        lambda c: (
            "One of --generator_every and --discriminator_every is 1. Received: "
            f"{c.generator_every} and {c.discriminator_every}."
        ),
    ),
    (
        lambda c: c.discriminator != "none" and c.image_size < 2 ** (c.discriminator_depth + 1),
        lambda c: (
            f"A discriminator that halves the picture {c.discriminator_depth} times needs "
            f"{2 ** (c.discriminator_depth + 1)} pixels. Received: --image_size={c.image_size}. "
            "Set a smaller --discriminator_depth."
        ),
    ),
    (
        lambda c: c.schedule == "plateau" and c.warmup_steps,
        lambda c: (
            "--schedule=plateau starts at the full learning rate. Set --warmup_steps=0, or another "
            "--schedule."
        ),
    ),
    (
        lambda c: c.lightness_jitter and c.codec in ("gray_rgb", "lightness_rgb"),
        lambda c: (
            f"--lightness_jitter would part the condition from the target of --codec={c.codec}, "
            "which holds lightness too. Set --lightness_jitter=0."
        ),
    ),
)


def _check_field(field, value):
    meta, name = field.metadata, field.name
    if meta["choices"] and value not in meta["choices"]:
        raise ConfigError(f"--{name} is one of {', '.join(meta['choices'])}. Received: {value!r}.")
    low, high = meta["minimum"], meta["maximum"]
    # NaN compares false with all.
    if field.type is float and not abs(value) < float("inf"):
        raise ConfigError(f"--{name} is a finite number. Received: {value}.")
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ConfigError(f"--{name} is {bounds}. Received: {value}.")
