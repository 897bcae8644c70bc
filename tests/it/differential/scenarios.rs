//! What is run on both kernels.

/// A command line of `sh` in the image `box`.
#[derive(Debug)]
pub struct Scenario {
    /// Options of `run`.
    pub options: &'static [&'static str],
    /// What the shell is to do.
    pub script: &'static str,
}

pub const fn sh(script: &'static str) -> Scenario {
    Scenario { options: &["--network", "none"], script }
}

pub const fn with(options: &'static [&'static str], script: &'static str) -> Scenario {
    Scenario { options, script }
}

#[rustfmt::skip]
pub const SCENARIOS: &[Scenario] = &[
    // The shell: redirections, pipes, subshells, statuses.
    sh("echo out; echo err >&2; exit 3"),
    sh("echo a > /tmp/f; echo b >> /tmp/f; cat < /tmp/f; cat /tmp/f | tr a-z A-Z | sort -r"),
    sh("x=1; (x=2; cd /tmp; pwd; exit 5); echo $? $x; pwd"),
    sh("{ echo o; echo e >&2; } > /tmp/both 2>&1; cat /tmp/both; exec 3>/tmp/three; echo 3 >&3; cat /tmp/three"),
    sh("cat /nowhere; echo $?; echo x > /nowhere/y; echo $?; cd /nowhere; echo $?"),
    sh("nosuch; echo $?; /etc/motd; echo $?; /etc; echo $?; echo 'echo s $0 $1' > /tmp/s; /tmp/s; echo $?; chmod +x /tmp/s; /tmp/s a; sh /tmp/s b"),
    sh("printf '#!/bin/sh\\necho script $1\\n' > /tmp/s; chmod 755 /tmp/s; /tmp/s one; printf '#!/nosuch\\n' > /tmp/t; chmod 755 /tmp/t; /tmp/t; echo $?"),
    sh("echo /e* /h* /[r-v]*; echo /etc/*s* /none*; cd /etc; echo *"),
    sh("set -e; false; echo not reached"),
    sh("yes | head -n 2; echo $?; seq 3 | while read n; do echo n$n; done; cat /etc/motd | wc"),
    with(&["--network", "none", "-w", "/tmp/deep/er"], "pwd; ls -lad /tmp/deep /tmp/deep/er; touch here"),
    with(&["--network", "none", "-e", "A=1", "-e", "B=x y"], "env; echo $A-$B"),
    sh("env -i PATH=/bin env; unset PATH; /bin/echo still; printenv PATH"),
    sh("read a; echo got [$a] $?; cat | wc -c"),

    // Signals, processes, process 1.
    sh("kill -9 $$; kill -TERM $$; kill -INT 1; echo alive"),
    sh("sh -c 'kill -9 $$'; echo $?; sh -c 'kill -TERM $$'; echo $?; sh -c 'kill -INT $$'; echo $?"),
    sh("trap 'echo caught' TERM; kill $$; echo after; trap - TERM; kill $$; echo still"),
    sh("trap 'echo leaving' EXIT; exit 4"),
    sh("sleep 1000 & kill $!; wait $!; echo $?; kill $!; echo $?"),
    sh("kill 12345; echo $?; kill -0 1; echo $?; kill -STOP $$; kill -l 9"),
    sh("ps"),
    sh("ps; (ps); sh -c 'ps; true'"),
    sh("sleep 100 & sleep 100 & sleep 0.3; ps; kill -9 $!; wait $!; echo $?"),
    sh("(sleep 0.05 & echo $! > /tmp/pid) ; p=$(cat /tmp/pid); grep -E '^(Pid|PPid)' /proc/$p/status; sleep 0.2; ls -d /proc/$p"),
    sh("echo $$; sh -c 'echo $$ $PPID'; (echo $$)"),
    sh("cat /proc/1/comm /proc/self/comm; tr '\\0' ' ' < /proc/1/cmdline; readlink /proc/self /proc/1/cwd /proc/1/exe"),
    sh("exec sh -c 'echo pid $$; exit 6'"),

    // Files: create, append, truncate, remove.
    sh("echo new > /new; echo more >> /etc/motd; : > /etc/shells; cat /etc/motd"),
    sh("mkdir -p /a/b/c; touch /a/b/c/f; rm -r /a/b; ls -la /a; rmdir /a"),
    sh("mkdir /d; mkdir /d; echo $?; rmdir /etc; echo $?; rm /d; echo $?; rm -r /d; rmdir /none; echo $?"),
    sh("head -c 100000 /dev/zero > /big; ls -l /big; head -c 5 /etc/motd > /big; ls -l /big; wc -c /big"),
    sh("touch /etc/motd /etc/new; ls -l /etc/new | cut -c1-10; stat -c '%a %u %g %s' /etc/motd"),
    sh("umask; umask 077; touch /f; mkdir /d; ls -ld /f /d | cut -c1-10; umask 0; touch /g; ls -l /g | cut -c1-10"),
    sh("cp /etc/passwd /p; cp -r /etc /copy; ls /copy; cp -p /bin/sh /s && rm /s; cp /none /x; echo $?"),
    sh("mkdir '/a b'; echo x > '/a b/ü'; ls '/a b'; find /a*"),
    sh("mv /etc/motd /motd; ls /etc; cat /motd; mv /motd /etc/motd"),
    sh("mv /none /x; echo $?; mv /etc/motd /none/x; echo $?; mkdir /d; mv /etc/motd /d; ls /d"),
    sh("echo a > /f; echo b > /g; mv /f /g; cat /g; ls /f; mkdir /d /e; mv /d /e; ls /e; mkdir /e/x; mkdir -p /y/e; mv /e /y; echo $?; ls /y /y/e"),
    sh("mkdir /d; mv /f /d 2>/dev/null; touch /f; mv -T /f /d; echo $?; mkdir /x; mv /x /f; echo $?; mv /x /x/y; echo $?"),

    // Directories of the lower layers: overlayfs refuses to rename them in place.
    sh("mv /etc /etc2; echo $?; ls /etc2; ls -d /etc"),
    sh("mv /home/box /home/tin; echo $?; ls -la /home | cut -c1-20; ls /home"),
    sh("mkdir /etc/sub; touch /etc/sub/f; mv /etc/sub /etc/sub2; ls /etc/sub2; rm -r /etc/sub2"),

    // Links.
    sh("ln /etc/motd /etc/motd2; echo x >> /etc/motd2; cat /etc/motd; ls -l /etc/motd | cut -c1-13"),
    sh("echo a > /f; ln /f /g; ln /f /h; rm /f; echo b >> /g; cat /h; ls -l /h | cut -c1-13; stat -c %h /h"),
    sh("ln -s /etc/motd /l; cat /l; readlink /l; echo more >> /l; rm /l; cat /etc/motd; ln -s none /d; cat /d; echo $?; readlink -f /d"),
    sh("ln -s a /b; ln -s b /a; cat /a; echo $?; ls -l /a | cut -c1-10; ln /etc /hard; echo $?; ln /none /x; echo $?; ln -s x /a; echo $?"),
    sh("ln /bin/sh /sh2; ls -l /sh2 | cut -c1-10; rm /bin/ls; ls; echo $?; ln -sf box /bin/ls; ls -d /"),

    // Modes and owners.
    sh("chmod 600 /etc/motd; chmod u+x,g=r /etc/hosts; chmod 4755 /etc/group; stat -c '%A %a %n' /etc/motd /etc/group; chmod 1 /none; echo $?"),
    sh("chown 1000:1000 /etc/motd; chown box /etc/shells; chown :4 /etc/group; ls -ln /etc/motd /etc/shells /etc/group | cut -d' ' -f1-4; chown nosuch /etc/motd; echo $?"),
    sh("chmod 4755 /etc/motd; chown 5 /etc/motd; stat -c %a /etc/motd; chmod 2755 /tmp; mkdir /tmp/d; touch /tmp/f; stat -c '%a %u:%g' /tmp/d /tmp/f"),
    sh("chown -R 7:8 /home; chmod -R go-rwx /home; find /home; stat -c '%a %u:%g' /home/box; chown -h 9 /bin/sh; chmod 0 /etc/motd; cat /etc/motd"),
    with(&["--network", "none", "-u", "box"], "id; pwd; echo $HOME; touch /x; echo $?; touch /tmp/x; ls -ln /tmp | tail -n 1 | cut -d' ' -f1-4; echo h > ~/f; cat ~/f"),
    with(&["--network", "none", "-u", "1000:50"], "id; chmod 777 /tmp; echo $?; chown 0 /home/box; echo $?; ls /root; echo $?; cat /etc/motd; echo x >> /etc/motd"),
    with(&["--network", "none", "-u", "nobody"], "id -u; rm /etc/motd; echo $?; mkdir /tmp/a; chmod 0 /tmp/a; ls /tmp/a; echo $?; rmdir /tmp/a; kill -9 1; echo $?; mv /etc/motd /tmp; echo $?"),
    with(&["--network", "none", "-u", "4242"], "id; whoami; echo $HOME; grep -E '^(Uid|Gid|Groups|Cap)' /proc/self/status"),
    sh("cd /tmp; touch rootfile; chmod 666 rootfile; mkdir -m 1777 s; touch s/f; chmod 777 s/f; ls -ld s s/f | cut -c1-10"),
    with(&["--network", "none", "-u", "nosuchuser"], "echo not reached"),
    with(&["--network", "none", "-u", "nobody:users"], "id; touch /tmp/f; chmod 4755 /tmp/f; chown nobody:mail /tmp/f; echo $?; chown :users /tmp/f; echo $?; stat -c '%a %u %g' /tmp/f"),

    // Copy-up, whiteouts, opaque directories.
    sh("cat /etc/box-build; echo $?; ls /etc; echo back > /etc/box-build; cat /etc/box-build"),
    sh("rm /etc/motd; ls /etc/motd; echo again > /etc/motd; cat /etc/motd"),
    sh("rm /etc/motd; mkdir /etc/motd; touch /etc/motd/inside; ls /etc/motd"),
    sh("rm -r /var; mkdir /var; ls -la /var | cut -c1-10; touch /var/new; mkdir /var/log"),
    sh("rm -r /home; echo file > /home; cat /home"),
    sh("rm -r /etc; ls -d /etc; echo $?"),
    sh("mkdir /etc/new; rmdir /etc/new; touch /etc/f; rm /etc/f; rm /f; ls /etc"),
    sh("rmdir /home; echo $?; rmdir /home/box; rmdir /home; echo $?; ls /; mkdir -p /home/box"),
    sh("touch /usr/bin/t; rm /usr/bin/*; rmdir /usr/bin /usr; mkdir -p /usr/bin; ls -a /usr /usr/bin"),
    sh("chmod 700 /var/log; chown 3 /mnt; mkdir /var/log/x"),
    sh("mv /etc/passwd /etc/group; cat /etc/group | head -n 1; ls /etc/passwd"),
    sh("ln /etc/motd /m; rm /etc/motd; cat /m; mv /m /etc/motd"),
    sh("exec 3< /etc/motd; echo changed > /etc/motd; cat <&3; cat /etc/motd"),
    sh("exec 3< /etc/motd; rm /etc/motd; cat <&3; cat /etc/motd"),
    sh("cd /var/tmp; rmdir /var/tmp; pwd; touch x; ls; echo $?"),
    sh("mkfifo /p 2>/dev/null || mknod /p p; ls -l /p | cut -c1-10; (echo through > /p) & cat /p; wait"),
    sh("mkdir -p /d/sub; mv /d/sub /moved; mv /d /home/d; ls -R /home; mv /moved /usr"),
    sh("rm /etc/motd; mkdir /new; mv /new /etc/motd; touch /etc/motd/f; rm -r /var/log; mkdir /v; mv /v /var/log; ls /var"),
    sh("rm -r /home; ln -s /tmp /home; touch /home/via; ls /tmp; rm /home; mkdir /home; ls /home"),
    sh("cd /etc; for f in *; do test -f $f && cp $f /tmp/$f; done; rm *; ls /etc; mv /tmp/motd /etc; ls /etc"),
    sh("mkdir /d; cd /d; mkdir -p a/b; cd a/b; mv /d/a /e; pwd; touch here; ls /e/b"),

    // /dev, /proc, /sys.
    sh("ls -l /dev | tr -s ' '"),
    sh("cat /dev/null; echo x > /dev/null; echo x > /dev/full; echo $?; head -c 4 /dev/zero | hexdump; head -c 8 /dev/urandom | wc -c; ls /dev/pts /dev/shm /dev/mqueue"),
    sh("echo o > /dev/stdout; echo e > /dev/stderr; cat /dev/fd/0; ls -l /dev/fd | cut -c1-5; echo x > /dev/new; ls -l /dev/new | cut -c1-10"),
    sh("mknod /null c 1 3; echo $?; ls -l /null | cut -c1-10; echo x > /null; echo $?; mknod /disk b 8 0; cat /disk; echo $?"),
    with(&["--network", "none", "--cap-drop", "MKNOD"], "mknod /null c 1 3; echo $?; mknod /fifo p; echo $?; ls -l /fifo | cut -c1-10"),
    sh("cat /proc/self/status | grep -E '^(Name|State|Uid|Gid|Groups|NSpid|Cap|NoNewPrivs|Seccomp):'"),
    sh("ls -d /proc/1 /proc/self /proc/mounts /proc/sys /proc/kcore /proc/keys; cat /proc/kcore | wc -c; cat /proc/sys/kernel/hostname | wc -c; ls /proc/acpi /proc/scsi"),
    sh("echo x > /proc/sys/kernel/hostname; echo $?; echo 1 > /proc/sysrq-trigger; echo $?; touch /sys/x; echo $?; touch /proc/x; echo $?; mkdir /sys/fs/cgroup/x; echo $?"),
    sh("mount | sort"),
    sh("cat /proc/self/mounts | cut -d' ' -f2,3 | sort"),
    sh("mount -t tmpfs t /mnt; echo $?; umount /proc; echo $?; hostname other; echo $?; hostname"),
    sh("readlink /proc/self/ns/pid | cut -d: -f1; ls /proc/self/ns; readlink /proc/self/fd/1 | cut -d: -f1; cat /proc/self/uid_map"),
    sh("cat /etc/hosts; cat /etc/hostname; hostname; ls -l /etc/hosts | cut -c1-10; echo 1.2.3.4 x >> /etc/hosts; tail -n 1 /etc/hosts; rm /etc/hosts; echo $?; mv /etc/hostname /h; echo $?"),

    // Limits, capabilities, privileges.
    with(&["--network", "none", "--read-only"], "touch /x; echo $?; rm /etc/motd; echo $?; echo x > /etc/motd; echo $?; touch /dev/shm/x; ls /dev/shm; mkdir /etc; echo $?; cat /etc/motd"),
    with(&["--network", "none", "-m", "16m"], "eat 64 > /dev/null; echo $?; eat 2; echo $?"),
    with(&["--network", "none", "--pids-limit", "4"], "sleep 5 & sleep 5 & sleep 5 & echo started; sleep 0; echo $?"),
    with(&["--network", "none", "--cap-drop", "ALL"], "id -u; chown 1 /etc/motd; echo $?; grep Cap /proc/self/status; cat /etc/motd; touch /home/box/x; echo $?; touch /new; echo $?; ls /root; kill -0 1; echo $?"),
    with(&["--network", "none", "--cap-drop", "CHOWN"], "chown 1 /etc/motd; echo $?; touch /f; chown 0:0 /f; echo $?"),
    with(&["--network", "none", "--cap-add", "SYS_ADMIN"], "mount -t tmpfs t /mnt; echo $?; touch /mnt/x; ls /mnt; mount | grep /mnt; umount /mnt; ls /mnt; hostname other; hostname"),
    with(&["--network", "none", "--privileged"], "hostname x; hostname; mount -t tmpfs none /mnt; echo $?; ls /sys/x; touch /proc/sys/x; ls /proc/keys"),
    with(&["--network", "none", "--security-opt", "no-new-privileges"], "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status"),
    with(&["--network", "none", "--security-opt", "seccomp=unconfined"], "grep -E 'NoNewPrivs|Seccomp:' /proc/self/status"),
    with(&["--network", "none", "--userns", "100000:65536"], "id; cat /proc/self/uid_map; touch /f; chown 5:6 /f; ls -ln /f | cut -d' ' -f1-4; ls -lnd /etc /etc/motd | cut -d' ' -f1-4; echo x >> /etc/motd; echo $?"),

    // The network.
    with(&["--network", "none"], "ip addr; ip route; ping -c 1 127.0.0.1; ping -c 1 -W 1 10.189.0.1; echo $?"),
    with(&[], "ip addr; ip route; cat /etc/hosts | tail -n 1"),
    with(&[], "ping -c 1 10.189.0.1 | grep -v round; ping -c 1 10.189.0.2 | grep received; ping -c 1 localhost | grep received"),
    with(&["--cap-drop", "NET_RAW"], "ping -c 1 10.189.0.1; echo $?"),
    with(&[], "(echo hello | nc -l -p 7000 > /got) & sleep 0.2; echo hi | nc 10.189.0.2 7000; wait; cat /got; nc 10.189.0.2 7001; echo $?; nc 127.0.0.1 7000; echo $?"),
    with(&[], "ip addr add 10.1.1.1/24 dev eth0; echo $?; ip link set eth0 down; echo $?; ip route del default; echo $?"),
    with(&["-h", "glass"], "hostname; cat /etc/hostname; tail -n 1 /etc/hosts; echo $HOSTNAME; ping -c 1 glass | head -n 1"),

    // Before the command runs.
    with(&["--network", "none", "-v", "/nowhere/at/all:/x"], "echo not reached"),
    with(&["--network", "none", "-w", "/etc/motd"], "echo not reached"),
    with(&["--network", "none", "--entrypoint", "/etc/motd"], "echo not reached"),
    with(&["--network", "none", "--entrypoint", "/etc"], "echo not reached"),
    with(&["--network", "none", "--entrypoint", "/etc/motd/x"], "echo not reached"),
    with(&["--network", "none", "--entrypoint", "nosuch"], "echo not reached"),
    with(&["--network", "none", "--cap-add", "NOSUCH"], "echo not reached"),

    // What ls and friends show of all this.
    sh("ls -la / | grep -v -E 'lib|proc|sys|total' | tr -s ' '"),
    sh("ls -lan /etc | grep -v resolv; ls /bin | wc -l; du -s /none; echo $?"),
    sh("ls -la /root /home /home/box /var /tmp"),
    sh("find / -xdev -type d | sort; find /etc -name '*s*' -type f | sort"),
    sh("stat -c '%F %a %h %n' / /etc /etc/motd /bin/sh /dev/null; stat -c '%s' /etc/motd /bin/sh; test -x /bin/sh && echo x; test -d /etc && echo d; test -L /bin/sh && echo L"),
    sh("uname -s; uname -m; nproc > /dev/null; id; whoami; df / | head -n 1 | tr -s ' '; which sh"),
    sh("sha256sum /etc/motd; grep -n box /etc/passwd; sort /etc/group | cut -d: -f1 | uniq | tr '\\n' ' '; grep -c . /etc/os-release"),
];
