/* lswrun - have a running lswd run a Windows program: lswrun PROGRAM [ARGS...], or lswctl launch PROGRAM [ARGS...]
 *
 * What lswctl launch does, for those who cannot wait for an interpreter: the same socket or device, the same order, the
 * same exit code. Options, a configuration file, no lswd, and called as lswctl all its other commands: these it leaves to
 * the real lswctl, which it becomes. docs/protocol.md describes what is said here.
 * LSWCTL: where that is; without it, beside this program or on PATH. SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "lsw.h"

#define REQUEST 0u
#define REPLY 1u
#define GOODBYE 4u
#define LAUNCH 1u /* its sequence; signals follow */
#define INTERNAL 125
#define LARGEST_ORDER (4u << 20)
#define AGAIN_MILLISECONDS 20
#define DEVICE "/dev/lsw"
#define ANEW "-device" /* behind our name: started anew with a command line that is right for the program */

struct header {
    __u32 command;
    __u32 flags;
    __u64 sequence;
    __s64 argument; /* in a reply the result */
    __u32 length;
    __u32 reserved;
};

struct packet {
    struct header header;
    union {
        struct lsw_launch launch;
        struct lsw_signal signal;
        char bytes[16384];
    } data;
};

extern char **environ;
static const char *name = "lswrun";
static char **words; /* what stands before PROGRAM, then PROGRAM and its arguments */
static char **given; /* our own command line */
static sigset_t before; /* the signals that were blocked when we began */

static void say(const char *format, ...) {
    va_list values;
    fprintf(stderr, "%s: ", name);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
}

/* Let the real lswctl do it. */
static void become_lswctl(void) {
    size_t count = 0;
    while (given[count]) count++;
    char **command = given, **launch = calloc(count + 3, sizeof *launch);
    if (strcmp(name, "lswctl") && launch) {
        launch[0] = "lswctl";
        launch[1] = "launch";
        if (count) memcpy(launch + 2, given + 1, count * sizeof *launch);
        command = launch;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
#ifdef LSWCTL
    execv(LSWCTL, command);
#else
    char path[4096 + sizeof "lswctl"];
    ssize_t length = readlink("/proc/self/exe", path, 4096);
    while (length > 0 && path[length - 1] != '/') length--;
    errno = ENOENT;
    if (command == launch) { /* or else it might be us again */
        strcpy(path + (length > 0 ? length : 0), "lswctl");
        if (length > 0) execv(path, command);
        execvp("lswctl", command);
    }
#endif
    say("lswctl: %s", strerror(errno));
    exit(INTERNAL);
}

/* ---- the order: JSON, as lswd/session/order.py reads it */

static char *order;
static size_t order_size, order_room;

static void put(const char *text, size_t length) {
    if (order_size + length > order_room) {
        order_room = 2 * (order_size + length) + 4096;
        order = realloc(order, order_room);
        if (!order || order_room > 8u * LARGEST_ORDER) become_lswctl(); /* which says that it is too large */
    }
    memcpy(order + order_size, text, length);
    order_size += length;
}

static void put_text(const char *text) { put(text, strlen(text)); }

/* How many bytes of UTF-8 begin here, 0 when they are none (RFC 3629). */
static int utf8(const unsigned char *s, size_t left) {
    int length = s[0] < 0x80 ? 1 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : 0;
    if (!length || (size_t)length > left) return 0;
    for (int i = 1; i < length; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F)) return 0;
    if ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F)) return 0;
    return length;
}

/* A string. Bytes that are no text travel as Python keeps them: as lone surrogates. */
static void put_string(const char *text, size_t length) {
    const unsigned char *s = (const unsigned char *)text, *end = s + length;
    char escape[8];
    put_text("\"");
    while (s < end) {
        int n = utf8(s, end - s);
        if (n == 1 && (*s < 0x20 || *s == '"' || *s == '\\')) {
            put(escape, snprintf(escape, sizeof escape, "\\u%04x", *s));
        } else if (n) {
            put((const char *)s, n);
        } else {
            put(escape, snprintf(escape, sizeof escape, "\\udc%02x", *s));
            n = 1;
        }
        s += n;
    }
    put_text("\"");
}

static int named_before(char **entry, size_t name) {
    for (char **other = environ; other < entry; other++)
        if (!strncmp(*other, *entry, name + 1)) return 1;
    return 0;
}

