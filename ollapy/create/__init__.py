"""Making models: of other models, of files, and of what a Modelfile says besides.

CreateRequest ──recipe──▶ Recipe ─┐
files ──convert, gguf_files──▶ Base ──precision──▶ Base ──layers──▶ Manifest
"""
