"""Damaged programs: every one must end in a clear error or run, without a traceback, a hang or a GiB of memory."""
