"""Use cases, one a file. They take ports, decide, and know neither web nor database."""
