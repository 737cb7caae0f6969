"""What both ends of the keyholder's socket know: the requests, the statuses, and the worker's client."""
