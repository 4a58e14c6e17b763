"""Coloring of more photos than one machine holds, as a pipeline of Apache Beam."""
