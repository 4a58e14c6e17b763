"""A photo through the layers of another system in PyTorch: what `end_to_end.py` compares with.

`PYTHON_WITH_TORCH benchmarks/peers.py NAME PHOTO OUTPUT`

Reads lines from standard input; for each colors PHOTO as that system's demo does (the network at
its own fixed size, chroma enlarged to the photo's) and prints the seconds of wall and of processor
time.
"""

import sys
import time

import cv2
import numpy as np
import torch
from peer_ddcolor import DDColor
from peer_sig17 import SIG17

PEERS = {"SIG17": SIG17, "DDColor-T": DDColor}


def main(name, photo, output):
    """Serves standard input."""
    model = PEERS[name]().eval()
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters", flush=True)
    for _ in sys.stdin:
        start, before = time.perf_counter(), time.process_time()
        bgr = cv2.imread(photo).astype(np.float32) / 255
        lab = cv2.cvtColor(bgr, cv2.COLOR_BGR2Lab)
        with torch.inference_mode():
            ab = model(model.input(lab[..., 0]))[0].permute(1, 2, 0).numpy()
        lab[..., 1:] = cv2.resize(ab, lab.shape[1::-1], interpolation=model.enlarging)
        colored = cv2.cvtColor(lab, cv2.COLOR_Lab2BGR) * 255
        cv2.imwrite(output, np.clip(np.round(colored), 0, 255).astype(np.uint8))
        print(time.perf_counter() - start, time.process_time() - before, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
