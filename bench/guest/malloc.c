/* 20,000 times malloc and sprintf into what it gave, and then all freed. Prints the seconds of it and a checksum. */
#include "clock.h"

enum { COUNT = 20000 };
static char *texts[COUNT];

int main(void)
{
    unsigned sum = 0;
    double started = now();
    for (int i = 0; i < COUNT; i++) {
        texts[i] = malloc(32 + (unsigned)i * 7 % 200);
        sum += (unsigned)sprintf(texts[i], "%d: %s %x", i, "text", i * 31);
    }
    for (int i = 0; i < COUNT; i++) {
        sum += (unsigned char)texts[i][3];
        free(texts[i]);
    }
    printf("%.9f %u\n", now() - started, sum);
    return 0;
}
