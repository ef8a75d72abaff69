"""What runs in Flink: SQL files and folds."""
