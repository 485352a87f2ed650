/* A client of the kernel module, written from its header alone: it knows nothing of lswd. usage: module_client DEVICE
   Prints one line a call: what was done, what ioctl() returned (or its errno), and what a request came back with. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
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

static int device;

static void line(const char *what, int returned)
{
    if (returned < 0)
        printf("%s: %s\n", what, strerror(errno));
    else
        printf("%s: %d\n", what, returned);
}

static void status(void)
{
    int32_t count = -99;
    int returned = ioctl(device, STATUS, &count);
    line("status", returned);
    printf("  count %d\n", count);
}

/* The arguments end with the first that is not there: C fills the rest with zeros. */
static uint64_t call(const char *what, unsigned long command, uint32_t number, uint32_t count, uint64_t a, uint64_t b,
                     uint64_t c, uint64_t d)
{
    struct request request;

    memset(&request, 0, sizeof request);
    request.number = number;
    request.count = count;
    request.arguments[0] = a;
    request.arguments[1] = b;
    request.arguments[2] = c;
    request.arguments[3] = d;
    line(what, ioctl(device, command, &request));
    printf("  %#llx, error %d\n", (unsigned long long)request.result, request.error);
    return request.result;
}

#define NEW(what, ...) call(what, SYSCALL, __VA_ARGS__)
#define OLD(what, ...) call(what, SYSCALL_OLD, __VA_ARGS__)
#define AT(pointer) ((uint64_t)(uintptr_t)(pointer))

static void registration(void)
{
    struct pe_info information = {.base = 0x140000000, .entry = 0x140001000, .image_size = 0x5000, .is_64bit = 1};

    information.pid = getpid();
    strcpy(information.path, "unknown.exe");
    puts("# registration");
    status();
    line("register", ioctl(device, REGISTER, &information));
    status();
    line("execute", ioctl(device, EXECUTE, getpid()));
    line("execute another", ioctl(device, EXECUTE, 99999999));
    line("unregister", ioctl(device, UNREGISTER, getpid()));
    line("unregister again", ioctl(device, UNREGISTER, getpid()));
    line("execute when unregistered", ioctl(device, EXECUTE, getpid()));
    status();
    line("register nothing", ioctl(device, REGISTER, NULL));
    line("status to nowhere", ioctl(device, STATUS, 8));
    line("request nowhere", ioctl(device, SYSCALL, NULL));
    line("request of another size", ioctl(device, _IOC(3, 'L', 5, 84), &information));
    line("unknown command", ioctl(device, _IO('L', 9), 0));
    line("terminal command", ioctl(device, 0x5401, &information));
}

static void modern_files(void)
{
    const char *path = "/tmp/module_client.txt";
    char buffer[64] = "";

    puts("# files, number 5");
    unlink(path);
    uint64_t file = NEW("create", 0x55, 4, AT(path), 0xC0000000, 1, 0);
    NEW("create what exists", 0x55, 4, AT(path), 0xC0000000, 1, 0);
    NEW("open what does not exist", 0x55, 4, AT("/nonexistent/file"), 0x80000000, 3, 0);
    NEW("open a bad pointer", 0x55, 4, 8, 0x80000000, 3, 0);
    NEW("write", 0x08, 3, file, AT("hello, device"), 13, 0);
    NEW("write nothing", 0x08, 3, file, AT("x"), 0, 0);
    NEW("write from a bad pointer", 0x08, 3, file, 8, 5, 0);
    NEW("size", 0x1000, 1, file, 0, 0, 0);
    NEW("seek", 0x1001, 3, file, 7, 0, 0);
    NEW("seek from nowhere", 0x1001, 3, file, 0, 7, 0);
    NEW("read", 0x06, 3, file, AT(buffer), sizeof buffer, 0);
    printf("  \"%s\"\n", buffer);
    NEW("read at the end", 0x06, 3, file, AT(buffer), sizeof buffer, 0);
    NEW("read to a bad pointer", 0x1001, 3, file, 0, 0, 0);
    NEW("", 0x06, 3, file, 8, 5, 0);
    NEW("flush", 0x75, 1, file, 0, 0, 0);
    NEW("close", 0x0f, 1, file, 0, 0, 0);
    NEW("close again", 0x0f, 1, file, 0, 0, 0);
    NEW("write when closed", 0x08, 3, file, AT("x"), 1, 0);
    NEW("size of a descriptor", 0x1000, 1, 3, 0, 0, 0);
    unlink(path);
}

