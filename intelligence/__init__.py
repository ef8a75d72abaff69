"""What we ask: the request/response client, its cache, and who answers."""
