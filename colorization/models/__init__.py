"""Networks: builders of functional Keras models, on any Keras backend."""

from colorization.models.patch import patch
from colorization.models.residual import residual
from colorization.models.unet import unet

GENERATORS = {"residual": residual, "unet": unet}
DISCRIMINATORS = {"patch": patch}
