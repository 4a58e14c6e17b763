"""What options of a training run may be, by name; and which go together, with what to do if not."""

import dataclasses

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


@dataclasses.dataclass(frozen=True)
class Generator:
    """What is known of a generator before it is built; see its module in `models`.

    Args:
        size_multiple: Pixels that height and width of its input are multiples of; None: 2 ** depth.
        codec: The only codec that it goes with, whose bins it predicts at a quarter of the size.
            Empty: it predicts any other codec's target, at the size of the input.
    """

    size_multiple: int | None
    codec: str = ""


GENERATORS = {
    "unet": Generator(None),
    "pretrained_unet": Generator(32),
    "colornet": Generator(16),
    "encoder_decoder": Generator(32),
    "residual": Generator(16, codec="quantized_ab"),
    "chroma": Generator(32, codec="hinted_ab"),
}
# Codec of bins: the generator that predicts them.
BINS = {about.codec: name for name, about in GENERATORS.items() if about.codec}
ENCODERS = ("mobilenet_v2", "resnet50")
DOWNSAMPLINGS = ("max_pool", "strided")
UPSAMPLINGS = ("transposed", "resize")
NOISE_INJECTIONS = ("modulation", "map")
DISCRIMINATORS = ("none", "patch", "whole", "features")
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


def problems(config):
    """Yields what no run can have of a `Config`, a line for each rule that is broken."""
    for group in _GROUPS:
        yield from group(config)


def _describe_misplaced(config, field):
    """Says to which networks, which are not there, a knob belongs that is set."""
    owners = field.metadata["of"]
    if owners == ("discriminator",):
        return (
            f"--{field.name} belongs to adversarial training, and there is none. "
            f"Set --discriminator={', '.join(DISCRIMINATORS[1:-1])} or {DISCRIMINATORS[-1]}, or "
            "leave it out."
        )
    names = " and ".join(f"`{owner}`" for owner in owners)
    kind = "discriminator" if owners[0] in DISCRIMINATORS else "generator"
    return (
        f"--{field.name} belongs to {names}. Received: --{kind}={getattr(config, kind)}. "
        f"Set --{kind}={owners[0]}, or leave it out."
    )


def _networks(c):
    """Networks, and the losses that they learn by."""
    if c.image_size % c.size_multiple:
        yield (
            f"`{c.generator}` needs a height and width that are multiples of {c.size_multiple}. "
            f"Received: --image_size={c.image_size}. Set --image_size="
            f"{max(1, round(c.image_size / c.size_multiple)) * c.size_multiple}"
            + (f", or a smaller --depth (now {c.depth})." if c.generator == "unet" else ".")
        )
    if c.is_quantized != (c.loss == "quantized_crossentropy"):
        yield (
            f"--codec={' or '.join(BINS)} and --loss=quantized_crossentropy go "
            f"together. Received: --codec={c.codec} --loss={c.loss}. Set both, or neither."
        )
    if c.is_quantized and c.generator != BINS[c.codec]:
        yield (
            f"--codec={c.codec} predicts bins: it takes --generator={BINS[c.codec]}. Received: "
            f"--generator={c.generator}."
        )
    if c.discriminator in ("patch", "whole") and GENERATORS[c.generator].codec:
        yield (
            f"`{c.discriminator}` judges predictions at the picture's own size, and "
            f"`{c.generator}` predicts at a quarter of it. Set --discriminator=features or none."
        )
    for field in dataclasses.fields(c):
        if getattr(c, field.name) != field.default and not c.takes(field.name):
            yield _describe_misplaced(c, field)
    if c.start_from and c.encoder_weights:
        yield (
            "--start_from gives all weights of the generator, its encoder's too. Received: "
            f"--encoder_weights={c.encoder_weights}. Leave one of the two out."
        )
    if c.gradient_penalty and c.discriminator_norm:
        yield (
            "--gradient_penalty is on each picture's own slope, and batch norm mixes pictures. "
            "Set --nodiscriminator_norm."
        )
    if c.label_smoothing and c.adversarial_loss != "cross_entropy":
        yield (
            "--label_smoothing goes with --adversarial_loss=cross_entropy, which has labels. "
            f"Received: --adversarial_loss={c.adversarial_loss}."
        )
    if bool(c.perceptual_weight) != bool(c.feature_weights) and not (
        c.feature_weights and c.measures_features
    ):
        yield (
            "--perceptual_weight and --feature_weights go together. Received: "
            f"--perceptual_weight={c.perceptual_weight} --feature_weights={c.feature_weights}. "
            "Set both, or neither."
        )


def _measuring(c):
    """What is measured while training."""
    if c.monitor in MONITORED_FIGURES and not c.monitor_every:
        yield (
            f"--monitor={c.monitor} is measured every --monitor_every epochs. Received: "
            "--monitor_every=0. Set --monitor_every=1."
        )
    if c.monitor == "squeezenet-kid" and not c.measures_features:
        yield (
            "--monitor=squeezenet-kid needs weights of SqueezeNet 1.1 (.h5). Received: "
            f"--feature_weights={c.feature_weights}. Set --feature_weights=FILE.h5."
        )
    if (c.monitor_every or c.monitor == "val_loss") and not c.val_data:
        yield (
            f"--{'monitor_every' if c.monitor_every else 'monitor=val_loss'} measures pictures of "
            "--val_data, and there are none. Set --val_data."
        )
    if c.monitor_every > c.epochs:
        yield (
            "--monitor_every is at most --epochs. Received: "
            f"--monitor_every={c.monitor_every} --epochs={c.epochs}."
        )
    if c.monitor_every and c.image_size < MIN_MONITORED_SIZE:
        yield (
            f"--monitor_every measures pictures of at least {MIN_MONITORED_SIZE} pixels. Received: "
            f"--image_size={c.image_size}. Set a larger one."
        )
    if c.monitor_pictures != type(c).monitor_pictures and not c.monitor_every:
        yield (
            "--monitor_pictures belongs to --monitor_every. Set --monitor_every=1, or leave it out."
        )


def _course(c):
    """Reading, steps and schedules."""
    if c.data_service and c.cache != "none":
        yield (
            "--cache keeps pictures where they are read, and with --data_service other machines "
            f"read them. Received: --cache={c.cache}. Set --cache=none, or no --data_service."
        )
    if c.generator_every > 1 and c.discriminator_every > 1:
        yield (
            "One of --generator_every and --discriminator_every is 1. Received: "
            f"{c.generator_every} and {c.discriminator_every}."
        )
    if c.takes("discriminator_depth") and c.image_size < 2 ** (c.discriminator_depth + 1):
        yield (
            f"A discriminator that halves the picture {c.discriminator_depth} times needs "
            f"{2 ** (c.discriminator_depth + 1)} pixels. Received: --image_size={c.image_size}. "
            "Set a smaller --discriminator_depth."
        )
    if c.schedule == "plateau" and c.warmup_steps:
        yield (
            "--schedule=plateau starts at the full learning rate. Set --warmup_steps=0, or another "
            "--schedule."
        )
    if c.lightness_jitter and c.codec in ("gray_rgb", "lightness_rgb"):
        yield (
            f"--lightness_jitter would part the condition from the target of --codec={c.codec}, "
            "which holds lightness too. Set --lightness_jitter=0."
        )


_GROUPS = (_networks, _measuring, _course)
