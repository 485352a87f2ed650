"""How commands reach us: CUSE and the socket. Transports only; what a command means is in lswd.ioctl."""
