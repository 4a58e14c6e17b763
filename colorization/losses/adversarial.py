"""Adversarial losses, each a pair of pure functions of logits.

Law of the file: logits are what a discriminator says before any sigmoid, of any shape, so that a
map of patches and one number for each picture share these functions. Real logits are to rise, fake
ones to fall. Every function returns a float32 scalar: the mean over all logits. Any Keras backend.
"""

from keras import ops


def cross_entropy_discriminator(real_logits, fake_logits, real_labels=1.0, fake_labels=0.0):
    """Binary cross-entropy of both answers, halved to slow the discriminator down as pix2pix does.

    Labels, numbers or tensors that broadcast to the logits, say how sure it is meant to be.

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014; Isola et al., 2017, section 3.3;
    labels: Salimans et al., "Improved Techniques for Training GANs", 2016, section 3.4.
    """
    real, fake = _float(real_logits), _float(fake_logits)
    real_loss = real_labels * ops.softplus(-real) + (1 - real_labels) * ops.softplus(real)
    fake_loss = fake_labels * ops.softplus(-fake) + (1 - fake_labels) * ops.softplus(fake)
    return (ops.mean(real_loss) + ops.mean(fake_loss)) / 2


def cross_entropy_generator(fake_logits):
    """Binary cross-entropy of fakes taken for real: the form that does not saturate.

    Source: Goodfellow et al., "Generative Adversarial Nets", 2014, section 3.
    """
    return ops.mean(ops.softplus(-_float(fake_logits)))


def least_squares_discriminator(real_logits, fake_logits):
    """Half the squared distance of real logits from 1 and of fake ones from 0.

    Source: Mao et al., "Least Squares Generative Adversarial Networks", 2017, equation 9.
    """
    return (ops.mean((_float(real_logits) - 1) ** 2) + ops.mean(_float(fake_logits) ** 2)) / 2


def least_squares_generator(fake_logits):
    """Half the squared distance of fake logits from 1.

    Source: Mao et al., "Least Squares Generative Adversarial Networks", 2017, equation 9.
    """
    return ops.mean((_float(fake_logits) - 1) ** 2) / 2


def hinge_discriminator(real_logits, fake_logits):
    """How far real logits fall short of 1, and fake ones exceed -1.

    Source: Lim and Ye, "Geometric GAN", 2017; Miyato et al., "Spectral Normalization for
    Generative Adversarial Networks", 2018, equation 16.
    """
    return ops.mean(ops.relu(1 - _float(real_logits))) + ops.mean(ops.relu(1 + _float(fake_logits)))


def wasserstein_discriminator(real_logits, fake_logits):
    """How far fake logits exceed real ones: for a critic held to a slope of 1 by other means.

    Source: Arjovsky et al., "Wasserstein Generative Adversarial Networks", 2017.
    """
    return ops.mean(_float(fake_logits)) - ops.mean(_float(real_logits))


def critic_generator(fake_logits):
    """How low the critic puts the fakes; the hinge and Wasserstein losses share it."""
    return -ops.mean(_float(fake_logits))


# Name: (discriminator_loss(real_logits, fake_logits), generator_loss(fake_logits)).
ADVERSARIAL_LOSSES = {
    "cross_entropy": (cross_entropy_discriminator, cross_entropy_generator),
    "least_squares": (least_squares_discriminator, least_squares_generator),
    "hinge": (hinge_discriminator, critic_generator),
    "wasserstein": (wasserstein_discriminator, critic_generator),
}


def _float(logits):
    return ops.cast(logits, "float32")
