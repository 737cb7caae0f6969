"""Tests of the house itself: who may import whom, sizes, words, files."""
