"""EC2 in this process, and its clients."""
