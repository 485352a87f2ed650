/* Many clients of /dev/lsw at once. usage: lsw_crowd DEVICE PROCESSES CALLS [SEED [disturbed]]
   Each process mixes commands, waits among them, and checks every answer, until it has made so many ioctls. Says how many
   all made, or exits with 1 and says why when an answer is wrong.
   disturbed: somebody kills sessions and daemons, so a command may fail; the client then opens the device again. It says
   how often. Wrong data is wrong all the same. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

struct pe_info {
    uint64_t base, entry;
    uint32_t image_size, pid;
    uint8_t is_64bit, reserved[3];
    char path[256];
};

struct request {
    uint32_t number, count;
    uint64_t arguments[8];
    uint64_t result;
    int32_t error;
};

#define REGISTER _IOW('L', 1, struct pe_info)
#define UNREGISTER _IOW('L', 2, int32_t)
#define STATUS _IOR('L', 3, int32_t)
#define EXECUTE _IOW('L', 4, int32_t)
#define SYSCALL_OLD _IOWR('L', 4, struct request)
#define SYSCALL _IOWR('L', 5, struct request)
#define AT(pointer) ((uint64_t)(uintptr_t)(pointer))

static const char *name;
static int device;
static unsigned seed;
static int disturbed;
static jmp_buf again;
static struct {
    long calls, failures;
} *own, *all;

#define ioctl(...) (own->calls++, ioctl(__VA_ARGS__))

static void nothing(int number)
{
    (void)number;
}

static void wrong(const char *what, long got)
{
    printf("%s: %ld, errno %d (%s)\n", what, got, errno, strerror(errno));
    fflush(stdout);
    _exit(1);
}

static void expect(const char *what, long expected, long got)
{
    if (expected != got && disturbed)
        longjmp(again, 1);
    if (expected != got)
        wrong(what, got);
}

/* What the system call returned; a failed ioctl() is wrong, and so is another error than the expected one. */
static uint64_t call(const char *what, int error, uint32_t number, uint32_t count, uint64_t a, uint64_t b, uint64_t c,
                     uint64_t d)
{
    struct request request;

    memset(&request, 0, sizeof request);
    request.number = number;
    request.count = count;
    request.arguments[0] = a;
    request.arguments[1] = b;
    request.arguments[2] = c;
    request.arguments[3] = d;
    /* Only files have another layout in the old numbering. */
    int old = number != 0x55 && number != 0x08 && number != 0x06 && rand_r(&seed) & 64;
    expect(what, 0, ioctl(device, old ? SYSCALL_OLD : SYSCALL, &request));
    expect(what, error, request.error);
    return request.result;
}

static void registrations(void)
{
    struct pe_info information = {.base = 0x140000000, .entry = 0x140001000, .image_size = 0x5000, .is_64bit = 1};
    int32_t count = 0;

    information.pid = getpid();
    strcpy(information.path, "unknown.exe");
    expect("execute before", -1, ioctl(device, EXECUTE, getpid()));
    expect("execute before", ESRCH, errno);
    expect("register", 0, ioctl(device, REGISTER, &information));
    expect("status", 0, ioctl(device, STATUS, &count));
    if (count < 1)
        wrong("count", count);
    if (rand_r(&seed) & 128) {
        expect("unregister", 0, ioctl(device, UNREGISTER, getpid()));
        return;
    }
    close(device); /* which does the same, once interrupted waits have ended */
    expect("open again", 1, (device = open(name, O_RDWR)) >= 0);
    for (int tries = 0; ioctl(device, EXECUTE, getpid()) == 0; tries++)
        if (tries == 2000)
            wrong("registered after close", tries);
        else
            usleep(1000);
}

