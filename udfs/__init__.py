"""How SQL calls models: three-line wrappers and their registry."""
