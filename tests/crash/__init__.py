"""`kill -9` between any two steps and at random times: what was acknowledged is there, nothing half-written shows."""
