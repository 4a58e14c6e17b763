"""Preference studies: people compare colorings without knowing whose they are."""
