"""`ollapy bench`: how fast a model is on this machine, measured through the API as its users have it."""
