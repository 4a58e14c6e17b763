"""What options of a training run may be, by name."""

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
    """What is known of a generator before it is built; its module in `models` says the rest.

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
