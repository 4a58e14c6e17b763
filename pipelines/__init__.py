"""Pixels in, tensors out: color conversion, codecs, sources and the input chain."""

import os
import sys

# `python -m` looks for modules in the working folder first, where a user's queue.py or random.py
# would take the place of Python's own. While it looks for its command, this is its name.
if sys.argv[:1] == ["-m"] and sys.path[:1] == [os.getcwd()]:
    sys.path.append(sys.path.pop(0))
