"""Serving: trained models as files that run without this code."""
