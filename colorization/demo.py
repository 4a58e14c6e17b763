"""Colors the sample photographs: `colorization demo`.

Takes scikit-image's own photographs, turns them gray, colors them with the released model by the
ordinary command, and sets gray, colored and original side by side on one sheet.
"""

import os
import tempfile

from pipelines import console

FOLDER = "demo"
HEIGHT = 256


def main(arguments=()):
    """Writes `demo/` and prints the path of the sheet."""
    from colorization import colorize
    from pipelines.color.gray import to_gray
    from pipelines.files import sample_photos
    from pipelines.photos import photo_files

    names = sample_photos()
    originals = [photo_files.read_picture(name) for name in names]
    with tempfile.TemporaryDirectory() as gray_folder:
        for name, original in zip(names, originals, strict=True):
            stem = os.path.splitext(os.path.basename(name))[0]
            photo_files.write_picture(os.path.join(gray_folder, f"{stem}.png"), to_gray(original))
        status = colorize.main(["colorize", gray_folder, f"--output={FOLDER}", "--overwrite"])
        if status:
            return status
        rows = []
        for gray_name in sorted(os.listdir(gray_folder)):
            index = next(i for i, n in enumerate(names) if gray_name[:-4] in n)
            gray = photo_files.read_picture(os.path.join(gray_folder, gray_name))
            colored = photo_files.read_picture(os.path.join(FOLDER, gray_name))
            rows.append([gray, colored, originals[index]])
    path = os.path.join(FOLDER, "before_after.png")
    photo_files.write_picture(path, sheet(rows, HEIGHT), overwrite=True)
    print(f"Gray, colored and original side by side: {os.path.abspath(path)}")
    return 0


def sheet(rows, height):
    """Sets rows of uint8 pictures of any sizes on one white sheet, each `height` pixels high."""
    import cv2
    import numpy as np

    strips = []
    for row in rows:
        scaled = [
            cv2.resize(
                picture,
                (max(1, round(picture.shape[1] * height / picture.shape[0])), height),
                interpolation=cv2.INTER_AREA if picture.shape[0] > height else cv2.INTER_CUBIC,
            )
            for picture in row
        ]
        strips.append(np.concatenate(scaled, axis=1))
    widest = max(strip.shape[1] for strip in strips)
    padded = [
        np.pad(strip, ((0, 0), (0, widest - strip.shape[1]), (0, 0)), constant_values=255)
        for strip in strips
    ]
    return np.concatenate(padded)


if __name__ == "__main__":
    console.run_command(main, lambda: None)
