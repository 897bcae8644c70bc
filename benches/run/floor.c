/* The floor: the fewest system calls that make something like a container.
 *
 * usage: floor DIR
 *
 * DIR holds lower/true (a static program), upper, work and merged. Does one clone3 with mnt,
 * pid, uts, ipc, cgroup and net namespaces, makes three cgroup directories where it can, mounts an
 * overlay and /proc, changes the root, sets the host name, executes /true and waits.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

static void fail(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    _exit(125);
}

static const char *hierarchies[] = {"memory", "pids", "cpu"};

static void cgroup(const char *name, pid_t pid, int make) {
    char path[256], text[32];
    snprintf(path, sizeof path, "/sys/fs/cgroup/%s/floor-%d", name, (int)getpid());
    if (!make) {
        rmdir(path);
        return;
    }
    if (mkdir(path, 0755) != 0)
        return;
    strncat(path, "/cgroup.procs", sizeof path - strlen(path) - 1);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int n = snprintf(text, sizeof text, "%d", (int)pid);
    if (fd >= 0) {
        if (write(fd, text, n) < 0)
            perror(path);
        close(fd);
    }
}

int main(int argc, char **argv) {
    if (argc != 2 || chdir(argv[1]) != 0)
        fail("usage: floor DIR");
    int go[2];
    if (pipe2(go, O_CLOEXEC) != 0)
        fail("pipe2");
    struct clone_args args = {
        .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP | CLONE_NEWNET,
        .exit_signal = SIGCHLD,
    };
    pid_t pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0)
        fail("clone3");
    if (pid == 0) {
        char byte;
        close(go[1]);
        if (read(go[0], &byte, 1) < 0)
            fail("read");
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
            fail("private");
        if (mount("overlay", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work") != 0)
            fail("overlay");
        if (mount("proc", "merged/proc", "proc", 0, NULL) != 0)
            fail("proc");
        if (chdir("merged") != 0 || syscall(SYS_pivot_root, ".", ".") != 0)
            fail("pivot_root");
        if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
            fail("umount");
        if (sethostname("floor", 5) != 0)
            fail("sethostname");
        char *const command[] = {"/true", NULL}, *const env[] = {NULL};
        execve("/true", command, env);
        fail("execve");
    }
    for (int i = 0; i < 3; i++)
        cgroup(hierarchies[i], pid, 1);
    close(go[0]);
    close(go[1]);
    int status;
    if (waitpid(pid, &status, 0) < 0)
        fail("waitpid");
    for (int i = 0; i < 3; i++)
        cgroup(hierarchies[i], pid, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
