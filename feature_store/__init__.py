"""What we remember: the online and the history writer, and the one reader."""