static void write_order(char **command) {
    char number[32];
    const char *network = getenv("LSW_NETWORK");
    mode_t mask = umask(0);
    umask(mask);
    put_text("{\"order\": 1, \"program\": ");
    put_string(command[0], strlen(command[0]));
    put_text(", \"arguments\": [");
    for (char **word = command + 1; *word; word++) {
        if (word > command + 1) put_text(", ");
        put_string(*word, strlen(*word));
    }
    put_text("], \"environ\": {");
    int first = 1;
    for (char **entry = environ; *entry; entry++) {
        const char *equals = strchr(*entry, '=');
        size_t name = equals ? (size_t)(equals - *entry) : 0;
        if (!name || named_before(entry, name)) continue;
        if (!first) put_text(", ");
        first = 0;
        put_string(*entry, name);
        put_text(": ");
        put_string(equals + 1, strlen(equals + 1));
    }
    put_text("}, \"network\": ");
    put_string(network ? network : "", network ? strlen(network) : 0);
    put(number, snprintf(number, sizeof number, ", \"umask\": %u}", (unsigned)mask & 0777));
    if (order_size > LARGEST_ORDER) become_lswctl();
}

/* ---- the daemon */

static int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred server;
    socklen_t size = sizeof server;
    if (strlen(path) >= sizeof address.sun_path) return -1;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    /* It gets our files and our environment: it must be root's, or our own. */
    if (!connect(fd, (struct sockaddr *)&address, sizeof address) &&
        !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &server, &size) && (!server.uid || server.uid == geteuid()))
        return fd;
    close(fd);
    return -1;
}

static int connect_to_daemon(void) {
    const char *given = getenv("LSW_SOCKET"), *directory = getenv("XDG_RUNTIME_DIR");
    char path[256];
    int fd = -1;
    if (given && *given) return connect_to(given);
    if (directory && *directory &&
        (size_t)snprintf(path, sizeof path, "%s/lsw/lswd.sock", directory) < sizeof path)
        fd = connect_to(path);
    return fd < 0 ? connect_to("/run/lsw/lswd.sock") : fd;
}

