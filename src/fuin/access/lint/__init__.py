"""Warnings about policies that are valid, but may not do what their author thinks."""
