/* A loop of floating-point arithmetic in which each step needs the one before: the logistic map. */
#include "work.h"

enum { STEPS = 1000000 };

static uint64_t work(unsigned times)
{
    double x = 0.3, sum = 0;
    while (times--)
        for (int i = 0; i < STEPS; i++) {
            x = 3.99 * x * (1.0 - x);
            sum += x / (1.0 + i);
        }
    return (uint64_t)(sum * 1e6);
}

int main(int argc, char **argv) { return measure(argc, argv); }
