"""pronoia import: the formats, the batches, and the command."""
