#!/bin/sh
# Process 1 of the machine that machine.py boots. The root file system is the host's, read-only; LSW_EXCHANGE (from the
# kernel's command line) is the one directory that both sides write. Commands come over the serial line:
#
#   start N   run the job in /run/exchange/N       ->  done N CODE, or: stuck N CODE (processes that do not die)
#   kill N    kill all of its processes
#
# The end of the serial line ends the machine, so nothing is left when the tests are killed. A machine whose process 1 is
# to be another one has in /run/exchange/process-1.sh what is to be done before any job, and its command as $process_1.

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 run /run
mkdir -p /dev/pts /dev/shm /run/exchange /run/cgroup /run/home
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t cgroup2 cgroup2 /run/cgroup
mount -t hostfs -o "$LSW_EXCHANGE" none /run/exchange
ln -sf pts/ptmx /dev/ptmx
ln -s /proc/self/fd /dev/fd
busybox ip link set lo up
modules=/usr/lib/uml/modules/$(uname -r)/kernel/fs/fuse
insmod "$modules/fuse.ko"
insmod "$modules/cuse.ko"
chmod 666 /dev/fuse
. /run/exchange/prepare.sh

exec 3<>/dev/ttyS0
stty -F /dev/ttyS0 raw -echo

populated() {
    while read -r key value; do
        [ "$key $value" = "populated 1" ] && return 0
    done <"$1/cgroup.events"
    return 1
}

job() {
    group=/run/cgroup/$1
    mkdir "$group"
    (
        echo 0 >"$group/cgroup.procs"
        exec setsid /bin/sh "/run/exchange/$1/start.sh" </dev/null >"/run/exchange/$1/output" 2>&1 3>&-
    )
    code=$?
    echo 1 >"$group/cgroup.kill"
    tries=0
    while populated "$group"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ]; then
            echo "stuck $1 $code" >&3
            return
        fi
        sleep 0.02
    done
    rmdir "$group"
    echo "done $1 $code" >&3
}

agent() {
    echo ready >&3
    while read -r command number <&3; do
        case $command in
            start) job "$number" & ;;
            kill) [ ! -e "/run/cgroup/$number" ] || echo 1 >"/run/cgroup/$number/cgroup.kill" ;;
        esac
    done
    busybox poweroff -f
}

process_1=
[ ! -e /run/exchange/process-1.sh ] || . /run/exchange/process-1.sh
agent &
[ -z "$process_1" ] || exec $process_1 3>&-
wait # and meanwhile bury the orphans
busybox poweroff -f
