"""A vLLM that ollapy starts: its arguments, its process, and a runner that speaks for it.

The runner is a child of the daemon's like any other and speaks the same frames. It starts `vllm serve` on a loopback
port with a key of its own, asks it over HTTP, and ends it when the daemon says so or is gone.
"""
