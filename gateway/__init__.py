"""What the world sees: HTTP and what comes in."""
