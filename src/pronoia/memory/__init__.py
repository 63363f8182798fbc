"""One user's memory in the process: columns, words and links, built from a snapshot and kept current."""
