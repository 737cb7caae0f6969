"""Attacks that cross the rooms: each test is one that worked once."""