static void old_files(void)
{
    puts("# files, number 4");
    unlink("/tmp/test.txt");
    uint64_t file = OLD("create", 0x55, 3, 0xC0000000, 0, 2, 0);
    OLD("write", 0x08, 1, file, 0, 0, 0);
    OLD("close", 0x0f, 1, file, 0, 0, 0);
    file = OLD("open", 0x55, 3, 0x80000000, 1, 3, 0);
    OLD("read", 0x06, 2, file, 4096, 0, 0);
    OLD("close", 0x0f, 1, file, 0, 0, 0);
    unlink("/tmp/test.txt");
    OLD("open what does not exist", 0x55, 3, 0x80000000, 1, 3, 0);
    OLD("file size, not known yet", 0x1000, 1, 0x1000, 0, 0, 0);
}

static void objects(unsigned long command)
{
    printf("# objects, number %lu\n", command & 0xff);
    uint64_t event = call("event", command, 0x48, 2, 1, 0, 0, 0);
    call("wait in vain", command, 0x04, 2, event, 10, 0, 0);
    call("set", command, 0x0e, 1, event, 0, 0, 0);
    call("wait", command, 0x04, 2, event, 1000, 0, 0);
    call("close, which is for files", command, 0x0f, 1, event, 0, 0, 0);
    uint64_t mutant = call("mutant", command, 0xc4, 1, 1, 0, 0, 0);
    call("wait in vain", command, 0x04, 2, mutant, 10, 0, 0);
    call("release", command, 0x1d, 1, mutant, 0, 0, 0);
    call("wait", command, 0x04, 2, mutant, 10, 0, 0);
    call("wait for nothing", command, 0x04, 2, 0x7777, 10, 0, 0);
    uint64_t memory = call("allocate", command, 0x18, 4, 0x400000, 0x10000, 0x3000, 4);
    call("read memory", command, 0x3f, 3, 0, memory, 0x100, 0);
    call("protect", command, 0x50, 3, memory, 0x1000, 2, 0);
    call("protect again", command, 0x50, 3, memory, 0x1000, 4, 0);
    call("free", command, 0x1e, 3, memory, 0, 0, 0);
    call("free again", command, 0x1e, 3, memory, 0, 0, 0);
    call("allocate nothing", command, 0x18, 4, 0, 0, 0x3000, 4);
    call("system information 0", command, 0x36, 1, 0, 0, 0, 0);
    call("system information 9", command, 0x36, 1, 9, 0, 0, 0);
    call("terminate nobody", command, 0x2c, 2, 77, 1, 0, 0);
    call("load nothing", command, 0x26, 1, AT("/nonexistent.dll"), 0, 0, 0);
    call("unknown", command, 0x777, 0, 0, 0, 0, 0);
}

int main(int count, char **words)
{
    (void)count;
    setvbuf(stdout, NULL, _IOLBF, 0);
    device = open(words[1], O_RDWR);
    if (device < 0) {
        perror(words[1]);
        return 1;
    }
    registration();
    modern_files();
    old_files();
    objects(SYSCALL);
    objects(SYSCALL_OLD);
    puts("# as the loader does");
    NEW("create a thread", 0xbd, 4, 0x1000, 0, 0, 0);
    NEW("write to a descriptor", 0x08, 3, 3, AT("x"), 1, 0);
    NEW("standard output", 0x1004, 1, 0xFFFFFFF5, 0, 0, 0);
    char byte;
    line("read", read(device, &byte, 1));
    line("write", write(device, &byte, 1));
    return 0;
}
