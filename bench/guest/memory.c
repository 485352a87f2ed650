/* Copying memory and measuring strings, by code of the program's own, so that both systems run the same: 16 bytes at a
   time and 8 at a time. What the C libraries do, library.c measures. */
#include "work.h"
#include <string.h>

static __attribute__((noinline)) void copy(char *target, const char *source, size_t size)
{
    for (; size >= 16; size -= 16, target += 16, source += 16)
        __builtin_memcpy(target, source, 16);
    while (size--)
        *target++ = *source++;
}

static __attribute__((noinline)) size_t length(const char *text)
{
    const char *at = text;
    for (;; at += 8) {
        uint64_t word;
        __builtin_memcpy(&word, at, 8);
        uint64_t zeros = (word - 0x0101010101010101) & ~word & 0x8080808080808080;
        if (zeros)
            return (size_t)(at - text) + (size_t)__builtin_ctzll(zeros) / 8;
    }
}

#include "copies.h"

int main(int argc, char **argv) { return measure(argc, argv); }
