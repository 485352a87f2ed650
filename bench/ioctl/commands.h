/* The two commands that are measured, as the module's clients know them. */
#include <stdint.h>
#include <sys/ioctl.h>

struct request {
    uint32_t number;
    uint32_t count;
    uint64_t arguments[8];
    uint64_t result;
    int32_t error;
};

#define EXECUTE _IOW('L', 4, int32_t) /* its argument is a value, whatever the number says */
#define SYSCALL _IOWR('L', 5, struct request)
