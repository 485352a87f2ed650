"""lswd: an NT kernel in Python that runs Windows programs under a Windows userland."""

__version__ = "0.1.0"
