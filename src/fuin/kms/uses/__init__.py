"""What keys are used for: encryption, data keys, signatures, MACs, key agreement and encapsulation."""
