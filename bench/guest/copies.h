/* What memory.c and library.c do with their own `copy` and `length`. */

enum { BYTES = 256 * 1024, STRINGS = 4096 };
static char from[BYTES + 64], to[BYTES + 64];

static uint64_t work(unsigned times)
{
    uint64_t sum = 0;
    for (int i = 0; i < BYTES; i++)
        from[i] = (char)(i % 61 ? 'a' + i % 26 : 0);
    while (times--) {
        for (int i = 0; i < 16; i++) {
            copy(to + i, from + 2 * i, BYTES - 64);
            sum += (unsigned char)to[BYTES / 2 + i];
        }
        for (int i = 0; i < STRINGS; i++)
            sum += length(from + i * 37);
    }
    return sum;
}
