"""What the inside asks of the outside: small protocols, and the records that cross them."""