static int send_order(int daemon) {
    struct header header = {LSW_IOCTL_LAUNCH_PE, REQUEST, LAUNCH, 0, 0, 0};
    struct iovec part = {&header, sizeof header};
    union {
        struct cmsghdr first;
        char room[CMSG_SPACE(5 * sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int files[5] = {0, 1, 2, open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), memfd_create("order", MFD_CLOEXEC)};
    if (files[3] < 0 || files[4] < 0 || write(files[4], order, order_size) != (ssize_t)order_size) return -1;
    control.first.cmsg_len = CMSG_LEN(sizeof files);
    control.first.cmsg_level = SOL_SOCKET;
    control.first.cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(&control.first), files, sizeof files);
    int sent = sendmsg(daemon, &message, MSG_NOSIGNAL) == sizeof header;
    close(files[3]);
    close(files[4]);
    return sent ? 0 : -1;
}

/* ---- signals: passed on to the program */

static const struct {
    int number;
    __u32 event;
} EVENTS[] = {
    {SIGINT, LSW_SIGNAL_CTRL_C}, {SIGQUIT, LSW_SIGNAL_CTRL_BREAK}, {SIGTERM, LSW_SIGNAL_CLOSE},
    {SIGHUP, LSW_SIGNAL_CLOSE}, {SIGWINCH, LSW_SIGNAL_RESIZED}, {SIGCONT, LSW_SIGNAL_CONTINUE},
    {SIGTSTP, LSW_SIGNAL_STOP},
};
#define EVENT_COUNT (sizeof EVENTS / sizeof *EVENTS)

static sigset_t watched;
static int by_device; /* what is called daemon is the device, not the socket */

/* Those that are ignored (nohup, a shell's background jobs) stay ignored. */
static int watch_signals(void) {
    struct sigaction action;
    sigemptyset(&watched);
    for (size_t i = 0; i < EVENT_COUNT; i++)
        if (!sigaction(EVENTS[i].number, NULL, &action) && action.sa_handler != SIG_IGN)
            sigaddset(&watched, EVENTS[i].number);
    sigprocmask(SIG_BLOCK, &watched, NULL);
    return signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
}

static unsigned again; /* events for a program that is not there yet, a bit each */

static void event_answered(size_t index, int error) {
    if (error == ESRCH || error == EAGAIN) again |= 1u << index;
}

static void send_event(int daemon, size_t index) {
    if (by_device) {
        struct lsw_signal signal = {getpid(), EVENTS[index].event};
        if (ioctl(daemon, LSW_IOCTL_SIGNAL_PE, &signal)) event_answered(index, errno);
        return;
    }
    struct {
        struct header header;
        struct lsw_signal signal;
    } packet = {{LSW_IOCTL_SIGNAL_PE, REQUEST, LAUNCH + 1 + index, 0, sizeof packet.signal, 0}, {0, EVENTS[index].event}};
    send(daemon, &packet, sizeof packet, MSG_NOSIGNAL); /* that it has gone is noticed elsewhere */
}

/* Pass on what has come; Ctrl-Z stops us too, and our shell takes over. */
static void pass_on(int daemon, int signals) {
    struct signalfd_siginfo info;
    while (read(signals, &info, sizeof info) == sizeof info)
        for (size_t i = 0; i < EVENT_COUNT; i++)
            if (EVENTS[i].number == (int)info.ssi_signo) {
                send_event(daemon, i);
                if (EVENTS[i].number == SIGTSTP) {
                    sigset_t stop;
                    sigemptyset(&stop);
                    sigaddset(&stop, SIGTSTP);
                    raise(SIGTSTP);
                    sigprocmask(SIG_UNBLOCK, &stop, NULL);
                    sigprocmask(SIG_BLOCK, &stop, NULL);
                }
            }
}

/* ---- the end */

static struct termios found; /* the terminal as we found it, for a program that ends too suddenly to put it back */
static int terminal = -1;

static void note_terminal(void) {
    for (int fd = 0; fd < 3 && terminal < 0; fd++)
        if (!tcgetattr(fd, &found)) terminal = fd;
}

static void restore_terminal(void) {
    if (terminal >= 0 && tcgetpgrp(terminal) == getpgrp()) tcsetattr(terminal, TCSANOW, &found);
}

/* The text that a name of the report stands for, decoded for a terminal; "" when there is none. */
static const char *text_of(const char *report, const char *name, char *text, size_t room) {
    char key[40];
    snprintf(key, sizeof key, "\"%s\": \"", name);
    const char *at = strstr(report, key);
    char *out = text, *end = text + room - 4;
    unsigned code;
    if (at)
        for (at += strlen(key); *at && *at != '"' && out < end; at++) {
            if (*at != '\\') {
                *out++ = *at;
            } else if (*++at == 'u' && sscanf(at + 1, "%4x", &code) == 1) {
                at += 4;
                if (code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0xD800 && code < 0xE000)) {
                    *out++ = '?';
                } else if (code < 0x80) {
                    *out++ = code;
                } else {
                    if (code >= 0x800) *out++ = 0xE0 | code >> 12;
                    *out++ = code >= 0x800 ? 0x80 | (code >> 6 & 0x3F) : 0xC0 | code >> 6;
                    *out++ = 0x80 | (code & 0x3F);
                }
            } else if (*at == '"' || *at == '\\' || *at == '/') {
                *out++ = *at;
            } else if (*at) {
                *out++ = ' ';
            }
        }
    *out = 0;
    return text;
}

static int finish(const char *program, struct lsw_launch *end) {
    char text[sizeof end->report];
    end->report[end->report_size < sizeof end->report ? end->report_size : sizeof end->report - 1] = 0;
    if (end->reason != LSW_REASON_EXITED) restore_terminal();
    if (*text_of(end->report, "message", text, sizeof text)) {
        say("%s", text);
    } else if (*text_of(end->report, "import_error", text, sizeof text) ||
               *text_of(end->report, "failure", text, sizeof text)) {
        say("%s: %s", program, text);
    }
    if (end->exit_status && *text_of(end->report, "note", text, sizeof text)) say("%s: %s", program, text);
    const char *missing = strstr(end->report, "\"missing_calls\": {\"");
    if (missing && end->exit_status) {
        missing += strlen("\"missing_calls\": {");
        say("%s: used system calls that are not implemented yet: %.*s", program, (int)strcspn(missing, "}"), missing);
    }
    return end->exit_code;
}

static int lost(const char *program, const char *how) {
    restore_terminal();
    say("%s: %s", program, how);
    return INTERNAL;
}

