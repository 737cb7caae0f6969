"""AWS KMS's service model: the shapes of inputs and outputs, their constraints, and the errors that these raise."""
