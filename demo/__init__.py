"""The main job, played with the real aws command line: `make demo`."""
