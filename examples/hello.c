/* A small Windows program: says hello, says where it thinks it is, and exits with the code it is asked for.
 *
 *     x86_64-w64-mingw32-gcc -O2 -o hello.exe hello.c
 *     lswctl launch hello.exe [CODE]
 */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

int main(int argc, char **argv)
{
    char windows[MAX_PATH], current[MAX_PATH];

    GetWindowsDirectoryA(windows, sizeof windows);
    GetCurrentDirectoryA(sizeof current, current);
    printf("Hello from a Windows program!\n");
    printf("Windows is in %s, and I am in %s.\n", windows, current);
    return argc > 1 ? atoi(argv[1]) : 0;
}
