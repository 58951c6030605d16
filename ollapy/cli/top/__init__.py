"""`ollapy top`: what the daemon does now, again and again."""
