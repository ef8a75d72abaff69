"""What flows: records, topics, jobs, feature keys, settings, errors and metric names. Imports nothing of ours."""