static void files(void)
{
    char path[64], data[100], back[100];
    int length = 1 + rand_r(&seed) % 99;

    snprintf(path, sizeof path, "/tmp/crowd.%d", getpid());
    memset(data, 'a' + length % 26, sizeof data);
    uint64_t file = call("create", 0, 0x55, 4, AT(path), 0xC0000000, 2, 0);
    if (file < 0x1000 || file > 0xffff)
        wrong("handle", file);
    expect("write", length, call("write", 0, 0x08, 3, file, AT(data), length, 0));
    call("close", 0, 0x0f, 1, file, 0, 0, 0);
    file = call("open", 0, 0x55, 4, AT(path), 0x80000000, 3, 0);
    expect("read", length, call("read", 0, 0x06, 3, file, AT(back), sizeof back, 0));
    if (memcmp(data, back, length))
        wrong("data", length);
    call("close", 0, 0x0f, 1, file, 0, 0, 0);
    expect("close again", 0, call("close again", -EBADF, 0x0f, 1, file, 0, 0, 0));
}

static void waits(int interrupted)
{
    struct itimerval soon = {.it_interval = {0, 5000}, .it_value = {0, 5000}}, never = {0};
    struct request request = {.number = 0x04, .count = 2};
    uint64_t event = call("event", 0, 0x48, 2, 1, 0, 0, 0);

    if (interrupted) {
        request.arguments[0] = event;
        setitimer(ITIMER_REAL, &soon, NULL);
        int returned = ioctl(device, SYSCALL, &request), error = errno;
        setitimer(ITIMER_REAL, &never, NULL);
        expect("interrupted wait", -1, returned);
        expect("interrupted wait", EINTR, error);
        return;
    }
    expect("wait in vain", 0x102, call("wait in vain", 0, 0x04, 2, event, 1 + rand_r(&seed) % 10, 0, 0));
    call("set", 0, 0x0e, 1, event, 0, 0, 0);
    expect("wait", 0, call("wait", 0, 0x04, 2, event, 10000, 0, 0));
}

static void open_device(void)
{
    for (int tries = 0; (device = open(name, O_RDWR)) < 0; tries++)
        if (!disturbed || tries == 6000)
            wrong("open", device);
        else
            usleep(10000);
}

static void client(int calls)
{
    struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
    struct itimerval never = {0};

    sigaction(SIGALRM, &action, NULL);
    if (setjmp(again)) {
        setitimer(ITIMER_REAL, &never, NULL);
        own->failures++;
        close(device);
    }
    open_device();
    while (own->calls < calls)
        switch (rand_r(&seed) >> 8 & 15) {
        case 0:
        case 1:
        case 2:
            registrations();
            break;
        case 3:
        case 4:
            files();
            break;
        case 5:
            waits(0);
            break;
        case 6:
            waits(1);
            break;
        case 7:
            expect("bad pointer", -1, ioctl(device, SYSCALL, 8));
            expect("bad pointer", EFAULT, errno);
            break;
        case 8:
            expect("unknown command", -1, ioctl(device, _IO('L', 99), 0));
            expect("unknown command", EINVAL, errno);
            break;
        default: {
            uint64_t memory = call("allocate", 0, 0x18, 4, 0, 0x10000, 0x3000, 4);
            expect("protect", 4, call("protect", 0, 0x50, 3, memory, 0, 2, 0));
            call("free", 0, 0x1e, 3, memory, 0, 0, 0);
            call("free again", -EINVAL, 0x1e, 3, memory, 0, 0, 0);
        }
        }
    _exit(0);
}

int main(int count, char **words)
{
    int status, bad = 0, number = count > 3 ? atoi(words[2]) : 0;
    long calls = 0, failures = 0;

    name = words[1];
    disturbed = count > 5;
    all = mmap(NULL, (number + 1) * sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < number; i++) {
        seed = (count > 4 ? atoi(words[4]) * 1000 : 0) + i + 1;
        own = all + i;
        if (!fork())
            client(atoi(words[3]));
    }
    while (wait(&status) > 0)
        bad |= disturbed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : status;
    for (int i = 0; i < number; i++) {
        calls += all[i].calls;
        failures += all[i].failures;
    }
    printf("%ld ioctls", calls);
    printf(disturbed ? ", %ld failures\n" : "\n", failures);
    return bad || !number ? 1 : 0;
}
