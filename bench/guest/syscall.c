/* How long a system call takes: two trivial ones, in batches. Prints name, median and least of the batches, in ns. */
#include "clock.h"

enum { BATCH = 64, BATCHES = 501 };

typedef LONG(NTAPI *counter_call)(LARGE_INTEGER *, LARGE_INTEGER *);
typedef LONG(NTAPI *event_call)(HANDLE, LONG *);

static counter_call query_counter;
static event_call set_event;
static HANDLE event;

static void counter(void)
{
    LARGE_INTEGER value;
    query_counter(&value, NULL);
}

static void signal(void) { set_event(event, NULL); }

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *name, void (*call)(void))
{
    static double batches[BATCHES];
    for (int i = 0; i < BATCHES; i++) {
        double started = now();
        for (int j = 0; j < BATCH; j++)
            call();
        batches[i] = (now() - started) / BATCH;
    }
    qsort(batches, BATCHES, sizeof batches[0], by_size);
    printf("%s %.1f %.1f\n", name, batches[BATCHES / 2] * 1e9, batches[0] * 1e9);
}

int main(void)
{
    HMODULE ntdll = GetModuleHandleA("ntdll");
    query_counter = (counter_call)(void *)GetProcAddress(ntdll, "NtQueryPerformanceCounter");
    set_event = (event_call)(void *)GetProcAddress(ntdll, "NtSetEvent");
    event = CreateEventA(NULL, TRUE, FALSE, NULL);
    report("warm-up", counter);
    report("NtQueryPerformanceCounter", counter);
    report("NtSetEvent", signal);
    return 0;
}
