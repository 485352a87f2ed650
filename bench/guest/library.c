/* memcpy and strlen of the C library: the userland's msvcrt against the host's libc, which are different code. */
#include "work.h"
#include <string.h>

static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static size_t (*volatile length)(const char *) = strlen;

#include "copies.h"

int main(int argc, char **argv) { return measure(argc, argv); }
