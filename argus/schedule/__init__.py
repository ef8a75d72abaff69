"""What must happen at a time of the day: which jobs are due, and each run once, in a process of its own."""
