"""The layers of SIG17 in PyTorch, of random weights: they cost the same.

Source: Zhang et al., "Real-Time User-Guided Image Colorization with Learned Deep Priors", SIGGRAPH
2017, figure 2 and appendix: 34 million parameters.
"""

import cv2
import torch
from torch import nn


def conv(inputs, outputs, count, dilation=1):
    """`count` convolutions of 3 x 3 with ReLU, then batch normalization."""
    layers = []
    for index in range(count):
        width = inputs if index == 0 else outputs
        layers += [nn.Conv2d(width, outputs, 3, 1, dilation, dilation), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.BatchNorm2d(outputs))


class SIG17(nn.Module):
    """From lightness, hints and their mask, `(1, 4, 256, 256)`, to ab, `(1, 2, 256, 256)`."""

    enlarging = cv2.INTER_LINEAR

    def __init__(self):
        super().__init__()
        self.one, self.two = conv(4, 64, 2), conv(64, 128, 2)
        self.three, self.four = conv(128, 256, 3), conv(256, 512, 3)
        self.five, self.six = conv(512, 512, 3, 2), conv(512, 512, 3, 2)
        self.seven = conv(512, 512, 3)
        self.up_eight, self.short_eight = (
            nn.ConvTranspose2d(512, 256, 4, 2, 1),
            nn.Conv2d(256, 256, 3, 1, 1),
        )
        self.eight = conv(256, 256, 2)
        self.up_nine, self.short_nine = (
            nn.ConvTranspose2d(256, 128, 4, 2, 1),
            nn.Conv2d(128, 128, 3, 1, 1),
        )
        self.nine = conv(128, 128, 1)
        self.up_ten, self.short_ten = (
            nn.ConvTranspose2d(128, 128, 4, 2, 1),
            nn.Conv2d(64, 128, 3, 1, 1),
        )
        self.ten, self.out = nn.Conv2d(128, 128, 3, 1, 1), nn.Conv2d(128, 2, 1)

    def forward(self, x):
        """Predicts ab."""
        one = self.one(x)
        two = self.two(one[..., ::2, ::2])
        three = self.three(two[..., ::2, ::2])
        seven = self.seven(self.six(self.five(self.four(three[..., ::2, ::2]))))
        eight = self.eight(torch.relu(self.up_eight(seven) + self.short_eight(three)))
        nine = self.nine(torch.relu(self.up_nine(eight) + self.short_nine(two)))
        ten = torch.relu(self.ten(torch.relu(self.up_ten(nine) + self.short_ten(one))))
        return torch.tanh(self.out(ten)) * 110

    @staticmethod
    def input(lightness):
        """What the network gets of an array of L*."""
        x = torch.zeros(1, 4, 256, 256)
        small = cv2.resize(lightness, (256, 256), interpolation=cv2.INTER_AREA)
        x[0, 0] = torch.from_numpy(small - 50)
        return x
