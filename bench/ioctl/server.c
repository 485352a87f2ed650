/* The reference: the two commands served by libfuse. usage: server --name=NAME -f [-s]
   (-f: stay in the foreground, -s: one thread) */
#define FUSE_USE_VERSION 31
#include "commands.h"
#include <cuse_lowlevel.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void on_open(fuse_req_t call, struct fuse_file_info *file)
{
    fuse_reply_open(call, file);
}

static void on_ioctl(fuse_req_t call, int command, void *argument, struct fuse_file_info *file, unsigned flags,
                     const void *in, size_t in_size, size_t out_size)
{
    struct request request;
    struct iovec area = {argument, sizeof request};

    (void)file;
    (void)flags;
    switch ((unsigned)command) {
    case EXECUTE:
        fuse_reply_ioctl(call, 0, NULL, 0);
        return;
    case SYSCALL:
        if (in_size == 0 || out_size == 0) {
            fuse_reply_ioctl_retry(call, &area, 1, &area, 1);
            return;
        }
        memcpy(&request, in, sizeof request);
        request.result = request.number + 1;
        fuse_reply_ioctl(call, 0, &request, sizeof request);
        return;
    default:
        fuse_reply_err(call, EINVAL);
    }
}

int main(int count, char **words)
{
    static const struct cuse_lowlevel_ops operations = {.open = on_open, .ioctl = on_ioctl};
    static char device[128];
    const char *lines[] = {device};
    struct cuse_info information = {.dev_info_argc = 1, .dev_info_argv = lines, .flags = CUSE_UNRESTRICTED_IOCTL};
    char *kept[16];
    int number = 0;

    for (int i = 0; i < count && number < 15; i++) {
        if (!strncmp(words[i], "--name=", 7))
            snprintf(device, sizeof device, "DEVNAME=%s", words[i] + 7);
        else
            kept[number++] = words[i];
    }
    kept[number] = NULL;
    return cuse_lowlevel_main(number, kept, &information, &operations, NULL);
}
