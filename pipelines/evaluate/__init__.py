"""How good what we believe is: populations, what it is compared with, and the measures."""
