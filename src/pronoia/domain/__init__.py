"""What the server talks about: records, identifiers and errors. Standard library only."""
