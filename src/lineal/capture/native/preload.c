/* The library that LD_PRELOAD puts before the C library: it calls the function it stands for, and tells what that did to files.
 *
 * A record is made after the call succeeded, errno is kept, and when anything of ours does not work the program's call has
 * been made all the same. In a Python that is recorded already, the interpreter's own calls are left to its audit hook
 * (see `control`); those of the libraries it has loaded are told here.
 */
#include "record.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload.h"

#define TOLD (1 << 20) /* accesses remembered, so that what is opened again and again is told once; of the memory only what is used is taken */
#define DESCRIPTORS 65536
#define KEPT (16 << 20) /* bytes of the largest file that is hashed before its content is lost */

static bool on;
static uint64_t told[TOLD], written[TOLD / 4];
static uint64_t marked[DESCRIPTORS / 64]; /* descriptors that a file was opened by for writing */
static uintptr_t interpreter_begins, interpreter_ends;
static __thread bool ours_to_tell __attribute__((tls_model("initial-exec"))); /* the next opening of the interpreter */

/* ---- set up ------------------------------------------------------------------------------------------------------ */

__attribute__((constructor)) static void begin(void)
{
    const char *run = getenv("LINEAL_RUN"), *folder = getenv("LINEAL_JOURNAL");
    if (!run || !*run || !folder || !*folder)
        return;
    /* A sanitizer that is part of the program has replaced what we would call. */
    if (dlsym(RTLD_DEFAULT, "__asan_init") || dlsym(RTLD_DEFAULT, "__tsan_init") || dlsym(RTLD_DEFAULT, "__msan_init"))
        return;
    on = journal_configure(PRELOAD, run, folder, getenv("LINEAL_PARENT"));
}

bool preload_on(void)
{
    return on;
}

static int within(struct dl_phdr_info *info, size_t size, void *data)
{
    uintptr_t at = *(uintptr_t *)data;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t begins = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        if (info->dlpi_phdr[i].p_type == PT_LOAD && at >= begins && at < begins + info->dlpi_phdr[i].p_memsz) {
            interpreter_begins = begins;
            interpreter_ends = begins + info->dlpi_phdr[i].p_memsz;
            return 1;
        }
    }
    return 0;
}

/* Paths that begin with this sign are words to us. `audit`: the interpreter that calls has an audit hook that tells what it
 * opens itself, but for the very next opening of this thread after `next`. The answer is an error that no path can have. */
static int control(const char *path, uintptr_t caller)
{
    errno = ENOENT;
    if (on && !strcmp(path, CONTROL "audit")) {
        dl_iterate_phdr(within, &caller);
        errno = EDOM;
    } else if (on && !strcmp(path, CONTROL "off")) {
        on = false;
        errno = EDOM;
    } else if (on && !strcmp(path, CONTROL "next")) {
        ours_to_tell = true;
        errno = EDOM;
    }
    return -1;
}

static bool by_interpreter(void *caller)
{
    return (uintptr_t)caller >= interpreter_begins && (uintptr_t)caller < interpreter_ends;
}

/* The interpreter's hook is not told of folders given by descriptor; what is relative to one is told here. */
static bool left_to_hook(void *caller, int dirfd, const char *path)
{
    return by_interpreter(caller) && (dirfd == AT_FDCWD || path[0] == '/') && !ours_to_tell;
}

/* ---- what was told ----------------------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *text, uint64_t seed)
{
    uint64_t hash = 1469598103934665603ULL ^ seed;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
    return hash ^ hash >> 29;
}

/* Whether this was the last said of it. Races only repeat a record. */
static bool again(enum op op, uint64_t path, const struct state *state)
{
    uint64_t key = path + (uint64_t)op * 0x9E3779B97F4A7C15ULL;
    if (state)
        key ^= ((uint64_t)state->mtime * 31 + (uint64_t)state->ctime) * 0x9E3779B97F4A7C15ULL ^ state->ino << 20 ^
               (uint64_t)state->size;
    key |= 1;
    uint64_t *slot = &told[(path ^ (uint64_t)op) % TOLD];
    if (__atomic_load_n(slot, __ATOMIC_RELAXED) == key)
        return true;
    __atomic_store_n(slot, key, __ATOMIC_RELAXED);
    return false;
}

