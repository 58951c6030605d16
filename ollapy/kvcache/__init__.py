"""What was computed of prompts, kept beyond the memory of the model: first in the machine's memory, then in files."""
