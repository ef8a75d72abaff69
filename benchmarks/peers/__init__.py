"""Programs of other stream processors, run in an environment of their own (dependency group `peers`)."""
