"""The commands, one module a group; argus/__main__.py joins them."""
