/* Many clients at once. usage: crowd DEVICE PROCESSES CALLS
   Each process mixes commands of trivial.py, by value, with structs, waiting and interrupted, and checks every answer.
   Exits with 1 and says why when one is wrong. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

struct both {
    uint32_t first;
    uint32_t rest[21];
};
struct in {
    uint8_t bytes[288];
};
#define BY_VALUE _IOW('T', 1, uint32_t)
#define IN _IOW('T', 2, struct in)
#define OUT _IOR('T', 3, uint32_t)
#define BOTH _IOWR('T', 4, struct both)
#define WAIT _IO('T', 5)
#define LOOSE _IOWR('T', 13, struct both)

static void nothing(int number)
{
    (void)number;
}

static void wrong(const char *what, long got)
{
    printf("%s: %ld, errno %d\n", what, got, errno);
    fflush(stdout);
    _exit(1);
}

static void client(const char *device, int calls, unsigned seed)
{
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    int file = open(device, O_RDWR);

    if (file < 0)
        wrong("open", file);
    sigaction(SIGALRM, &action, NULL);
    for (int n = 0; n < calls; n++) {
        unsigned chance = rand_r(&seed);
        long got;
        switch (chance % 16) {
        default: {
            unsigned value = chance >> 8 & 0xffff;
            if ((got = ioctl(file, BY_VALUE, value)) != 2l * value + 1)
                wrong("by value", got);
            break;
        }
        case 8:
        case 9:
        case 10: {
            struct both both;
            memset(&both, chance & 0x7f, sizeof both);
            both.first = chance;
            if ((got = ioctl(file, chance & 256 ? BOTH : LOOSE, &both)) != 7 || both.first != chance + 1)
                wrong("both", got);
            for (int i = 0; i < 21; i++)
                if ((both.rest[i] & 0xff) != (chance & 0x7f))
                    wrong("rest", both.rest[i]);
            break;
        }
        case 11: {
            struct in in;
            memset(&in, chance >> 8 & 0xff, sizeof in);
            if ((got = ioctl(file, IN, &in)) != 288l * (chance >> 8 & 0xff))
                wrong("in", got);
            break;
        }
        case 12: {
            uint32_t out = 0;
            if ((got = ioctl(file, OUT, &out)) != 3 || out != 0x12345678)
                wrong("out", got);
            break;
        }
        case 13:
            if ((got = ioctl(file, WAIT, chance >> 8 & 3)) != 42)
                wrong("wait", got);
            break;
        case 14: {
            struct itimerval soon = {.it_interval = {0, 3000}, .it_value = {0, 3000}}, never = {0};
            setitimer(ITIMER_REAL, &soon, NULL);
            if ((got = ioctl(file, WAIT, 3600000)) != -1 || errno != EINTR)
                wrong("interrupted", got);
            setitimer(ITIMER_REAL, &never, NULL);
            break;
        }
        case 15:
            close(file);
            if ((file = open(device, O_RDWR)) < 0)
                wrong("open again", file);
            if ((got = ioctl(file, BOTH, 8)) != -1 || errno != EFAULT)
                wrong("bad pointer", got);
            break;
        }
    }
    _exit(0);
}

int main(int count, char **words)
{
    int status, bad = 0, number = atoi(words[2]);

    (void)count;
    for (int i = 0; i < number; i++)
        if (!fork())
            client(words[1], atoi(words[3]), i + 1);
    while (wait(&status) > 0)
        bad |= status;
    return bad ? 1 : 0;
}
