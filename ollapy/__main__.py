"""`python -m ollapy` is the `ollapy` command."""

from ollapy.cli.main import main

if __name__ == "__main__":
    main()
