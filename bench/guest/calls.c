/* Calls and little else: a recursion, and calls through pointers. */
#include "work.h"

static __attribute__((noinline)) uint32_t fibonacci(uint32_t n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static __attribute__((noinline)) uint32_t add(uint32_t a, uint32_t b) { return a + b; }
static __attribute__((noinline)) uint32_t mix(uint32_t a, uint32_t b) { return a ^ b << 1; }
static __attribute__((noinline)) uint32_t turn(uint32_t a, uint32_t b) { return (a >> 7 | a << 25) - b; }

static uint32_t (*volatile table[])(uint32_t, uint32_t) = {add, mix, turn};

static uint64_t work(unsigned times)
{
    uint64_t sum = 0;
    while (times--) {
        uint32_t value = fibonacci(22);
        for (uint32_t i = 0; i < 30000; i++)
            value = table[i % 3](value, i);
        sum += value;
    }
    return sum;
}

int main(int argc, char **argv) { return measure(argc, argv); }
