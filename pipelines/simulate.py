"""A seeded CI history with its truth in a file of its own; imports no model."""
