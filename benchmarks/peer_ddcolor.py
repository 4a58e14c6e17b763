"""The layers of DDColor-T in PyTorch, of random weights: they cost the same.

Source: Kang et al., "DDColor: Towards Photo-Realistic Image Colorization via Dual Decoders", ICCV
2023, and its released configuration: a ConvNeXt-T, a decoder of pixels and one of 100 colors.
55 million parameters.
"""

import cv2
import numpy as np
import torch
from torch import nn

WIDTHS, DEPTHS, HIDDEN, QUERIES = (96, 192, 384, 768), (3, 3, 9, 3), 256, 100


def normalize(x, norm):
    """Layer normalization of the channels of `(n, c, h, w)`."""
    return norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """A block of ConvNeXt."""

    def __init__(self, width):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.rest = nn.Sequential(
            nn.LayerNorm(width, 1e-6),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Linear(4 * width, width),
        )
        self.scale = nn.Parameter(torch.full((width,), 1e-6))

    def forward(self, x):
        """Adds to `x`."""
        branch = self.rest(self.depthwise(x).permute(0, 2, 3, 1)) * self.scale
        return x + branch.permute(0, 3, 1, 2)


class Shuffle(nn.Module):
    """Enlarges by pixel shuffle, and blurs."""

    def __init__(self, inputs, outputs, factor, norm):
        super().__init__()
        conv = nn.Conv2d(inputs, outputs * factor**2, 1)
        norms = [nn.BatchNorm2d(outputs * factor**2)] if norm else []
        self.layers = nn.Sequential(
            conv,
            *norms,
            nn.ReLU(True),
            nn.PixelShuffle(factor),
            nn.ReplicationPad2d((1, 0, 1, 0)),
            nn.AvgPool2d(2, 1),
        )

    def forward(self, x):
        """Enlarges."""
        return self.layers(x)


class Up(nn.Module):
    """A block of the decoder of pixels."""

    def __init__(self, inputs, short, outputs):
        super().__init__()
        self.shuffle, self.norm = Shuffle(inputs, outputs, 2, True), nn.BatchNorm2d(short)
        conv = nn.Conv2d(outputs + short, outputs, 3, padding=1)
        self.conv = nn.Sequential(conv, nn.ReLU(True), nn.BatchNorm2d(outputs))

    def forward(self, x, short):
        """Joins what is coarse and the encoder's features."""
        return self.conv(torch.relu(torch.cat([self.shuffle(x), self.norm(short)], 1)))


class Attend(nn.Module):
    """Colors look at the picture, then at each other."""

    def __init__(self):
        super().__init__()
        self.cross, self.own = (
            nn.MultiheadAttention(HIDDEN, 8, batch_first=True) for _ in range(2)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(HIDDEN) for _ in range(3))
        self.wide = nn.Sequential(nn.Linear(HIDDEN, 2048), nn.ReLU(), nn.Linear(2048, HIDDEN))

    def forward(self, colors, places, pixels, positions):
        """Moves the colors."""
        at = colors + places
        seen = self.cross(at, pixels + positions, pixels, need_weights=False)[0]
        colors = self.norms[0](colors + seen)
        at = colors + places
        colors = self.norms[1](colors + self.own(at, at, colors, need_weights=False)[0])
        return self.norms[2](colors + self.wide(colors))


def waves(height, width):
    """Positions as sines: `(1, h * w, HIDDEN)`."""
    rates = 10000 ** (-torch.arange(0, HIDDEN // 2, 2) / (HIDDEN // 2))
    sides = []
    for size in (height, width):
        angles = 2 * torch.pi * torch.arange(1, size + 1)[:, None] / size * rates
        sides.append(torch.stack([angles.sin(), angles.cos()], -1).flatten(1))
    rows, columns = (
        sides[0][:, None].expand(-1, width, -1),
        sides[1][None].expand(height, -1, -1),
    )
    return torch.cat([rows, columns], -1).flatten(0, 1)[None]


class DDColor(nn.Module):
    """From a gray RGB picture, `(1, 3, 512, 512)`, to ab, `(1, 2, 512, 512)`."""

    enlarging = cv2.INTER_NEAREST

    def __init__(self):
        super().__init__()
        self.stems, self.stages = nn.ModuleList(), nn.ModuleList()
        self.stem_norms, self.norms = nn.ModuleList(), nn.ModuleList()
        for index, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
            before, stride = (WIDTHS[index - 1], 2) if index else (3, 4)
            self.stems.append(nn.Conv2d(before, width, stride, stride))
            # That of the first stage follows its convolution, the others precede theirs.
            self.stem_norms.append(nn.LayerNorm(before if index else width, 1e-6))
            self.stages.append(nn.Sequential(*(Block(width) for _ in range(depth))))
            self.norms.append(nn.LayerNorm(width, 1e-6))
        self.ups = nn.ModuleList([Up(768, 384, 512), Up(512, 192, 512), Up(512, 96, 256)])
        self.last = Shuffle(256, HIDDEN, 4, False)
        self.projections = nn.ModuleList(nn.Conv2d(width, HIDDEN, 1) for width in (512, 512, 256))
        self.levels = nn.Parameter(torch.randn(3, HIDDEN))
        self.colors, self.places = (nn.Parameter(torch.randn(1, QUERIES, HIDDEN)) for _ in "12")
        self.attends = nn.ModuleList(Attend() for _ in range(9))
        linears = [layer for _ in range(3) for layer in (nn.Linear(HIDDEN, HIDDEN), nn.ReLU())]
        self.embed = nn.Sequential(nn.LayerNorm(HIDDEN), *linears[:-1])
        self.out = nn.Conv2d(QUERIES + 3, 2, 1)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[None, :, None, None])
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[None, :, None, None])

    def forward(self, rgb):
        """Predicts ab."""
        rgb = (rgb - self.mean) / self.deviation
        x, features = rgb, []
        for index, stem in enumerate(self.stems):
            norm = self.stem_norms[index]
            x = stem(normalize(x, norm)) if index else normalize(stem(x), norm)
            x = self.stages[index](x)
            features.append(normalize(x, self.norms[index]))
        x, scales = features[-1], []
        for up, short in zip(self.ups, features[-2::-1], strict=True):
            scales.append(x := up(x, short))
        pixels = [
            (projection(scale) + level[:, None, None]).flatten(2).transpose(1, 2)
            for projection, scale, level in zip(self.projections, scales, self.levels, strict=True)
        ]
        positions = [waves(*scale.shape[2:]) for scale in scales]
        colors = self.colors
        for index, attend in enumerate(self.attends):
            colors = attend(colors, self.places, pixels[index % 3], positions[index % 3])
        maps = torch.einsum("bqc,bchw->bqhw", self.embed(colors), self.last(x))
        return self.out(torch.cat([maps, rgb], 1))

    @staticmethod
    def input(lightness):
        """What the network gets of an array of L*."""
        small = cv2.resize(lightness, (512, 512))
        lab = np.dstack([small, np.zeros((512, 512, 2), np.float32)])
        return torch.from_numpy(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)).permute(2, 0, 1)[None]
