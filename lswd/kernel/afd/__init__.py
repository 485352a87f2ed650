"""``\\Device\\Afd``: sockets. Wine's ws2_32 talks to it in controls of its own, which ``protocol`` declares.

``endpoint`` is the socket as an object and what it has become of; the other modules are what programs do with it.
Everything waits through ``watch``: one epoll, looked at by one task of the event loop, which starts with the
first operation that has to wait.
"""
