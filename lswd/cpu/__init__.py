"""Engines that run guest code. ``engine`` is the interface; each engine has a package of its own."""
