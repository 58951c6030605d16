"""The wire formats of other APIs over the one generation pipeline: pure translation, both ways.

A module has one format: its requests become Ollama's, Ollama's records become its answers and events.
"""
