"""The Unicorn engine: guest code emulated, on any host. One Uc per process, guest threads as green threads on it."""
