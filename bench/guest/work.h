/* How the programs of bench/cpu.py measure themselves: argv[1] says how often; printed are seconds and a checksum. */
#include "clock.h"

/* The work of a benchmark: `times` repetitions, and a number that depends on all of it. */
static uint64_t work(unsigned times);

static int measure(int argc, char **argv)
{
    unsigned times = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
    uint64_t result = work(1); /* what is touched for the first time is touched now */
    double started = now();
    result ^= work(times);
    double seconds = now() - started;
    printf("%.9f %llu\n", seconds, (unsigned long long)result);
    return 0;
}
