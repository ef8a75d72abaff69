"""What was noticed, to those who may see it: read from the log, kept in memory, listed, streamed, and answered."""
