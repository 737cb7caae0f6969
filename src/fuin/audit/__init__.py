"""The audit log: its hash chain (pure), its durable files, its reader and its verifier."""
