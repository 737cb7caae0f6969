"""What the commands share that are clients: they ask Fuin, or AWS, as the usual credentials say."""
