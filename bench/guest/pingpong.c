/* One byte to and fro on each of many connections of this program with itself, overlapped, one thread and one completion
   port: pingpong.exe CONNECTIONS ROUNDS. Prints the seconds of it. */
#include <winsock2.h>

#include "clock.h"

struct end {
    OVERLAPPED receiving, sending;
    SOCKET socket;
    char in, out;
    int rounds; /* to go */
    int starts; /* does it send first? */
};

static void must(int right, const char *what)
{
    if (!right) {
        fprintf(stderr, "%s: error %d\n", what, WSAGetLastError());
        exit(1);
    }
}

static void receive(struct end *end)
{
    WSABUF buffer = {1, &end->in};
    DWORD flags = 0;
    int result = WSARecv(end->socket, &buffer, 1, NULL, &flags, &end->receiving, NULL);
    must(!result || WSAGetLastError() == WSA_IO_PENDING, "WSARecv");
}

static void send_one(struct end *end)
{
    WSABUF buffer = {1, &end->out};
    int result = WSASend(end->socket, &buffer, 1, NULL, 0, &end->sending, NULL);
    must(!result || WSAGetLastError() == WSA_IO_PENDING, "WSASend");
}

static void become(struct end *end, SOCKET socket, HANDLE port, int rounds)
{
    BOOL yes = TRUE;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, (char *)&yes, sizeof yes);
    end->socket = socket;
    end->rounds = rounds;
    must(CreateIoCompletionPort((HANDLE)socket, port, (ULONG_PTR)end, 0) == port, "CreateIoCompletionPort");
    receive(end);
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 1, rounds = argc > 2 ? atoi(argv[2]) : 1;
    struct end *ends = calloc(2 * count, sizeof *ends);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int size = sizeof address;
    WSADATA data;
    must(!WSAStartup(MAKEWORD(2, 2), &data), "WSAStartup");
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
    must(!bind(listener, (struct sockaddr *)&address, size), "bind");
    must(!getsockname(listener, (struct sockaddr *)&address, &size), "getsockname");
    must(!listen(listener, 1), "listen");
    for (int i = 0; i < count; i++) {
        SOCKET client = socket(AF_INET, SOCK_STREAM, 0);
        must(!connect(client, (struct sockaddr *)&address, sizeof address), "connect");
        become(&ends[2 * i], client, port, rounds);
        ends[2 * i].starts = 1;
        become(&ends[2 * i + 1], accept(listener, NULL, NULL), port, rounds);
    }
    double started = now();
    for (int i = 0; i < count; i++)
        send_one(&ends[2 * i]);
    for (int left = 2 * count; left;) {
        DWORD bytes;
        ULONG_PTR key;
        OVERLAPPED *done;
        must(GetQueuedCompletionStatus(port, &bytes, &key, &done, INFINITE) && bytes == 1, "GetQueuedCompletionStatus");
        struct end *end = (struct end *)key;
        if (done == &end->sending)
            continue;
        if (--end->rounds)
            receive(end);
        else
            left--;
        if (end->rounds || !end->starts)
            send_one(end);
    }
    printf("%.9f\n", now() - started);
    return 0;
}