/* Files that this process wrote: to append more to them loses nothing of others. */
static bool own(uint64_t path)
{
    return __atomic_load_n(&written[path % (TOLD / 4)], __ATOMIC_RELAXED) == path;
}

static void set_own(uint64_t path, bool is)
{
    if (is || own(path))
        __atomic_store_n(&written[path % (TOLD / 4)], is ? path : 0, __ATOMIC_RELAXED);
}

static void mark(int fd, bool is)
{
    if (fd < 0 || fd >= DESCRIPTORS)
        return;
    uint64_t bit = 1ULL << (fd & 63);
    if (is)
        __atomic_fetch_or(&marked[fd >> 6], bit, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&marked[fd >> 6], ~bit, __ATOMIC_RELAXED);
}

static bool is_marked(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS && __atomic_load_n(&marked[fd >> 6], __ATOMIC_RELAXED) >> (fd & 63) & 1;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

#define CHANGES(flags) (((flags) & O_ACCMODE) != O_RDONLY || (flags) & O_TRUNC)

/* The file is about to lose its content, which the delivering process may not have hashed yet: it is hashed here, once. */
static void keep(int dirfd, const char *path, void *caller)
{
    struct state state;
    mode_t mode;
    if (!on || !path || left_to_hook(caller, dirfd, path))
        return;
    int kept = errno;
    if (state_at(dirfd, path, 0, &state, &mode) && S_ISREG(mode) && state.size > 0 && state.size <= KEPT) {
        struct room *room = room_take();
        if (room && path_absolute("/proc/self", dirfd, path, room->path) && !path_quiet(room->path)) {
            uint64_t hash = hash_of(room->path, 0);
            if (!own(hash) && !again(DIGEST, hash, &state))
                tell_digest(room, &state);
        }
        if (room)
            room_leave(room);
    }
    errno = kept;
}

static void before_open(int dirfd, const char *path, int flags, void *caller)
{
    if (CHANGES(flags) && flags & O_TRUNC)
        keep(dirfd, path, caller);
}

static enum op op_of(int flags, const struct state *state)
{
    if (!CHANGES(flags))
        return READ;
    if (flags & O_TRUNC || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) || !state->size)
        return WRITE;
    return (flags & O_ACCMODE) == O_RDWR ? READ_WRITE : MODIFY;
}

static void tell_open(int dirfd, const char *path, int flags, struct state *state)
{
    struct room *room = room_take();
    if (!room)
        return;
    if (path_absolute("/proc/self", dirfd, path, room->path) && !path_quiet(room->path)) {
        uint64_t hash = hash_of(room->path, 0);
        enum op op = op_of(flags, state);
        if (op == READ)
            set_own(hash, false);
        bool more = (op == MODIFY || op == READ_WRITE) && own(hash);
        if ((op == MODIFY || op == READ_WRITE) && !more && state->size <= KEPT && !again(DIGEST, hash, state))
            tell_digest(room, state);
        if (!more && (op == WRITE || !again(op, hash, state)))
            tell_file(op, room->path, op == WRITE ? NULL : state);
        if (op != READ)
            set_own(hash, true);
    }
    room_leave(room);
}

static int after_open(int fd, int dirfd, const char *path, int flags, void *caller)
{
    bool left = path && left_to_hook(caller, dirfd, path);
    if (by_interpreter(caller))
        ours_to_tell = false;
    if (fd < 0 || !on || !path || flags & O_PATH)
        return fd;
    int kept = errno;
    struct stat found;
    if (CHANGES(flags) && !left) /* of what the hook tells, the time of change says when it was written last */
        mark(fd, true);
    if (!(flags & O_DIRECTORY) && !left &&
        kernel(SYS_newfstatat, fd, "", &found, AT_EMPTY_PATH) == 0 && S_ISREG(found.st_mode)) {
        struct state state = state_of(&found);
        tell_open(dirfd, path, flags, &state);
    }
    errno = kept;
    return fd;
}

void opens_for_another(const char *path, int flags)
{
    before_open(AT_FDCWD, path, flags, NULL);
}

void opened_for_another(const char *path, int flags)
{
    struct state state;
    mode_t mode;
    if (on && !(flags & (O_PATH | O_DIRECTORY)) && state_at(AT_FDCWD, path, 0, &state, &mode) && S_ISREG(mode))
        tell_open(AT_FDCWD, path, flags, &state);
}

