"""The embedded stack: real servers as children of one supervisor."""
