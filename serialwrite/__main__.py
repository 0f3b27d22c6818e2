"""``python -m serialwrite``: the command line, where the script is not on the PATH."""

from .cli import main

if __name__ == "__main__":
    main()
