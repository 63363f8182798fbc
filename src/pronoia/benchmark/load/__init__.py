"""pronoia bench load: requests that arrive when they are due, whether or not the server keeps up."""
