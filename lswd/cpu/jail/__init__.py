"""The jail engine: guest code at native speed in a child process that can do nothing but hand calls to the kernel.

See docs/security.md for what the child can and cannot do.
"""
