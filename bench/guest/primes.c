/* A sieve of the primes below a million. */
#include "work.h"

enum { LIMIT = 1000000 };
static uint8_t composite[LIMIT];

static uint64_t work(unsigned times)
{
    uint64_t sum = 0;
    while (times--) {
        for (uint32_t i = 0; i < LIMIT; i++)
            composite[i] = 0;
        for (uint32_t i = 2; i < LIMIT; i++) {
            if (composite[i])
                continue;
            sum += i;
            for (uint64_t j = (uint64_t)i * i; j < LIMIT; j += i)
                composite[j] = 1;
        }
    }
    return sum;
}

int main(int argc, char **argv) { return measure(argc, argv); }
