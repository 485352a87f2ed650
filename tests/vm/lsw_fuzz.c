/* Random and mutated ioctls for /dev/lsw. usage: lsw_fuzz DEVICE PROCESSES CALLS SEED
   Sensible commands with odd arguments, mutated ones, and noise; a timer's signal ends what would wait for ever. Nothing
   is expected of an answer but that it comes. Says how many calls were made and how they were answered. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define FILES 4
#define ERRORS 256

static const uint32_t commands[] = {
    0x41204C01, 0x40044C02, 0x80044C03, 0x40044C04, 0xC0584C04, 0xC0584C05, 0xC0584C05, 0xC0584C05, 0xC0584C05,
    0xC0104C20, 0x40084C21, 0x80204C22, 0x40084C23, 0x90004C24, 0x411C4C01, 0xC0544C05,
};
static const uint32_t calls[] = {
    0x04, 0x06, 0x08, 0x0d, 0x0e, 0x0f, 0x18, 0x19, 0x1d, 0x1e, 0x26, 0x27, 0x2c,   0x33,   0x36,   0x3f,
    0x48, 0x50, 0x53, 0x55, 0x55, 0x55, 0x58, 0x75, 0xb3, 0xb8, 0xbd, 0xc4, 0x1000, 0x1001, 0x1002, 0x1003,
};
static const uint64_t edges[] = {
    0, 1, 2, 3, 4, 8, 0xff, 0x1000, 0x1001, 0x1002, 0x2000, 0x2001, 0xffff, 0x7fffffff, 0x80000000, 0xc0000000,
    0xfffffff5, 0xffffffff, 1ull << 32, 1ull << 63, -1ull, -11ull,
};
/* The files among them may exist; the device leads back to the daemon, and the memory is that of whoever opens it. */
static const char *const paths[] = {
    "a", "b", "no/such", "fifo", ".", "/etc/shadow", "/dev/lsw", "/dev/null", "/proc/self/mem", "/proc/1/mem",
};
static struct {
    long calls, answers[ERRORS];
} *results;

static uint64_t state;
static char *memory; /* two pages, of which the second is read-only, and one that is not there */
static long page;

static uint32_t chance(uint32_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 16) % limit;
}

static uint64_t number(void)
{
    switch (chance(5)) {
    case 0:
    case 1:
        return edges[chance(COUNT(edges))];
    case 2:
        return (uint64_t)(uintptr_t)(memory + chance(3 * page));
    case 3:
        return (uint64_t)(uintptr_t)paths[chance(COUNT(paths))];
    }
    return state >> chance(64);
}

static void fill(char *at, uint32_t command)
{
    uint32_t *words = (uint32_t *)at;

    for (int i = 0; i < 80; i++)
        words[i] = number();
    if ((command & 0xff) == 1) {
        words[5] = chance(3) ? getpid() : edges[chance(COUNT(edges))];
        strcpy(at + 28, paths[chance(COUNT(paths))]);
    } else if ((command & 0xff) < 6 && chance(20)) {
        words[0] = calls[chance(COUNT(calls))];
        words[1] = chance(6);
        for (int i = 0; i < 8; i++)
            *(uint64_t *)(at + 8 + 8 * i) = number();
        if (words[0] == 0x55 || words[0] == 0x26 || words[0] == 0xb3)
            *(uint64_t *)(at + 8) = chance(8) ? (uint64_t)(uintptr_t)paths[chance(COUNT(paths))] : number();
        if (words[0] == 0x55 && chance(3))
            words[1] = 4;
    } else if ((command & 0xff) >= 0x20)
        words[0] = chance(2) ? getpid() : words[0];
}

static void nothing(int number)
{
    (void)number;
}

static void client(const char *device, long count, int index)
{
    struct itimerval often = {.it_interval = {0, 20000}, .it_value = {0, 20000}};
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    int files[FILES];
    char directory[64];

    /* What goes to the standard streams is noise, too. */
    int null = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3; i++)
        dup2(null, i);
    page = sysconf(_SC_PAGESIZE);
    memory = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(memory + page, page, PROT_READ);
    mprotect(memory + 2 * page, page, PROT_NONE);
    snprintf(directory, sizeof directory, "/tmp/fuzz.%d", getpid());
    if (mkdir(directory, 0700) || chdir(directory) || mkfifo("fifo", 0600))
        _exit(2);
    for (int i = 0; i < FILES; i++)
        files[i] = open(device, O_RDWR);
    sigaction(SIGALRM, &action, NULL);
    /* A program that is told to end may tell its caller so. */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (long n = 0; n < count; n++) {
        uint32_t command = commands[chance(COUNT(commands))];
        int file = chance(FILES), places = page / 320, returned;

        fill(memory + 320 * chance(places), command);
        char *at = memory + 320 * chance(places);
        fill(at, command);
        uint64_t argument = (uint64_t)(uintptr_t)at;
        if (command == 0x40044C02 || command == 0x40044C04)
            argument = chance(3) ? (uint64_t)getpid() : number();
        else if (!chance(10))
            argument = number();
        if (!chance(10))
            command ^= 1u << chance(32);
        returned = ioctl(files[file], command, argument);
        results[index].answers[returned < 0 ? errno % ERRORS : 0]++;
        results[index].calls++;
        if (!chance(200)) {
            close(files[file]);
            files[file] = open(device, O_RDWR);
        }
    }
    _exit(0);
}

int main(int count, char **words)
{
    int status, bad = 0, number = count > 4 ? atoi(words[2]) : 0;
    long total = 0;

    results = mmap(NULL, (number + 1) * sizeof *results, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < number; i++)
        if (!fork()) {
            state = 0x9e3779b97f4a7c15ull * (1000 * atoi(words[4]) + i + 1);
            client(words[1], atol(words[3]) / number, i);
        }
    while (wait(&status) > 0)
        bad |= status;
    for (int i = 0; i < number; i++)
        total += results[i].calls;
    printf("%ld ioctls\n", total);
    for (int error = 0; error < ERRORS; error++) {
        long answers = 0;
        for (int i = 0; i < number; i++)
            answers += results[i].answers[error];
        if (answers)
            printf("%s: %ld\n", error ? strerror(error) : "done", answers);
    }
    return bad || !number ? 1 : 0;
}
