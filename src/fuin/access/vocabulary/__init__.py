"""AWS's words: the actions, the condition keys, and which action brings which condition key."""
