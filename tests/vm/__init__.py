"""Tests that need a real /dev/cuse: they run inside User-Mode Linux, which boots on the host's own files in seconds."""
