/* lsw.h - the commands of /dev/lsw, for C clients. docs/protocol.md explains them.
 *
 * Commands 1 to 5 are those of the LSW kernel module; the others exist only where lswd serves the device: ask
 * LSW_IOCTL_INFO, which fails with EINVAL elsewhere. SPDX-License-Identifier: MIT
 */
#ifndef LSW_H
#define LSW_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define LSW_MAGIC 'L'

/* What a loader tells of the image it has mapped. */
struct lsw_pe_info {
    __u64 base;
    __u64 entry; /* an address, not an offset */
    __u32 image_size;
    __u32 pid;
    __u8 is_64bit;
    __u8 reserved[3];
    char path[256];
};

/* A native system call. error_code is a negative errno, or 0. */
struct lsw_request {
    __u32 number;
    __u32 arg_count;
    __u64 args[8];
    __u64 return_value;
    __s32 error_code;
};

struct lsw_status {
    __s32 count;
};

/* pid and timeout_ms in, the others out. */
struct lsw_wait {
    __u32 pid;
    __u32 timeout_ms; /* 0: only look; LSW_FOREVER */
    __u32 exit_status; /* LSW_STILL_ACTIVE with LSW_REASON_RUNNING */
    __u32 reason;
};

struct lsw_kill {
    __u32 pid;
    __u32 exit_status;
};

struct lsw_info {
    __u32 protocol;
    __u32 features;
    __u32 limit; /* registrations a user may have */
    __u32 registered; /* those the caller's user has */
    char version[16];
};

/* pid 0: the program launched through this connection. */
struct lsw_signal {
    __u32 pid;
    __u32 event;
};

/* How a launched program ended. report: JSON. */
struct lsw_launch {
    __u32 exit_status;
    __u32 reason;
    __u32 exit_code;
    __u32 report_size;
    char report[4080];
};

#define LSW_IOCTL_REGISTER_PE _IOW(LSW_MAGIC, 1, struct lsw_pe_info)
#define LSW_IOCTL_UNREGISTER_PE _IOW(LSW_MAGIC, 2, __u32) /* the pid itself is the argument, no pointer */
#define LSW_IOCTL_GET_STATUS _IOR(LSW_MAGIC, 3, struct lsw_status)
#define LSW_IOCTL_EXECUTE_PE _IOW(LSW_MAGIC, 4, __u32) /* likewise */
#define LSW_IOCTL_SYSCALL_A _IOWR(LSW_MAGIC, 4, struct lsw_request) /* of the module's first generation */
#define LSW_IOCTL_SYSCALL _IOWR(LSW_MAGIC, 5, struct lsw_request)
#define LSW_IOCTL_WAIT_PE _IOWR(LSW_MAGIC, 0x20, struct lsw_wait)
#define LSW_IOCTL_KILL_PE _IOW(LSW_MAGIC, 0x21, struct lsw_kill)
#define LSW_IOCTL_INFO _IOR(LSW_MAGIC, 0x22, struct lsw_info)
#define LSW_IOCTL_SIGNAL_PE _IOW(LSW_MAGIC, 0x23, struct lsw_signal)
#define LSW_IOCTL_LAUNCH_PE _IOR(LSW_MAGIC, 0x24, struct lsw_launch) /* on the socket only */

#define LSW_FOREVER 0xFFFFFFFFu
#define LSW_STILL_ACTIVE 259
#define LSW_PROTOCOL 1

#define LSW_REASON_RUNNING 0
#define LSW_REASON_EXITED 1
#define LSW_REASON_CRASHED 2
#define LSW_REASON_KILLED 3
#define LSW_REASON_NOT_STARTED 4
#define LSW_REASON_LOST 5

#define LSW_FEATURE_EMULATE 1 /* EXECUTE_PE runs the program */
#define LSW_FEATURE_WAIT 2
#define LSW_FEATURE_KILL 4
#define LSW_FEATURE_SIGNAL 8
#define LSW_FEATURE_LAUNCH 16

#define LSW_SIGNAL_CTRL_C 0
#define LSW_SIGNAL_CTRL_BREAK 1
#define LSW_SIGNAL_CLOSE 2
#define LSW_SIGNAL_RESIZED 0x100
#define LSW_SIGNAL_STOP 0x101
#define LSW_SIGNAL_CONTINUE 0x102

#endif
