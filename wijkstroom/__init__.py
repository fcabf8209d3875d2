"""The command line and the wiring of everything into a running whole."""

__version__ = "0.1.0"
