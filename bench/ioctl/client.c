/* Times the two commands on several devices by turns. usage: client ROUNDS CALLS DEVICE...
   Prints a line a measurement: device, command, microseconds a call. A device whose name begins with lsw is lswd
   itself: there the first command is refused (nothing is registered), the second is a question of the system. */
#include "commands.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

int main(int count, char **words)
{
    int rounds = atoi(words[1]), calls = atoi(words[2]), files[8];

    for (int i = 3; i < count && i < 11; i++)
        if ((files[i - 3] = open(words[i], O_RDWR)) < 0)
            fail(words[i]);
    for (int round = 0; round < rounds; round++)
        for (int i = 3; i < count && i < 11; i++) {
            struct request request;
            int lswd = !strncmp(words[i], "/dev/lsw", 8);
            double start = now();
            for (int n = 0; n < calls; n++)
                if (ioctl(files[i - 3], EXECUTE, 99999999) != (lswd ? -1 : 0) || (lswd && errno != ESRCH))
                    fail("EXECUTE");
            double middle = now();
            for (int n = 0; n < calls; n++) {
                memset(&request, 0, sizeof request);
                request.number = lswd ? 0x36 : n;
                if (ioctl(files[i - 3], SYSCALL, &request) != 0 || request.result != (lswd ? 0 : (uint64_t)n + 1))
                    fail("SYSCALL");
            }
            double end = now();
            printf("%s value %.3f\n", words[i], (middle - start) / calls);
            printf("%s struct %.3f\n", words[i], (end - middle) / calls);
        }
    return 0;
}
