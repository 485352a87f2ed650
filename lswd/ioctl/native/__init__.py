"""Native system calls: what LSW's own clients ask for with SYSCALL. They run in the caller's session, as the caller."""
