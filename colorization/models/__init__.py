"""Networks: builders of functional Keras models, on any Keras backend."""

from colorization.models.chroma import chroma
from colorization.models.colornet import colornet
from colorization.models.encoder_decoder import encoder_decoder
from colorization.models.patch import patch
from colorization.models.pretrained import pretrained_unet
from colorization.models.residual import residual
from colorization.models.unet import unet
from colorization.models.whole import whole

GENERATORS = {
    "chroma": chroma,
    "colornet": colornet,
    "encoder_decoder": encoder_decoder,
    "pretrained_unet": pretrained_unet,
    "residual": residual,
    "unet": unet,
}
DISCRIMINATORS = {"patch": patch, "whole": whole}
