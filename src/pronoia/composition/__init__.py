"""Which class stands behind which port, and what is made of what."""
