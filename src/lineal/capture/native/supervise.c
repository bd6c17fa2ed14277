/* The supervisor of `lineal run --deep`: the kernel stops every program of the run at its file operations until this process
 * has looked at them, linked statically or not. It only looks: each call goes on as it was made.
 *
 *   supervise check              whether the kernel offers it: ends with 0, or says on stdout why not
 *   supervise enter FD COMMAND.. asks the kernel for it, hands what it gave over by socket FD, and becomes the command
 *   supervise watch FD           receives that and records until no program of the run is left
 */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* Where the arguments of a call stand, -1: it has none such. A path is relative to the descriptor before it. */
struct call {
    int number, dirfd, path, flags, dirfd2, path2;
    char what; /* o open, c creat, 2 openat2, m move, l link, s symlink, r remove, t truncate, u io_uring_setup */
};

static const struct call calls[] = {
    {SYS_openat, 0, 1, 2, -1, -1, 'o'},       {SYS_openat2, 0, 1, 2, -1, -1, '2'},
    {SYS_renameat, 0, 1, -1, 2, 3, 'm'},      {SYS_renameat2, 0, 1, 4, 2, 3, 'm'},
    {SYS_linkat, 0, 1, 4, 2, 3, 'l'},         {SYS_symlinkat, -1, 0, -1, 1, 2, 's'},
    {SYS_unlinkat, 0, 1, 2, -1, -1, 'r'},     {SYS_truncate, -1, 0, 1, -1, -1, 't'},
    {SYS_io_uring_setup, -1, -1, -1, -1, -1, 'u'},
#ifdef SYS_open
    {SYS_open, -1, 0, 1, -1, -1, 'o'},        {SYS_creat, -1, 0, -1, -1, -1, 'c'},
    {SYS_rename, -1, 0, -1, -1, 1, 'm'},      {SYS_link, -1, 0, -1, -1, 1, 'l'},
    {SYS_symlink, -1, 0, -1, -1, 1, 's'},     {SYS_unlink, -1, 0, -1, -1, -1, 'r'},
#endif
};
#define CALLS (sizeof calls / sizeof *calls)

/* ---- asking the kernel ------------------------------------------------------------------------------------------- */

