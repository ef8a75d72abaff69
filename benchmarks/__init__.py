"""Promises about speed and about faults, measured."""
