/* Paths as programs name them, made absolute; and which of them say nothing about data. */
#include "record.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "noise.h" /* QUIET_BEGINS, QUIET_INSIDE: made from capture/noise.py when this is compiled */

static char own[PATH_MAX];
static size_t own_length;

long kernel(long number, ...)
{
    va_list more;
    long a[6];
    va_start(more, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(more, long);
    va_end(more);
#if defined __x86_64__
    register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined __aarch64__
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a[0], x1 __asm__("x1") = a[1], x2 __asm__("x2") = a[2],
                  x3 __asm__("x3") = a[3], x4 __asm__("x4") = a[4], x5 __asm__("x5") = a[5];
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
    return x0;
#endif
}

/* Accesses below `folder`, which is Lineal's, are never told. */
void paths_own(const char *folder)
{
    own_length = strnlen(folder, PATH_MAX - 2);
    memcpy(own, folder, own_length);
    while (own_length && own[own_length - 1] == '/')
        own_length--;
    if (own_length)
        own[own_length++] = '/';
}

/* Whether an absolute path belongs to the system, to an environment, or to Lineal. */
bool path_quiet(const char *path)
{
    if (own_length && strncmp(path, own, own_length) == 0)
        return true;
    for (size_t i = 0; i < sizeof QUIET_BEGINS / sizeof *QUIET_BEGINS; i++)
        if (strncmp(path, QUIET_BEGINS[i].text, QUIET_BEGINS[i].length) == 0)
            return true;
    for (size_t i = 0; i < sizeof QUIET_INSIDE / sizeof *QUIET_INSIDE; i++)
        if (strstr(path, QUIET_INSIDE[i].text))
            return true;
    return false;
}

/* Decimal digits of `number` in `out`, ended by a zero; how many. */
size_t digits(char *out, uint64_t number)
{
    char turned[24];
    size_t count = 0, at = 0;
    do
        turned[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        out[at++] = turned[--count];
    out[at] = 0;
    return at;
}

/* Where `<process>/<kind>` or, with number >= 0, `<process>/<kind>/<number>` points; the length, or -1. */
int link_of(const char *process, const char *kind, int number, char *out)
{
    char name[64];
    size_t at = strnlen(process, 32);
    memcpy(name, process, at);
    name[at++] = '/';
    size_t more = strnlen(kind, 8);
    memcpy(name + at, kind, more);
    at += more;
    if (number >= 0) {
        name[at++] = '/';
        at += digits(name + at, (uint64_t)number);
    }
    name[at] = 0;
    long length = kernel(SYS_readlinkat, AT_FDCWD, name, out, PATH_MAX - 1);
    if (length <= 0 || length >= PATH_MAX - 1 || out[0] != '/')
        return -1;
    out[length] = 0;
    return (int)length;
}

struct state state_of(const struct stat *found)
{
    return (struct state){
        .size = found->st_size,
        .mtime = found->st_mtim.tv_sec * 1000000000LL + found->st_mtim.tv_nsec,
        .ctime = found->st_ctim.tv_sec * 1000000000LL + found->st_ctim.tv_nsec,
        .ino = found->st_ino,
        .dev = found->st_dev,
    };
}

/* The state and mode of what stands there; false when nothing does. flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. */
bool state_at(int dirfd, const char *path, int flags, struct state *state, mode_t *mode)
{
    struct stat found;
    if (kernel(SYS_newfstatat, dirfd, path, &found, flags))
        return false;
    *state = state_of(&found);
    if (mode)
        *mode = found.st_mode;
    return true;
}

/* The folder `path[0..length)` with `..` and links followed, written over it; false when it is not there. */
static bool follow(char *path, size_t length, size_t *now)
{
    char kept = path[length];
    path[length] = 0;
    long fd = kernel(SYS_openat, AT_FDCWD, length ? path : "/", O_PATH | O_CLOEXEC | O_DIRECTORY, 0);
    path[length] = kept;
    if (fd < 0)
        return false;
    char target[512];
    char name[40] = "/proc/self/fd/";
    digits(name + 14, (uint64_t)fd);
    long got = kernel(SYS_readlinkat, AT_FDCWD, name, target, sizeof target);
    kernel(SYS_close, (int)fd);
    if (got <= 0 || got >= (long)sizeof target || target[0] != '/')
        return false;
    size_t rest = strlen(path + length);
    if ((size_t)got + rest + 1 > PATH_MAX)
        return false;
    if (got == 1)
        got = 0; /* the root: what follows begins with a slash */
    memmove(path + got, path + length, rest + 1);
    memcpy(path, target, (size_t)got);
    *now = (size_t)got;
    return true;
}

/* Take out `.`, doubled slashes and `..` as the system would follow them; the length now. */
static size_t tidy(char *path)
{
    char *last = strrchr(path, '/');
    if (strstr(path, "/../") && last) {
        size_t now;
        if (strcmp(last, "/..") != 0 && follow(path, (size_t)(last - path), &now))
            return strlen(path);
    }
    size_t to = 0;
    for (size_t at = 0; path[at];) {
        while (path[at] == '/')
            at++;
        size_t end = at;
        while (path[end] && path[end] != '/')
            end++;
        size_t length = end - at;
        if (length == 2 && path[at] == '.' && path[at + 1] == '.') {
            while (to && path[--to] != '/')
                ;
        } else if (length && !(length == 1 && path[at] == '.')) {
            path[to++] = '/';
            memmove(path + to, path + at, length);
            to += length;
        }
        at = end;
    }
    if (!to)
        path[to++] = '/';
    path[to] = 0;
    return to;
}

/* The working directory of the process at `process`; its length, or -1. */
static int folder_of(const char *process, char *out)
{
    if (strcmp(process, "/proc/self") != 0)
        return link_of(process, "cwd", -1, out);
    long length = kernel(SYS_getcwd, out, PATH_MAX); /* a third of the time */
    return length > 1 && out[0] == '/' ? (int)length - 1 : -1;
}

/* `path` from the root in `out` (PATH_MAX bytes), as the process at `process` (`/proc/self`, `/proc/123`) means it.
 * Links are kept as they were named. 0 when it cannot be told. */
size_t path_absolute(const char *process, int dirfd, const char *path, char *out)
{
    size_t at = 0, length = strnlen(path, PATH_MAX);
    if (!length || length >= PATH_MAX - 1)
        return 0;
    if (path[0] != '/') {
        int found = dirfd == AT_FDCWD ? folder_of(process, out) : link_of(process, "fd", dirfd, out);
        if (found < 0)
            return 0;
        at = found == 1 ? 0 : (size_t)found;
        if (at + length + 2 > PATH_MAX)
            return 0;
        out[at++] = '/';
    }
    memcpy(out + at, path, length + 1);
    at += length;
    if (strstr(out, "/.") || strstr(out, "//"))
        return tidy(out);
    return at;
}
