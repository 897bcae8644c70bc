//! Scenarios of what confines a container: namespaces, id maps, capabilities,
//! limits, and its network.

use super::scenarios::{Scenario, sh, with};

const NONE: &[&str] = &["--network", "none"];

#[rustfmt::skip]
pub const CONFINED: &[Scenario] = &[
    // Namespaces.
    sh("for n in mnt pid uts ipc net user cgroup; do test $(readlink /proc/self/ns/$n) = $(readlink /proc/1/ns/$n) && echo same $n; done"),
    sh("grep -E '^(Tgid|Pid|PPid|NSpid)' /proc/1/status; sh -c 'grep -E NSpid /proc/self/status'; ls /proc > /tmp/l; grep -cE '^[0-9]+$' /tmp/l; rm /tmp/l"),
    sh("(sleep 1; echo never) & kill -9 $!; wait $!; echo $?; sh -c 'sh -c \"kill -9 \\$\\$\"; echo $?'"),
    sh("ls /dev/shm /dev/mqueue; echo x > /dev/shm/f; ls -l /dev/shm | wc -l; df /dev/shm | tail -n 1 | tr -s ' ' | cut -d' ' -f1,6"),
    with(&["--network", "none", "-h", "here"], "hostname; uname -n; cat /proc/sys/kernel/hostname; hostname there; echo $?; hostname"),
    with(&["--network", "none", "--cap-add", "SYS_ADMIN"], "hostname renamed; hostname; cat /proc/sys/kernel/hostname; uname -n; cat /etc/hostname | wc -c"),
    with(&["--network", "none", "--cap-add", "SYS_ADMIN"], "mkdir /a /b; echo x > /a/f; mount -o bind /a /b; echo $?; ls /b; echo y > /b/g; ls /a; rmdir /b; echo $?; umount /b; ls /b"),
    with(&["--network", "none", "--cap-add", "SYS_ADMIN"], "mount -t tmpfs -o ro t /mnt; touch /mnt/x; echo $?; umount /mnt; umount /mnt; echo $?; mount -t nosuch n /mnt; echo $?; mount -t tmpfs t /none; echo $?"),
    with(&["--network", "none", "--cap-add", "SYS_ADMIN"], "mount -t tmpfs t /mnt; touch /mnt/a; mv /mnt/a /a; ls /a; ln /a /mnt/b; echo $?; cd /mnt; umount /mnt; echo $?; cd /; umount /mnt; echo $?"),
    with(&["--network", "none", "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"], "mount -t proc p /mnt; ls -d /mnt/1; cat /mnt/1/comm; umount /mnt"),

    // Id maps: what root inside is outside.
    with(&["--network", "none", "--userns", "100000:65536"], "cat /proc/self/uid_map /proc/self/gid_map; id; whoami"),
    with(&["--network", "none", "--userns", "100000:65536"], "touch /tmp/f; chown 65535:65535 /tmp/f; echo $?; chown 70000 /tmp/f; echo $?; stat -c '%u %g' /tmp/f"),
    with(&["--network", "none", "--userns", "100000:65536"], "ls -ln / | tr -s ' ' | cut -d' ' -f1,3,4 | sort | uniq -c | wc -l; stat -c '%u %g %a' /etc /tmp /etc/motd"),
    with(&["--network", "none", "--userns", "100000:65536"], "chmod 600 /etc/motd; echo $?; chown 0 /etc/motd; echo $?; rm /etc/motd; echo $?; mkdir /x; echo $?; mv /etc/motd /tmp; echo $?; ln /etc/motd /tmp/m; echo $?"),
    with(&["--network", "none", "--userns", "100000:65536"], "hostname other; echo $?; mount -t tmpfs t /mnt; echo $?; mknod /tmp/n c 1 3; echo $?; mknod /tmp/p p; echo $?; kill -0 1; echo $?"),
    with(&["--network", "none", "--userns", "100000:65536", "--cap-add", "SYS_ADMIN"], "hostname other; hostname; mount -t tmpfs t /mnt; echo $?; touch /mnt/f; stat -c '%u %g' /mnt /mnt/f; umount /mnt; echo $?"),
    with(&["--network", "none", "--userns", "100000:65536", "-u", "1000:1000"], "id; touch /tmp/f; stat -c '%u %g' /tmp/f; chown 0 /tmp/f; echo $?; touch /x; echo $?; cat /etc/motd | wc -l"),
    with(&["--network", "none", "--userns", "100000:10"], "id; touch /tmp/f; chown 9 /tmp/f; echo $?; chown 10 /tmp/f; echo $?; chown :9 /tmp/f; stat -c '%u %g' /tmp/f"),
    with(&["--network", "none", "--userns", "100000:65536"], "mkdir /tmp/d; chmod 2775 /tmp/d; chown 1:2 /tmp/d; touch /tmp/d/f; stat -c '%a %u %g' /tmp/d /tmp/d/f; chmod 4755 /tmp/d/f; echo x >> /tmp/d/f; stat -c %a /tmp/d/f"),
    with(&["--network", "none", "--userns", "100000:65536", "--read-only"], "touch /tmp/x; echo $?; touch /dev/shm/x; echo $?; stat -c '%u %g' /dev/shm/x"),
    with(&["--userns", "100000:65536"], "ping -c 1 10.189.0.1 | grep received; ip link set eth0 down; echo $?; ip addr | grep -c inet"),
    with(&["--userns", "100000:65536", "--cap-add", "NET_ADMIN"], "ip addr add 10.1.1.1/24 dev eth0; echo $?; ip addr show eth0 | grep inet | grep -v inet6; ip link set eth0 down; echo $?"),
    with(&["--network", "none", "--userns", "100000:65536", "--cap-drop", "ALL"], "grep -E '^Cap' /proc/self/status; touch /tmp/f; chown 5 /tmp/f; echo $?; chmod 4755 /tmp/f; stat -c %a /tmp/f"),

    // Capabilities, one by one.
    with(&["--network", "none", "--cap-drop", "DAC_OVERRIDE"], "chmod 0 /etc/motd; cat /etc/motd; echo $?; echo x > /home/box/f; echo $?; ls /home/box; cd /home/box; mkdir d; echo $?"),
    with(&["--network", "none", "--cap-drop", "FOWNER"], "touch /f; chmod 600 /f; chown box /f; chmod 644 /f; echo $?; chmod 600 /etc/motd; echo $?; touch /home/box/f; rm /home/box/f; echo $?"),
    with(&["--network", "none", "--cap-drop", "FOWNER"], "mkdir -m 1777 /s; touch /s/f; chown box /s/f; chown box /s; rm /s/f; echo $?; mv /s/f /g; echo $?"),
    with(&["--network", "none", "--cap-drop", "FSETID"], "touch /f; chmod 6755 /f; echo x >> /f; stat -c %a /f; chown :mail /f; chmod 2755 /f; stat -c %a /f"),
    with(&["--network", "none", "--cap-drop", "CHOWN"], "chown 0 /etc/motd; echo $?; chown :mail /etc/motd; echo $?; cp -p /etc/motd /m; stat -c '%u %g' /m"),
    with(&["--network", "none", "--cap-drop", "KILL", "-u", "box"], "sleep 5 & kill $!; echo $?; wait $!; echo $?; kill -9 1; echo $?"),
    with(&["--network", "none", "--cap-drop", "NET_BIND_SERVICE"], "nc -l -p 80; echo $?; (echo x | nc -l -p 8080 > /dev/null) & sleep 0.2; nc 127.0.0.1 8080; wait; echo done"),
    with(&["--network", "none", "-u", "box"], "nc -l -p 80; echo $?; mknod /tmp/n c 1 3; echo $?; mknod /tmp/p p; echo $?; hostname x; echo $?; mount -t tmpfs t /tmp; echo $?"),
    with(&["--network", "none", "-u", "box", "--cap-add", "CHOWN"], "grep -E '^Cap(Eff|Prm|Bnd|Amb)' /proc/self/status; touch /tmp/f; chown 0 /tmp/f; echo $?"),
    with(&["--network", "none", "--cap-drop", "ALL", "--cap-add", "CHOWN"], "grep -E '^Cap' /proc/self/status; chown 5 /etc/motd; echo $?; chmod 600 /etc/motd; echo $?; cat /root/x; echo $?"),
    with(&["--network", "none", "--cap-drop", "ALL", "--cap-add", "DAC_OVERRIDE"], "echo x > /home/box/f; echo $?; chown box /home/box/f; echo $?; chmod 0 /home/box/f; cat /home/box/f; rm /home/box/f"),
    with(&["--network", "none", "--cap-add", "ALL"], "hostname x; hostname; mount -t tmpfs t /mnt; echo $?; umount /mnt"),
    with(&["--network", "none", "--privileged"], "grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | grep -v Cap; mknod /null c 1 3; echo x > /null; echo $?; echo 5 > /proc/sys/kernel/hostname; hostname"),
    with(&["--network", "none", "--security-opt", "no-new-privileges", "-u", "box"], "cp /etc/motd /tmp/b; chmod 4755 /tmp/b; stat -c '%a %u' /tmp/b; id -u; grep NoNewPrivs /proc/self/status"),
    with(&["--network", "none", "--cap-add", "NET_ADMIN"], "ip link set lo down; echo $?; ping -c 1 -W 1 127.0.0.1 | grep received; ip link set lo up; ping -c 1 127.0.0.1 | grep received"),
    with(&["--cap-add", "NET_ADMIN"], "ip link set eth0 down; ping -c 1 10.189.0.1; echo $?; ip route; ip link set eth0 up; ping -c 1 10.189.0.1 | grep received"),

    // Limits.
    with(&["--network", "none", "-m", "16m"], "exec eat 64 > /dev/null"),
    with(&["--network", "none", "-m", "16m"], "(eat 64 > /dev/null); echo $?; eat 4 | tail -n 1; (eat 1; exit 3); echo $?"),
    with(&["--network", "none", "-m", "32m"], "head -c 8000000 /dev/zero > /dev/shm/x; echo $?; wc -c /dev/shm/x; eat 64 > /dev/null; echo $?"),
    with(&["--network", "none", "-m", "64m"], "for i in 1 2 3; do eat 8 | tail -n 1; done; eat 200 > /dev/null; echo $?; echo $(eat 10 | wc -l)"),
    with(&["--network", "none", "--pids-limit", "1"], "echo before; ls; echo $?"),
    with(&["--network", "none", "--pids-limit", "2"], "ls -d /; echo $?; echo a | cat; echo $?"),
    with(&["--network", "none", "--pids-limit", "3"], "echo a | cat; (sh -c 'sh -c true; echo $?'); echo $?"),
    with(&["--network", "none", "--pids-limit", "5"], "sleep 9 & sleep 9 & sleep 9 & ls -d /; kill %1; wait %1; ls -d /etc; echo $?"),
    with(&["--network", "none", "--pids-limit", "-1"], "for i in 1 2 3 4 5 6 7 8; do sleep 0 & done; wait; echo all"),
    with(&["--network", "none", "-m", "16m", "--pids-limit", "4", "-u", "box"], "eat 64 > /dev/null; echo $?; sleep 1 & sleep 1 & sleep 1 & sleep 1; echo $?"),

    // The network: published ports, translation, and what does not get through.
    with(&["-p", "8080:80"], "httpd -p 80 -h /etc & sleep 0.3; wget -q -O - http://10.189.0.2/motd; echo $?; wget -q -T 2 -O - http://127.0.0.1:8080/motd; echo $?"),
    with(&["-p", "8080:80"], "httpd -p 80 -h /etc & sleep 0.3; wget -q -T 2 -O - http://10.189.0.1:8080/motd; echo $?; wget -q -T 2 -O - http://10.189.0.1:8081/motd; echo $?"),
    with(&["-p", "8080:80"], "wget -q -T 2 -O - http://10.189.0.1:8080/; echo $?"),
    with(&["-p", "8080:80/udp"], "wget -q -T 2 -O - http://10.189.0.1:8080/; echo $?"),
    with(&[], "ping -c 1 -W 1 10.189.0.77; echo $?; nc -w 1 10.189.0.1 9; echo $?"),
    with(&[], "cat /etc/resolv.conf | grep -c 127.0; ls /sys/class/net | sort; cat /sys/class/net/eth0/mtu"),
    with(NONE, "ip addr | grep inet; ping -c 1 10.189.0.1; echo $?; ip route | wc -l; nc 10.189.0.1 80; echo $?; cat /etc/hosts | wc -l"),
];
