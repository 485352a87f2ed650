"""The character device: the CUSE protocol on /dev/cuse, spoken directly.

`wire` declares its messages, `channel` moves them over the descriptor, `node` looks after /dev/NAME, `server` answers
requests and drives a service with them.
"""