#define CALLER __builtin_return_address(0)
#define MODE(flags, last)                                  \
    mode_t mode = 0;                                       \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {               \
        va_list more;                                      \
        va_start(more, last);                              \
        mode = va_arg(more, mode_t);                       \
        va_end(more);                                      \
    }

#define OPEN(name)                                                                            \
    SHOWN int name(const char *path, int flags, ...)                                          \
    {                                                                                         \
        MODE(flags, flags)                                                                    \
        if (path && path[0] == CONTROL[0])                                                    \
            return control(path, (uintptr_t)CALLER);                                          \
        before_open(AT_FDCWD, path, flags, CALLER);                                           \
        return after_open(REAL(name)(path, flags, mode), AT_FDCWD, path, flags, CALLER);      \
    }
#define OPENAT(name)                                                                          \
    SHOWN int name(int dirfd, const char *path, int flags, ...)                               \
    {                                                                                         \
        MODE(flags, flags)                                                                    \
        before_open(dirfd, path, flags, CALLER);                                              \
        return after_open(REAL(name)(dirfd, path, flags, mode), dirfd, path, flags, CALLER);  \
    }
#define OPEN_2(name)                                                                          \
    SHOWN int name(const char *path, int flags)                                               \
    {                                                                                         \
        before_open(AT_FDCWD, path, flags, CALLER);                                           \
        return after_open(REAL(name)(path, flags), AT_FDCWD, path, flags, CALLER);            \
    }
#define OPENAT_2(name)                                                                        \
    SHOWN int name(int dirfd, const char *path, int flags)                                    \
    {                                                                                         \
        before_open(dirfd, path, flags, CALLER);                                              \
        return after_open(REAL(name)(dirfd, path, flags), dirfd, path, flags, CALLER);        \
    }
#define CREAT(name)                                                                           \
    SHOWN int name(const char *path, mode_t mode)                                             \
    {                                                                                         \
        keep(AT_FDCWD, path, CALLER);                                                         \
        return after_open(REAL(name)(path, mode), AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, CALLER); \
    }

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
OPEN_2(__open_2)
OPEN_2(__open64_2)
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)
CREAT(creat)
CREAT(creat64)

static int flags_of(const char *mode)
{
    int flags = strchr(mode, '+') ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
    return flags | (mode[0] == 'w' ? O_CREAT | O_TRUNC : mode[0] == 'a' ? O_CREAT | O_APPEND : 0) |
           (mode[0] != 'r' && strchr(mode, 'x') ? O_EXCL : 0);
}

static FILE *after_fopen(FILE *file, const char *path, const char *mode, void *caller)
{
    if (file && on && path && mode)
        after_open(fileno_unlocked(file), AT_FDCWD, path, flags_of(mode), caller);
    return file;
}

#define FOPEN(name)                                                                           \
    SHOWN FILE *name(const char *path, const char *mode)                                      \
    {                                                                                         \
        if (mode && mode[0] == 'w')                                                           \
            keep(AT_FDCWD, path, CALLER);                                                     \
        return after_fopen(REAL(name)(path, mode), path, mode, CALLER);                       \
    }
#define FREOPEN(name)                                                                         \
    SHOWN FILE *name(const char *path, const char *mode, FILE *file)                          \
    {                                                                                         \
        if (mode && mode[0] == 'w')                                                           \
            keep(AT_FDCWD, path, CALLER);                                                     \
        return after_fopen(REAL(name)(path, mode, file), path, mode, CALLER);                 \
    }

FOPEN(fopen)
FOPEN(fopen64)
FREOPEN(freopen)
FREOPEN(freopen64)

static int after_mkstemp(int fd, const char *path, void *caller)
{
    return after_open(fd, AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL, caller);
}

SHOWN int mkstemp(char *path)
{
    return after_mkstemp(REAL(mkstemp)(path), path, CALLER);
}
SHOWN int mkstemp64(char *path)
{
    return after_mkstemp(REAL(mkstemp64)(path), path, CALLER);
}
SHOWN int mkostemp(char *path, int flags)
{
    return after_mkstemp(REAL(mkostemp)(path, flags), path, CALLER);
}
SHOWN int mkostemp64(char *path, int flags)
{
    return after_mkstemp(REAL(mkostemp64)(path, flags), path, CALLER);
}
SHOWN int mkstemps(char *path, int suffix)
{
    return after_mkstemp(REAL(mkstemps)(path, suffix), path, CALLER);
}
SHOWN int mkstemps64(char *path, int suffix)
{
    return after_mkstemp(REAL(mkstemps64)(path, suffix), path, CALLER);
}

