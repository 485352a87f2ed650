# Makes systemd process 1 of the machine: init.sh reads this at its end. The root file system stays the host's; what is
# written to below /etc, /usr/local and /var is in memory. Of the host's own units only the journal is started.
# shellcheck shell=sh

insmod "$modules/../overlayfs/overlay.ko"
for place in /etc /usr/local /var; do
    mkdir -p "/run/written$place/upper" "/run/written$place/work"
    options=lowerdir=$place,upperdir=/run/written$place/upper,workdir=/run/written$place/work
    mount -t overlay -o "$options" overlay "$place"
done
: >/etc/fstab
echo 0123456789abcdef0123456789abcdef >/etc/machine-id # without one, systemd enables what the host has disabled

mkdir -p /run/systemd/system
for target in sysinit basic local-fs paths slices sockets timers; do
    for unit in /lib/systemd/system/$target.target.wants/* /etc/systemd/system/$target.target.wants/*; do
        case $unit in
            */systemd-journald*) ;;
            *) ln -sf /dev/null "/run/systemd/system/${unit##*/}" ;;
        esac
    done
done

# The unit is to load this itself, from where the kernel's modules are here.
rmmod cuse
mkdir -p /run/modules/lib/modules /run/systemd/system/modprobe@.service.d
mount --bind /usr/lib/uml/modules /run/modules/lib/modules
cat >/run/systemd/system/modprobe@.service.d/here.conf <<'END'
[Service]
Environment=MODPROBE_OPTIONS=--dirname=/run/modules
END

# Empty: this is no container, even if what the host is has the marks of one.
export container=
process_1="/lib/systemd/systemd --unit=basic.target"