/* A filter under which the calls above wait for a supervisor; its descriptor, or -1. */
static int install(void)
{
    struct sock_filter filter[CALLS + 6];
    unsigned short at = 0;
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < CALLS; i++)
        filter[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number,
                                                    (unsigned char)(CALLS - i), 0);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    struct sock_fprog program = {at, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static int send_descriptor(int socket, int fd)
{
    char byte = 'x', space[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    return sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static int receive_descriptor(int socket)
{
    char byte, space[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    int fd = -1;
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message))
        return -1;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

static int check(void)
{
    int fd = install();
    if (fd < 0) {
        printf("the kernel does not offer it here: %s\n", strerror(errno));
        return 1;
    }
    return 0;
}

static int enter(int socket, char **command)
{
    /* Between the filter and its supervisor nothing of the filter's calls may be made: they would wait for ever. */
    int fd = install();
    if (fd >= 0 && send_descriptor(socket, fd)) {
        _exit(125);
    }
    if (fd >= 0)
        syscall(SYS_close, fd);
    syscall(SYS_close, socket);
    execvp(command[0], command);
    _exit(errno == ENOENT ? 127 : 126);
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

static uint64_t told[1 << 16];
static char process[32];
static int process_id;

static bool again(enum op op, const char *path, const struct state *state)
{
    uint64_t hash = 1469598103934665603ULL ^ (uint64_t)op;
    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * 1099511628211ULL;
    uint64_t key = hash ^ ((uint64_t)state->mtime * 31 + (uint64_t)state->ctime) ^ state->ino << 20 ^ (uint64_t)state->size;
    uint64_t *slot = &told[(hash ^ hash >> 29) & 0xFFFF];
    bool same = *slot == key;
    *slot = key;
    return same;
}

/* The text at an address of the program; false when it cannot be read or is too long. */
static bool text_at(int pid, uint64_t address, char *out)
{
    size_t have = 0;
    while (have < PATH_MAX) {
        size_t want = 4096 - ((address + have) & 4095);
        if (want > PATH_MAX - have)
            want = PATH_MAX - have;
        struct iovec here = {out + have, want}, there = {(void *)(uintptr_t)(address + have), want};
        long got = process_vm_readv(pid, &here, 1, &there, 1, 0);
        if (got <= 0)
            return false;
        if (memchr(out + have, 0, (size_t)got))
            return true;
        have += (size_t)got;
    }
    return false;
}

/* The next records are by this process; its name is asked for when it is another one than before. */
static void look_at(int pid)
{
    char path[48] = "/proc/", name[32] = "";
    if (pid == process_id)
        return;
    process_id = pid;
    digits(path + 6, (uint64_t)pid);
    strcpy(process, path);
    strcat(path, "/comm");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    long got = fd < 0 ? 0 : read(fd, name, sizeof name - 1);
    if (fd >= 0)
        close(fd);
    name[got > 0 ? got - 1 : 0] = 0;
    if (!strcmp(name, "supervise"))
        process_id = 0; /* it has not become the command yet */
    tell_as(name);
}

static bool place(const struct seccomp_data *data, int dirfd, int path, int pid, char *out)
{
    char text[PATH_MAX];
    int folder = dirfd < 0 ? AT_FDCWD : (int)data->args[dirfd];
    return text_at(pid, data->args[path], text) && path_absolute(process, folder, text, out);
}

/* Whether a file that can be executed is a program or a library: what loads or examines it does not read data. */
static bool is_program(const char *path)
{
    char head[4] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    long got = read(fd, head, sizeof head);
    close(fd);
    return got == sizeof head && !memcmp(head, "\177ELF", 4);
}

static void opened(const char *path, int flags)
{
    struct state state;
    mode_t mode;
    bool there = state_at(AT_FDCWD, path, 0, &state, &mode);
    bool changes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
    if (flags & (O_PATH | O_DIRECTORY) || (there && !S_ISREG(mode)) || (!there && !(changes && flags & O_CREAT)))
        return;
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) && there)
        return; /* it will fail */
    if (faccessat(AT_FDCWD, path, there ? (changes ? W_OK : R_OK) : F_OK, AT_EACCESS) && there)
        return;
    enum op op = !changes ? READ : !there || flags & O_TRUNC || !state.size ? WRITE : (flags & O_ACCMODE) == O_RDWR ? READ_WRITE : MODIFY;
    if (op == READ && (mode & 0111 || strstr(path, ".so")) && is_program(path))
        return;
    if (op != READ || !again(op, path, &state))
        tell_file(op, path, op == WRITE ? NULL : &state);
}

static void moved(struct room *room, const char *how)
{
    struct state state;
    mode_t mode;
    if (state_at(AT_FDCWD, room->path, AT_SYMLINK_NOFOLLOW, &state, &mode))
        tell_move(room, room->path, room->other, &state, how, mode);
}

/* What goes through a ring the kernel does by itself, without asking. Said once of a process. */
static void sees_ring(int pid)
{
    static int said;
    if (pid != said)
        tell_note("not observed: files that ", journal_program(), " opens by io_uring");
    said = pid;
}

static void look(const struct seccomp_notif *notice, struct room *room)
{
    const struct seccomp_data *data = &notice->data;
    const struct call *call = NULL;
    struct state state;
    mode_t mode;
    for (size_t i = 0; i < CALLS && !call; i++)
        if (calls[i].number == data->nr)
            call = &calls[i];
    if (!call)
        return;
    int pid = (int)notice->pid, flags = call->flags < 0 ? 0 : (int)data->args[call->flags];
    look_at(pid);
    if (call->what == 'u') {
        sees_ring(pid);
        return;
    }
    if (call->what == 's' ? !place(data, call->dirfd2, call->path2, pid, room->path)
                          : !place(data, call->dirfd, call->path, pid, room->path))
        return;
    if (call->what == 'm' || call->what == 'l') {
        if (!place(data, call->dirfd2, call->path2, pid, room->other) || (path_quiet(room->path) && path_quiet(room->other)))
            return;
        if (call->what == 'l' && !strncmp(room->path, "/proc/", 6))
            tell_file(WRITE, room->other, NULL);
        else
            moved(room, call->what == 'l' ? "link" : NULL);
        return;
    }
    if (path_quiet(room->path))
        return;
    if (call->what == 'o' || call->what == 'c') {
        opened(room->path, call->what == 'c' ? O_CREAT | O_WRONLY | O_TRUNC : flags);
    } else if (call->what == '2') {
        uint64_t how = 0;
        struct iovec here = {&how, sizeof how}, there = {(void *)(uintptr_t)data->args[2], sizeof how};
        if (process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof how)
            opened(room->path, (int)how);
    } else if (call->what == 'r' && !(flags & AT_REMOVEDIR)) {
        if (state_at(AT_FDCWD, room->path, AT_SYMLINK_NOFOLLOW, &state, &mode) && !S_ISDIR(mode))
            tell_file(REMOVED, room->path, &state);
    } else if (call->what == 't') {
        opened(room->path, data->args[1] ? O_WRONLY : O_WRONLY | O_TRUNC);
    }
}

static int watch(int socket)
{
    const char *run = getenv("LINEAL_RUN"), *folder = getenv("LINEAL_JOURNAL");
    for (int number = 1; number < 32; number++)
        if (number != SIGKILL && number != SIGSTOP && number != SIGSEGV && number != SIGBUS)
            signal(number, SIG_IGN); /* whoever ends this process ends the file operations of all it watches */
    int listener = receive_descriptor(socket);
    close(socket);
    if (listener < 0)
        return 1;
    journal_configure(SUPERVISOR, run, folder, "");
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, (unsigned long)SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    struct room *room = room_take();
    for (;;) {
        struct pollfd ready = {listener, POLLIN, 0};
        if (poll(&ready, 1, -1) < 0 && errno != EINTR)
            return 1;
        if (ready.revents & POLLHUP && !(ready.revents & POLLIN))
            return 0;
        struct seccomp_notif notice;
        memset(&notice, 0, sizeof notice);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notice))
            continue;
        if (room && journal_wanted())
            look(&notice, room);
        struct seccomp_notif_resp answer = {.id = notice.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
}

int main(int count, char **words)
{
    if (count == 2 && !strcmp(words[1], "check"))
        return check();
    if (count >= 4 && !strcmp(words[1], "enter"))
        return enter(atoi(words[2]), words + 3);
    if (count == 3 && !strcmp(words[1], "watch"))
        return watch(atoi(words[2]));
    fputs("usage: supervise check | enter FD COMMAND... | watch FD\n", stderr);
    return 2;
}