/* ---- asking the kernel without the C library's functions ---------------------------------------------------------- */

/* What goes through a ring the kernel does by itself, so that nobody is called. Said once. */
static void sees_ring(long result)
{
    static bool said;
    if (result < 0 || !on || said)
        return;
    said = true;
    int kept = errno;
    tell_note("not observed: files that ", journal_program(), " opens by io_uring");
    errno = kept;
}

static long open_how(int dirfd, const char *path, const struct open_how *how, size_t size)
{
    int flags = how && size >= sizeof how->flags ? (int)how->flags : O_PATH;
    before_open(dirfd, path, flags, NULL);
    return after_open((int)REAL(syscall)(SYS_openat2, dirfd, path, how, size), dirfd, path, flags, NULL);
}

SHOWN long syscall(long number, ...)
{
    va_list more;
    long a[6], result;
    va_start(more, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(more, long);
    va_end(more);
#define PATH(n) ((const char *)a[n])
    switch (number) {
    case SYS_openat:
        return openat((int)a[0], PATH(1), (int)a[2], (mode_t)a[3]);
    case SYS_openat2:
        return open_how((int)a[0], PATH(1), (const struct open_how *)a[2], (size_t)a[3]);
    case SYS_renameat2:
        return renameat2((int)a[0], PATH(1), (int)a[2], PATH(3), (unsigned)a[4]);
    case SYS_linkat:
        return linkat((int)a[0], PATH(1), (int)a[2], PATH(3), (int)a[4]);
    case SYS_unlinkat:
        return unlinkat((int)a[0], PATH(1), (int)a[2]);
    case SYS_close:
        return close((int)a[0]);
#ifdef SYS_open
    case SYS_open:
        return open(PATH(0), (int)a[1], (mode_t)a[2]);
    case SYS_rename:
        return rename(PATH(0), PATH(1));
    case SYS_unlink:
        return unlink(PATH(0));
#endif
    }
    result = REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (number == SYS_io_uring_setup)
        sees_ring(result);
    return result;
}

/* The functions of liburing, which calls the kernel by instructions of its own. */
#define RING(name)                                                                            \
    SHOWN int name(unsigned entries, void *ring, void *how, void *memory, size_t size)        \
    {                                                                                         \
        if (!REAL(name))                                                                      \
            return -ENOSYS;                                                                   \
        int result = REAL(name)(entries, ring, how, memory, size);                            \
        sees_ring(result);                                                                    \
        return result;                                                                        \
    }

RING(io_uring_queue_init)
RING(io_uring_queue_init_params)
RING(io_uring_queue_init_mem)

/* ---- closing ----------------------------------------------------------------------------------------------------- */

/* A file that was open for writing is about to be closed: what it is called now, in `room`; false when there is nothing to tell. */
static bool before_close(int fd, struct room *room, struct state *state)
{
    struct stat found;
    mark(fd, false);
    if (kernel(SYS_newfstatat, fd, "", &found, AT_EMPTY_PATH) || !S_ISREG(found.st_mode) || !found.st_nlink)
        return false;
    *state = state_of(&found);
    return link_of("/proc/self", "fd", fd, room->path) > 0 && !path_quiet(room->path);
}

#define CLOSE(how, fd)                                                                        \
    struct room *room = on && is_marked(fd) ? room_take() : NULL;                             \
    if (!room)                                                                                \
        return how;                                                                           \
    struct state state;                                                                       \
    int kept = errno;                                                                         \
    bool tell = before_close(fd, room, &state);                                               \
    errno = kept;                                                                             \
    int result = how;                                                                         \
    kept = errno;                                                                             \
    if (tell && state_at(AT_FDCWD, room->path, 0, &state, NULL) && !again(CLOSED, hash_of(room->path, 0), &state)) \
        tell_file(CLOSED, room->path, &state);                                                \
    room_leave(room);                                                                         \
    errno = kept;                                                                             \
    return result;

SHOWN int close(int fd)
{
    CLOSE(REAL(close)(fd), fd)
}

SHOWN int fclose(FILE *file)
{
    CLOSE(REAL(fclose)(file), (file ? fileno_unlocked(file) : -1))
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* What an act on names needs to know from before it. */
struct names {
    struct room *room;
    struct state state;
    mode_t mode;
};

static bool before_move(struct names *names, int from, const char *src, int to, const char *dst, int flags, void *caller)
{
    names->room = NULL;
    if (!on || !src || !dst || (left_to_hook(caller, from, src) && left_to_hook(caller, to, dst)))
        return false;
    int kept = errno;
    bool there = state_at(from, src, flags, &names->state, &names->mode);
    struct room *room = there ? room_take() : NULL;
    if (room && !(path_absolute("/proc/self", from, src, room->path) && path_absolute("/proc/self", to, dst, room->other) &&
                  !(path_quiet(room->path) && path_quiet(room->other)))) {
        room_leave(room);
        room = NULL;
    }
    names->room = room;
    struct state lost;
    if (room && state_at(to, dst, AT_SYMLINK_NOFOLLOW, &lost, NULL) && lost.ino != names->state.ino)
        keep(to, dst, caller);
    errno = kept;
    return room != NULL;
}

static int after_move(int result, struct names *names, const char *how)
{
    struct room *room = names->room;
    if (!room)
        return result;
    int kept = errno;
    if (result == 0) {
        uint64_t src = hash_of(room->path, 0), dst = hash_of(room->other, 0);
        tell_move(room, room->path, room->other, &names->state, how, names->mode);
        if (!how) {
            set_own(dst, own(src));
            set_own(src, false);
        }
    }
    room_leave(room);
    errno = kept;
    return result;
}

SHOWN int rename(const char *src, const char *dst)
{
    struct names names;
    before_move(&names, AT_FDCWD, src, AT_FDCWD, dst, AT_SYMLINK_NOFOLLOW, CALLER);
    return after_move(REAL(rename)(src, dst), &names, NULL);
}

SHOWN int renameat(int from, const char *src, int to, const char *dst)
{
    struct names names;
    before_move(&names, from, src, to, dst, AT_SYMLINK_NOFOLLOW, CALLER);
    return after_move(REAL(renameat)(from, src, to, dst), &names, NULL);
}

SHOWN int renameat2(int from, const char *src, int to, const char *dst, unsigned flags)
{
    struct names names;
    before_move(&names, from, src, to, dst, AT_SYMLINK_NOFOLLOW, CALLER);
    return after_move(REAL(renameat2)(from, src, to, dst, flags), &names, NULL);
}

SHOWN int link(const char *src, const char *dst)
{
    struct names names;
    before_move(&names, AT_FDCWD, src, AT_FDCWD, dst, AT_SYMLINK_NOFOLLOW, CALLER);
    return after_move(REAL(link)(src, dst), &names, "link");
}

/* A file without a name gets one: from then on it is a file that was written. */
static int named(int from, const char *src, int to, const char *dst, int flags)
{
    struct room *room = room_take();
    int result = REAL(linkat)(from, src, to, dst, flags);
    int kept = errno;
    if (room && result == 0 && path_absolute("/proc/self", to, dst, room->path) && !path_quiet(room->path)) {
        set_own(hash_of(room->path, 0), true);
        tell_file(WRITE, room->path, NULL);
    }
    if (room)
        room_leave(room);
    errno = kept;
    return result;
}

SHOWN int linkat(int from, const char *src, int to, const char *dst, int flags)
{
    struct names names;
    if (on && src && dst && ((flags & AT_EMPTY_PATH && !*src) || !strncmp(src, "/proc/", 6)))
        return named(from, src, to, dst, flags);
    before_move(&names, from, src, to, dst, flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW, CALLER);
    return after_move(REAL(linkat)(from, src, to, dst, flags), &names, "link");
}

/* The target of a symbolic link is relative to the folder of the link. */
static int symlinked(int result, const char *target, int dirfd, const char *path, void *caller)
{
    if (result || !on || !target || !path || left_to_hook(caller, dirfd, path))
        return result;
    int kept = errno;
    struct room *room = room_take();
    size_t length = room ? path_absolute("/proc/self", dirfd, path, room->other) : 0;
    if (length && !path_quiet(room->other)) {
        size_t fold = target[0] == '/' ? 0 : (size_t)(strrchr(room->other, '/') - room->other) + 1, more = strlen(target);
        struct state state;
        mode_t mode;
        char *joined = room->frame;
        if (fold + more < PATH_MAX) {
            memcpy(joined, room->other, fold);
            memcpy(joined + fold, target, more + 1);
            if (path_absolute("/proc/self", AT_FDCWD, joined, room->path) && state_at(AT_FDCWD, room->path, 0, &state, &mode))
                tell_move(room, room->path, room->other, &state, "symlink", mode);
        }
    }
    if (room)
        room_leave(room);
    errno = kept;
    return result;
}

SHOWN int symlink(const char *target, const char *path)
{
    return symlinked(REAL(symlink)(target, path), target, AT_FDCWD, path, CALLER);
}

SHOWN int symlinkat(const char *target, int dirfd, const char *path)
{
    return symlinked(REAL(symlinkat)(target, dirfd, path), target, dirfd, path, CALLER);
}

static void before_remove(struct names *names, int dirfd, const char *path, void *caller)
{
    names->room = NULL;
    if (!on || !path || left_to_hook(caller, dirfd, path))
        return;
    int kept = errno;
    if (state_at(dirfd, path, AT_SYMLINK_NOFOLLOW, &names->state, &names->mode) && !S_ISDIR(names->mode)) {
        struct room *room = room_take();
        if (room && (!path_absolute("/proc/self", dirfd, path, room->path) || path_quiet(room->path))) {
            room_leave(room);
            room = NULL;
        }
        names->room = room;
    }
    errno = kept;
}

static int after_remove(int result, struct names *names)
{
    struct room *room = names->room;
    if (!room)
        return result;
    int kept = errno;
    if (result == 0) {
        set_own(hash_of(room->path, 0), false);
        tell_file(REMOVED, room->path, &names->state);
    }
    room_leave(room);
    errno = kept;
    return result;
}

SHOWN int unlink(const char *path)
{
    struct names names;
    before_remove(&names, AT_FDCWD, path, CALLER);
    return after_remove(REAL(unlink)(path), &names);
}

SHOWN int unlinkat(int dirfd, const char *path, int flags)
{
    struct names names = {NULL, {0, 0, 0, 0, 0}, 0};
    if (!(flags & AT_REMOVEDIR))
        before_remove(&names, dirfd, path, CALLER);
    return after_remove(REAL(unlinkat)(dirfd, path, flags), &names);
}

SHOWN int remove(const char *path)
{
    struct names names;
    before_remove(&names, AT_FDCWD, path, CALLER);
    return after_remove(REAL(remove)(path), &names);
}

static int truncated(int result, const char *path, off64_t length, struct state *state, bool there, void *caller)
{
    if (result == 0 && there && !left_to_hook(caller, AT_FDCWD, path)) {
        int kept = errno;
        tell_open(AT_FDCWD, path, length ? O_WRONLY : O_WRONLY | O_TRUNC, state);
        errno = kept;
    }
    return result;
}

#define TRUNCATE(name, kind)                                                                  \
    SHOWN int name(const char *path, kind length)                                             \
    {                                                                                         \
        struct state state;                                                                   \
        mode_t mode;                                                                          \
        bool there = on && path && state_at(AT_FDCWD, path, 0, &state, &mode) && S_ISREG(mode); \
        if (there)                                                                            \
            keep(AT_FDCWD, path, CALLER);                                                     \
        return truncated(REAL(name)(path, length), path, length, &state, there, CALLER);      \
    }

/* A file that was opened to be changed loses all its content after all, as the output of `sort -o`. */
static int emptied(int result, int fd, off64_t length)
{
    if (result || length || !on)
        return result;
    int kept = errno;
    struct room *room = room_take();
    if (room && link_of("/proc/self", "fd", fd, room->path) > 0 && !path_quiet(room->path))
        tell_file(EMPTIED, room->path, NULL);
    if (room)
        room_leave(room);
    errno = kept;
    return result;
}

SHOWN int ftruncate(int fd, off_t length)
{
    return emptied(REAL(ftruncate)(fd, length), fd, length);
}

SHOWN int ftruncate64(int fd, off64_t length)
{
    return emptied(REAL(ftruncate64)(fd, length), fd, length);
}

TRUNCATE(truncate, off_t)
TRUNCATE(truncate64, off64_t)
