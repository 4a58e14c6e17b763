"""Oxford 17 flowers: 1,360 photographs and three ways to split them.

The set is a folder of `jpg/image_0001.jpg` to `image_1360.jpg` and `datasplits.mat`, whose tables
`trn1`, `val1`, `tst1` to `tst3` hold numbers of pictures.

Source: Nilsback and Zisserman, "A Visual Vocabulary for Flower Classification", CVPR 2006;
https://www.robots.ox.ac.uk/~vgg/data/flowers/17/
"""

import os

from pipelines.errors import UserError, first_line
from pipelines.sources import listings

# Names as people give them, and the table of each.
SPLITS = {
    f"{name}{number}": f"{key}{number}"
    for name, key in (("train", "trn"), ("val", "val"), ("test", "tst"))
    for number in (1, 2, 3)
}


def open_split(specification, rest):
    """Opens `oxford17:PATH[:SPLIT]`, pictures by number; the split is `train1` unless given.

    Raises `UserError` if the split is none of `SPLITS`, or the folder is not laid out as above.
    """
    folder, split = rest, "train1"
    if not os.path.isdir(rest) and ":" in rest:
        folder, _, split = rest.rpartition(":")
    if split not in SPLITS:
        raise UserError(
            f"Oxford 17 is split into {', '.join(SPLITS)}. Received: {split}, in {specification}."
        )
    for path, is_there in (("jpg", os.path.isdir), ("datasplits.mat", os.path.isfile)):
        if not is_there(os.path.join(folder, path)):
            raise UserError(
                f"{specification} needs a folder with jpg/ and datasplits.mat in it. Received: "
                f"{folder}, which has no {path}. Unpack 17flowers.tgz there, and put "
                "datasplits.mat next to jpg/."
            )
    numbers = read_splits(os.path.join(folder, "datasplits.mat"))[split]
    return listings.from_files(
        specification, [os.path.join(folder, picture_path(number)) for number in numbers]
    )


def picture_path(number):
    """Path of a picture within the set, by its number from 1."""
    return os.path.join("jpg", f"image_{number:04d}.jpg")


def read_splits(path):
    """Reads `datasplits.mat`, a path or a file: a dict of sorted numbers by the names in `SPLITS`.

    Raises `UserError` if the file can't be read, or lacks a split.
    """
    try:
        import scipy.io
    except ImportError as error:
        raise UserError(
            "Oxford 17 keeps its splits in a MATLAB file, which scipy reads. Install it: "
            "pip install 'colorization[data]'."
        ) from error
    try:
        tables = scipy.io.loadmat(path)
        return {split: sorted(map(int, tables[key].ravel())) for split, key in SPLITS.items()}
    except Exception as error:
        # For a damaged file scipy may raise anything.
        raise UserError(
            f"{path} can't be read: {first_line(error)}. Expected a MATLAB file with the tables "
            f"{', '.join(SPLITS.values())}. Download it again."
        ) from error
