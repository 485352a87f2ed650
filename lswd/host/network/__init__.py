"""What this host's kernel says of its network: interfaces, addresses, routes, neighbours, connections, counters."""
