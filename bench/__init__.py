"""Figures: CPU per request and per gigabyte, rates and memory, side by side with the moto server."""
