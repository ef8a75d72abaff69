"""What we do offline: replay and simulate."""
