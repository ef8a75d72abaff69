"""What we believe: pure functions over frozen state; no input or output, no clock, no Flink."""
