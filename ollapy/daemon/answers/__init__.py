"""What goes back to a client: records and streams of them, and the end of both."""
