"""Tests of the formats, each against its vectors."""
