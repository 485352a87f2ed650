/* Copies a file of 64 MiB by 64 KiB: file.exe FROM TO. Prints the seconds of the copying. */
#include "clock.h"

enum { CHUNK = 64 * 1024, CHUNKS = 1024 };
static char buffer[CHUNK];

static HANDLE opened(const char *path, DWORD access, DWORD disposition)
{
    HANDLE file = CreateFileA(path, access, 0, NULL, disposition, 0, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        fprintf(stderr, "%s: error %lu\n", path, GetLastError());
        exit(1);
    }
    return file;
}

int main(int argc, char **argv)
{
    (void)argc;
    HANDLE from = opened(argv[1], GENERIC_READ, OPEN_EXISTING);
    HANDLE to = opened(argv[2], GENERIC_WRITE, CREATE_ALWAYS);
    DWORD count, written;
    if (!ReadFile(from, buffer, CHUNK, &count, NULL) || !WriteFile(to, buffer, count, &written, NULL))
        return 1; /* what is done for the first time is done now */
    SetFilePointer(from, 0, NULL, FILE_BEGIN);
    SetFilePointer(to, 0, NULL, FILE_BEGIN);
    double started = now();
    int chunks = 0;
    while (ReadFile(from, buffer, CHUNK, &count, NULL) && count) {
        if (!WriteFile(to, buffer, count, &written, NULL) || written != count)
            return 1;
        chunks++;
    }
    double seconds = now() - started;
    CloseHandle(to);
    CloseHandle(from);
    printf("%.9f %d\n", seconds, chunks);
    return chunks != CHUNKS;
}
