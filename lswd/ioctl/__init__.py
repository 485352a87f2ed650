"""The /dev/lsw ABI: command numbers, structures, argument layouts of each protocol generation, and what they mean."""
