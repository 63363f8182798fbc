"""What is needed next: experts over a user's uses, one blend of them learned online, and probabilities that hold."""
