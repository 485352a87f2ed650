"""``\\Device\\Nsi``: the Network Store Interface, tables of what the network is like. IP Helper asks it.

A table has rows of four parts: a key, and what can be set (rw), what changes (dynamic), what does not (static).
Source: Wine's public header wine/nsi.h, checked against the type information in the iphlpapi.dll of Wine 8.0.
"""
