"""Builders of TensorFlow Datasets for what `sources` reads from folders: prepare once, read fast.

Each takes its files from the manual folder of TFDS; see docs/data.md.
"""
