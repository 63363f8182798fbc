"""What comes next: pure functions over arrays of past uses."""
