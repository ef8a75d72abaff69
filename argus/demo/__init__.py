"""The demonstration: a CI day replayed in a namespace of its own, watched, and counted again."""
