"""Runner processes: which live, what they are loaded with, and what memory there is for them."""
