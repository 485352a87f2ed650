/* A Windows program: says what it is, and ends with the code of its argument.
   Other arguments: "wait" waits until it is ended; "echo" copies its input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

int main(int count, char **words)
{
    char line[100];

    printf("ran with %d: %s\n", count - 1, count > 1 ? words[1] : "");
    fflush(stdout);
    if (count > 1 && !strcmp(words[1], "wait"))
        Sleep(INFINITE);
    if (count > 1 && !strcmp(words[1], "echo"))
        while (fgets(line, sizeof line, stdin))
            fputs(line, stdout);
    fflush(stdout);
    ExitProcess(count > 1 ? strtoul(words[1], NULL, 0) : 0);
}
