"""Pixels in, tensors out: color conversion, codecs, sources and the input chain."""
