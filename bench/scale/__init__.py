"""A model of an installation of many nodes: what each part can do, and which one is full first."""
