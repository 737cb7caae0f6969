"""Tests of the keyholder, as a real process and part by part."""
