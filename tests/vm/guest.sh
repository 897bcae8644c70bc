# Runs inside the virtual machine: what `run` promises, on cgroup v2 and an older kernel.
set -u
failed=0

# check WHAT EXPECTED GOT
check() {
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        echo "FAILED: $1: expected '$2', got '$3'"
        failed=1
    fi
}

mkdir -p /tmp /run /var/lib
mount -t tmpfs tmpfs /var/lib
ip link set lo up
before=$(cat /proc/self/mountinfo | wc -l)
cgroups() { find /sys/fs/cgroup -mindepth 1 -type d | wc -l; }
cgroups_before=$(cgroups)

limits="-m 32m --cpus 0.5 --pids-limit 40 --cpuset-cpus 0"
inside='cat memory.max memory.swap.max cpu.max pids.max cpuset.cpus 2>/dev/null | tr "\n" " "'
check "limits are in the files of the container's cgroup" "33554432 33554432 50000 100000 40 0 " \
    "$(glassbox run --rm $limits --network none box sh -c "cd /sys/fs/cgroup; $inside")"
check "the container's cgroup is its root" "0::/" \
    "$(glassbox run --rm --network none box cat /proc/self/cgroup)"
check "the memory limit kills" "137" \
    "$(glassbox run --rm -m 32m --network none box sh -c 'eat 100 >/dev/null 2>&1; echo $?')"
glassbox run --rm -m 32m --network none --trace-file /tmp/life.jsonl box sh -c \
    'echo x >> /etc/motd; rm /etc/passwd; mount -t tmpfs x /mnt; eat 100 >/dev/null; true' 2>/dev/null
for life in copy_up whiteout refused oom_killed executed layer_summary; do
    check "the container's life is told: $life" yes "$(grep -q "\"life\":\"$life\"" /tmp/life.jsonl && echo yes)"
done
check "nothing in the writable layer was missed" yes "$(grep -q '"unseen":0' /tmp/life.jsonl && echo yes)"
check "the device program refuses what is not allowed" "refused" \
    "$(glassbox run --rm --network none box sh -c 'mknod /tmp/sda b 8 0; cat /tmp/sda 2>/dev/null || echo refused')"
check "the device program allows what is" "ok" \
    "$(glassbox run --rm --network none box sh -c 'head -c 1 /dev/zero >/dev/null && echo ok')"
check "a privileged container is not held back" "ok" \
    "$(glassbox run --rm --network none --privileged box sh -c 'mknod /tmp/kmsg c 1 11; exec 3</tmp/kmsg && echo ok')"
glassbox run --name kept -p 8080:80 box sh -c 'echo x > /new; exit 7'
check "the exit status" 7 $?
check "the changes" "A /new" "$(glassbox diff kept)"
glassbox rm kept >/dev/null
for step in cgroup.create-unified namespaces.clone mounts.mount-overlay pivot.pivot-root life.supervise; do
    glassbox run --rm --kill-at $step box true 2>/dev/null
    glassbox system repair >/dev/null
    check "nothing is left after a kill at $step" "$before" "$(cat /proc/self/mountinfo | wc -l)"
done
check "no cgroup is left" "$cgroups_before" "$(cgroups)"
exit $failed
