"""What comes over the wire and what goes back, as msgspec structs. Unknown fields of a request are ignored."""
