/* What the LSW loader does, in little: maps a program itself, registers it, has it executed, then jumps to its entry
   point whatever came of that. usage: loader DEVICE PROGRAM [-- ARGUMENT...]
   Its exit code is what the entry point returns, as with the loader; to standard error it says what ioctl() returned. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

struct pe_info {
    uint64_t base, entry;
    uint32_t image_size, pid;
    uint8_t is_64bit, reserved[3];
    char path[256];
};

#define REGISTER _IOW('L', 1, struct pe_info)
#define EXECUTE _IOW('L', 4, int32_t)

static void fail(const char *what)
{
    perror(what);
    exit(99);
}

static uint32_t u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, 4);
    return value;
}

/* Map a 64-bit image at the address it prefers. No imports, no relocations: its code is never run here. */
static uint8_t *map(const char *path, struct pe_info *information)
{
    static uint8_t file[16 << 20];
    int descriptor = open(path, O_RDONLY);
    ssize_t length = descriptor < 0 ? -1 : read(descriptor, file, sizeof file);

    if (length < 1024)
        fail(path);
    close(descriptor);
    const uint8_t *header = file + u32(file + 0x3c), *optional = header + 24;
    memcpy(&information->base, optional + 24, 8);
    information->image_size = u32(optional + 56);
    information->entry = information->base + u32(optional + 16);
    information->is_64bit = 1;
    uint8_t *image = mmap((void *)information->base, information->image_size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (image == MAP_FAILED)
        fail("mmap");
    memcpy(image, file, u32(optional + 60));
    const uint8_t *section = optional + (header[20] | header[21] << 8);
    for (int n = header[6] | header[7] << 8; n > 0; n--, section += 40) {
        uint8_t *place = image + u32(section + 12);
        uint32_t size = u32(section + 8), flags = u32(section + 36);
        memcpy(place, file + u32(section + 20), u32(section + 16) < size ? u32(section + 16) : size);
        /* Read and execute where it says so: code must be handed back through a read-only mapping. */
        if (mprotect(place, size, PROT_READ | (flags >> 31 ? PROT_WRITE : 0) | (flags >> 29 & 1 ? PROT_EXEC : 0)))
            fail("mprotect");
    }
    return image;
}

int main(int count, char **words)
{
    struct pe_info information = {.pid = getpid()};
    int device = count < 3 ? -1 : open(words[1], O_RDWR);

    if (device < 0)
        fail("device");
    map(words[2], &information);
    strncpy(information.path, words[2], sizeof information.path - 1);
    if (ioctl(device, REGISTER, &information) < 0)
        fail("register");
    int returned = ioctl(device, EXECUTE, getpid());
    fprintf(stderr, "execute: %d%s%s\n", returned, returned < 0 ? " " : "", returned < 0 ? strerror(errno) : "");
    exit(((int (*)(void))information.entry)());
}
