"""What must hold though something is killed: one module per slice, `measure` in each."""