/* Pass signals on until there is something to read; 0 when waiting fails. */
static int wait_for(int readable, int daemon, int signals) {
    for (;;) {
        struct pollfd both[2] = {{readable, POLLIN, 0}, {signals, POLLIN, 0}};
        int ready = poll(both, 2, again ? AGAIN_MILLISECONDS : -1);
        if (ready < 0 && errno != EINTR) return 0;
        if (ready <= 0) {
            unsigned events = again;
            again = 0;
            for (size_t i = 0; i < EVENT_COUNT; i++)
                if (events >> i & 1) send_event(daemon, i);
            continue;
        }
        if (both[1].revents) pass_on(daemon, signals);
        if (both[0].revents) return 1;
    }
}

/* Wait for the program's end; what to exit with. */
static int wait_for_end(int daemon, int signals, const char *program) {
    static struct packet packet;
    while (wait_for(daemon, daemon, signals)) {
        ssize_t size = recv(daemon, &packet, sizeof packet, 0);
        if (size < 0 && errno == ECONNRESET) size = recv(daemon, &packet, sizeof packet, 0); /* its last words */
        if (size <= 0) return lost(program, "lswd has gone, and the program with it");
        struct header *header = &packet.header;
        if (size < (ssize_t)sizeof *header || header->length != size - sizeof *header)
            return lost(program, "lswd sent nonsense");
        if (header->flags == GOODBYE) become_lswctl(); /* nothing has been started */
        if (header->flags != REPLY) continue;
        if (header->sequence != LAUNCH) {
            __u64 index = header->sequence - LAUNCH - 1;
            if (index < EVENT_COUNT) event_answered(index, -header->argument);
            continue;
        }
        switch (header->argument) {
        case 0:
            if (header->length != sizeof packet.data.launch) return lost(program, "lswd sent nonsense");
            return finish(program, &packet.data.launch);
        case -EACCES: case -EAGAIN: case -EINVAL: case -ENOSYS: case -ENOTTY: case -EPERM: case -ESHUTDOWN: case -EUSERS:
            become_lswctl(); /* nothing has been started */
        }
        return lost(program, "lswd lost the program");
    }
    return lost(program, strerror(errno));
}

/* ---- the device: we register ourselves, as a loader does, and ask for our execution */

static const char *device_problem(int device) {
    struct lsw_info info;
    if (device < 0) return strerror(errno);
    if (ioctl(device, LSW_IOCTL_INFO, &info)) return "no lswd's";
    return info.features & LSW_FEATURE_EMULATE ? NULL : "only acknowledges programs";
}

static struct {
    int device, done, error;
} execution;

/* Signals are blocked here: one that interrupted it, were it only the terminal's new size, would be Ctrl-C. */
static void *execute(void *unused) {
    __u64 one = 1;
    execution.error = ioctl(execution.device, LSW_IOCTL_EXECUTE_PE, (unsigned long)getpid()) < 0 ? errno : 0;
    if (write(execution.done, &one, sizeof one) != sizeof one) abort();
    return unused;
}

/* Run the program with what it can find out about this process; what to exit with. */
static int run_by_device(int device, const char *program) {
    struct lsw_pe_info image = {.pid = getpid(), .is_64bit = 1};
    struct lsw_wait end = {.pid = getpid()};
    pthread_t thread;
    sigset_t all, usual;
    if (strlen(program) >= sizeof image.path) return lost(program, "its path is longer than " DEVICE " takes");
    memcpy(image.path, program, strlen(program));
    by_device = 1;
    note_terminal();
    int signals = watch_signals();
    execution.device = device;
    execution.done = eventfd(0, EFD_CLOEXEC);
    if (signals < 0 || execution.done < 0) return lost(program, strerror(errno));
    if (ioctl(device, LSW_IOCTL_REGISTER_PE, &image)) {
        say("%s: " DEVICE " does not take the program: %s", program, strerror(errno));
        return INTERNAL;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &usual);
    int failed = pthread_create(&thread, NULL, execute, NULL);
    pthread_sigmask(SIG_SETMASK, &usual, NULL);
    if (failed) return lost(program, strerror(failed));
    if (!wait_for(execution.done, device, signals)) return lost(program, strerror(errno));
    if (execution.error) {
        restore_terminal();
        say("%s: lswd lost the program: %s", program, strerror(execution.error));
        return INTERNAL;
    }
    if (ioctl(device, LSW_IOCTL_WAIT_PE, &end)) return lost(program, "lswd has lost how the program ended");
    if (end.reason != LSW_REASON_EXITED) restore_terminal();
    return end.exit_status & 0xFF ? end.exit_status & 0xFF : !!end.exit_status;
}

