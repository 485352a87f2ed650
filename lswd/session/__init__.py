"""Sessions: one user's unprivileged processes, which serve native calls and run programs. The daemon parses nothing."""
