/* Makes the system calls that "script" lists, with the memory it holds at a fixed address: see system_calls.py.

   A call that does not come back within a moment is left alone, and another thread goes on behind it. Ends with 0 when
   all were begun. */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

#define MEMORY ((BYTE *)0x10000000)
#define MOST_THREADS 40
#define MOMENT 25 /* ms */

struct header {
    DWORD memory, count;
};

struct call {
    char name[56];
    DWORD count, unused;
    ULONGLONG arguments[20];
};

static struct call *calls;
static LONG count;
static volatile LONG next;
static HMODULE ntdll, win32u;

#ifdef __i386__
/* However many of them the stub takes off the stack. */
ULONG_PTR enter(void *function, const ULONG_PTR *arguments);
__asm__("_enter: push %ebp; mov %esp, %ebp; push %esi; push %edi; mov 12(%ebp), %esi; sub $80, %esp;"
        "mov %esp, %edi; mov $20, %ecx; cld; rep movsl; call *8(%ebp);"
        "lea -8(%ebp), %esp; pop %edi; pop %esi; pop %ebp; ret");
#else
static ULONG_PTR enter(void *function, const ULONG_PTR *a)
{
    typedef ULONG_PTR(WINAPI * any)(ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR,
                                    ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR,
                                    ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR, ULONG_PTR);
    return ((any)function)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13],
                           a[14], a[15], a[16], a[17], a[18], a[19]);
}
#endif

static DWORD WINAPI work(void *unused)
{
    LONG index;

    (void)unused;
    while ((index = InterlockedIncrement(&next) - 1) < count) {
        struct call *call = calls + index;
        void *function = (void *)GetProcAddress(ntdll, call->name);
        ULONG_PTR arguments[20];
        int i;

        if (!function) function = (void *)GetProcAddress(win32u, call->name);
        for (i = 0; i < 20; i++) arguments[i] = (ULONG_PTR)call->arguments[i];
        if (function) enter(function, arguments);
    }
    return 0;
}

static LONG CALLBACK fault(EXCEPTION_POINTERS *pointers)
{
    (void)pointers;
    TerminateProcess(GetCurrentProcess(), 3); /* what it has done to its own memory is its own affair */
    return EXCEPTION_CONTINUE_SEARCH;
}

int main(void)
{
    struct header header;
    FILE *file = fopen("script", "rb");
    HANDLE thread = NULL;
    LONG before = -1;
    int threads = 0;

    if (!file || fread(&header, sizeof header, 1, file) != 1) return 1;
    if (VirtualAlloc(MEMORY, header.memory, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) != MEMORY) return 2;
    count = (LONG)header.count;
    calls = malloc(count * sizeof *calls);
    if (fread(MEMORY, 1, header.memory, file) != header.memory) return 1;
    if (fread(calls, sizeof *calls, count, file) != (size_t)count) return 1;
    fclose(file);
    ntdll = LoadLibraryA("ntdll.dll");
    LoadLibraryA("user32.dll");
    win32u = LoadLibraryA("win32u.dll");
    AddVectoredExceptionHandler(1, fault);
    while (next < count && threads < MOST_THREADS) {
        if (next == before || !thread) {
            thread = CreateThread(NULL, 0, work, NULL, 0, NULL);
            threads++;
        }
        before = next;
        if (WaitForSingleObject(thread, MOMENT) == WAIT_OBJECT_0) thread = NULL;
    }
    TerminateProcess(GetCurrentProcess(), 0);
}