/* If the device can run the program, what to exit with; otherwise the real lswctl says why not. Arguments are what
 * follows "--" on a command line: if there are some, we start anew with such a one. */
static int by_way_of_device(void) {
    const char *program = words[1];
    struct stat status;
    int device = open(DEVICE, O_RDWR | O_CLOEXEC);
    int dos = strchr(program, '\\') || program[1] == ':';
    if (device_problem(device) || getenv("LSW_CONFINE") || getenv("LSW_LIMIT") || getenv("LSW_NETWORK")) become_lswctl();
    if (!dos && (stat(program, &status) || !S_ISREG(status.st_mode))) become_lswctl();
    if (strlen(program) >= sizeof((struct lsw_pe_info *)0)->path) become_lswctl();
    if (!words[2]) return run_by_device(device, program);
    size_t count = 0;
    char own_name[16];
    while (words[count]) count++;
    char **anew = calloc(count + 2, sizeof *anew);
    if (!anew) become_lswctl();
    snprintf(own_name, sizeof own_name, "%s" ANEW, name);
    anew[0] = own_name;
    anew[1] = words[1];
    anew[2] = "--";
    memcpy(anew + 3, words + 2, (count - 2) * sizeof *anew);
    execv("/proc/self/exe", anew);
    become_lswctl();
    return INTERNAL;
}

/* Is this what we know how to do? */
static int is_plain(void) {
    const char *via = getenv("LSW_VIA"), *config = getenv("LSW_CONFIG"), *version = getenv("LSW_WINDOWS_VERSION");
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char path[4096];
    if (!words || !words[0] || !words[1] || !*words[1] || *words[1] == '-') return 0;
    if (via && *via && strcmp(via, "auto") && strcmp(via, "socket") && strcmp(via, "device")) return 0;
    if ((config && *config) || (version && *version)) return 0;
    int length = base && *base ? snprintf(path, sizeof path, "%s/lsw/config.toml", base)
                               : snprintf(path, sizeof path, "%s/.config/lsw/config.toml", home && *home ? home : "/nonexistent");
    if (length < 0 || (size_t)length >= sizeof path || !access(path, F_OK)) return 0;
    pid_t foreground = tcgetpgrp(0); /* in the background a terminal must not be read: only we are told so */
    return foreground < 0 || foreground == getpgrp();
}

int main(int count, char **arguments) {
    struct stat status;
    const char *called = count ? strrchr(arguments[0], '/') : NULL;
    words = given = arguments;
    if (count > 2 && !strcmp(arguments[2], "--") && (!strcmp(arguments[0], "lswctl" ANEW) || !strcmp(arguments[0], "lswrun" ANEW))) {
        if (arguments[0][3] == 'c') name = "lswctl";
        int device = open(DEVICE, O_RDWR | O_CLOEXEC);
        const char *problem = device_problem(device);
        return problem ? lost(arguments[1], problem) : run_by_device(device, arguments[1]);
    }
    if (count && !strcmp(called ? called + 1 : arguments[0], "lswctl")) {
        name = "lswctl";
        words = count > 1 && !strcmp(arguments[1], "launch") ? arguments + 1 : NULL;
    }
    sigprocmask(SIG_SETMASK, NULL, &before);
    for (int fd = 0; fd < 3; fd++) /* lest some file we open take the number of a stream that is closed */
        if (fstat(fd, &status) && open("/dev/null", O_RDWR) < 0) return INTERNAL;
    if (!is_plain()) become_lswctl();
    const char *via = getenv("LSW_VIA");
    int only_device = via && !strcmp(via, "device");
    int daemon = only_device ? -1 : connect_to_daemon();
    if (daemon < 0 && via && !strcmp(via, "socket")) become_lswctl();
    if (daemon < 0) return by_way_of_device();
    write_order(words + 1);
    note_terminal();
    int signals = watch_signals();
    if (signals < 0 || send_order(daemon)) become_lswctl();
    return wait_for_end(daemon, signals, words[1]);
}
