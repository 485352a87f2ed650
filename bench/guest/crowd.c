/* hello.exe that stays until its standard input ends: crowd.exe NUMBER. */
#include <stdio.h>

int main(int argc, char **argv)
{
    printf("hello from %s\n", argc > 1 ? argv[1] : "nobody");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    printf("goodbye from %s\n", argc > 1 ? argv[1] : "nobody");
    return 7;
}
