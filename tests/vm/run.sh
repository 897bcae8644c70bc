#!/bin/sh
# Runs a script in a virtual machine: a stock kernel with cgroup v2, and one program of ours.
#
#   tests/vm/run.sh [-t SECONDS] [-m MIB] KERNEL PROGRAM SCRIPT [FILE...]
#
# KERNEL   directory with an unpacked kernel package: boot/vmlinuz-* and lib/modules. On Debian:
#              apt-get download $(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p')
#              dpkg -x linux-image-*.deb KERNEL
# PROGRAM  put into the machine's /bin under its own name, with the libraries that ldd names
# SCRIPT   text for sh, run as root; the words after it are files, put into /data
#
# Prints what the script prints between the lines "--- output" and "--- exit CODE", and exits with
# CODE; 124 when the time (180 s) is over, 125 when the machine cannot be made or does not start.
# Needs qemu-system-x86_64 (package qemu-system-x86), a static busybox (busybox-static), gzip and
# timeout. Installs nothing and needs no privileges. KVM is not used: it is missing or hangs in many
# places where tests run.
#
# Example, from the repository's root, the unit tests that need cgroup v2:
#   tests/vm/run.sh KERNEL target/debug/deps/glassbox-HASH 'exec /bin/glassbox-* cgroup --include-ignored'
set -eu

fail() {
    echo "tests/vm/run.sh: $*" >&2
    exit 125
}

seconds=180
mib=1536
while getopts t:m: option; do
    case $option in
    t) seconds=$OPTARG ;;
    m) mib=$OPTARG ;;
    *) fail "usage: run.sh [-t SECONDS] [-m MIB] KERNEL PROGRAM SCRIPT [FILE...]" ;;
    esac
done
shift $((OPTIND - 1))
[ $# -ge 3 ] || fail "usage: run.sh [-t SECONDS] [-m MIB] KERNEL PROGRAM SCRIPT [FILE...]"
kernel=$1 program=$2 script=$3
shift 3

for tool in qemu-system-x86_64 busybox gzip timeout ldd; do
    command -v "$tool" >/dev/null || fail "$tool is missing: see the head of this file"
done
vmlinuz=$(ls "$kernel"/boot/vmlinuz-* 2>/dev/null | head -n 1)
[ -n "$vmlinuz" ] || fail "no boot/vmlinuz-* in $kernel"
modules=$(ls -d "$kernel"/lib/modules/* 2>/dev/null | head -n 1)
[ -n "$modules" ] || fail "no lib/modules in $kernel"
[ -f "$program" ] || fail "no program $program"
busybox=$(command -v busybox)
ldd "$busybox" >/dev/null 2>&1 && fail "$busybox is not static: install busybox-static"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
root=$work/root
mkdir -p "$root/bin" "$root/data" "$root/modules" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" \
    "$root/etc" "$root/run" "$root/var/lib" "$root/root"
cp "$busybox" "$root/bin/busybox"
cp "$program" "$root/bin/"
# Symbols of a debug build would only be unpacked and thrown away.
if command -v strip >/dev/null; then strip "$root/bin/${program##*/}" 2>/dev/null || true; fi
for library in $(ldd "$program" 2>/dev/null | grep -o '/[^ ]*'); do
    mkdir -p "$root${library%/*}"
    cp -L "$library" "$root$library"
done
for file; do cp "$file" "$root/data/"; done
printf '%s\n' "$script" >"$root/script"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"

# A module and what it depends on, that first, each once. What is built in is not found, and not needed.
: >"$root/modules/order"
add_module() {
    ! grep -qx "$1.ko" "$root/modules/order" || return 0
    found=$(find "$modules" -name "$1.ko" | head -n 1)
    [ -n "$found" ] || found=$(find "$modules" -name "$(echo "$1" | tr _ -).ko" | head -n 1)
    [ -n "$found" ] || return 0
    for needed in $(tr '\0' '\n' <"$found" | sed -n 's/^depends=//p' | tr ',' ' '); do
        add_module "$needed"
    done
    found=$(find "$modules" -name "$1.ko" | head -n 1)
    [ -n "$found" ] || found=$(find "$modules" -name "$(echo "$1" | tr _ -).ko" | head -n 1)
    cp "$found" "$root/modules/$1.ko"
    echo "$1.ko" >>"$root/modules/order"
}
for module in overlay llc stp bridge veth dummy nf_conntrack nf_nat nf_tables nft_chain_nat nft_nat nft_masq nft_redir \
    nft_ct nft_fib nft_fib_ipv4 nft_reject nft_reject_ipv4 nft_limit nft_log tun loop; do
    add_module "$module"
done

cat >"$root/init" <<'INIT'
#!/bin/busybox sh
# The first root cannot be pivoted away, so everything moves to a tmpfs before the script.
/bin/busybox mkdir /new
/bin/busybox mount -t tmpfs -o mode=755 tmpfs /new
for entry in /*; do
    [ "$entry" = /new ] || /bin/busybox cp -a "$entry" /new/
done
exec /bin/busybox switch_root /new /second
INIT
cat >"$root/second" <<'SECOND'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
chmod 1777 /tmp
ip link set lo up
hostname machine
while read -r module; do insmod "/modules/$module" || echo "insmod $module: $?"; done </modules/order
echo
echo "--- begin"
sh /script </dev/null 2>&1
code=$?
echo
echo "--- end $code"
reboot -f
SECOND
chmod +x "$root/init" "$root/second"

(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$work/initramfs"

timeout "$seconds" qemu-system-x86_64 -accel tcg -nographic -no-reboot -nodefaults -serial stdio \
    -m "$mib" -smp 2 -kernel "$vmlinuz" -initrd "$work/initramfs" \
    -append "console=ttyS0 quiet loglevel=2 panic=-1" </dev/null >"$work/console" 2>"$work/errors" || qemu=$?

tr -d '\r' <"$work/console" >"$work/text"
grep -q '^--- begin$' "$work/text" || {
    tail -n 20 "$work/text" "$work/errors" >&2
    fail "the machine did not come up (qemu: ${qemu:-0})"
}
echo "--- output"
# Lines are held back by one, because an empty one is put before the end mark.
awk '/^--- end [0-9]+$/ && on { if (last == "") held = 0; exit }
     on { if (held) print last; last = $0; held = 1 }
     /^--- begin$/ { on = 1 }
     END { if (held) print last }' "$work/text"
code=$(sed -n 's/^--- end \([0-9]*\)$/\1/p' "$work/text" | tail -n 1)
if [ -z "$code" ]; then
    echo "--- exit 124"
    [ "${qemu:-0}" = 124 ] || { tail -n 20 "$work/errors" >&2; fail "the machine stopped by itself (qemu: ${qemu:-0})"; }
    exit 124
fi
echo "--- exit $code"
exit "$code"
