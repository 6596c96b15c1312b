"""Run the command line as `python -m dlx`."""

from dlx.cli import main

main()
