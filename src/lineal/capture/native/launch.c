/* Starting programs: those that could not load the library are started without it, and the record says that they were not seen.
 *
 * Otherwise the dynamic loader would complain on their stderr (32-bit programs), or they would not start at all (another C
 * library, a sanitizer that must come first).
 */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload.h"

#define VARIABLE "LD_PRELOAD="
#define MOST 8192 /* entries of an environment that is looked at */
#define LONGEST 4096

extern char **environ;

static bool changed_user;
static bool unseen_shells; /* what `system` starts will not be seen, which is not told yet */

static const char *library(void)
{
    static char path[PATH_MAX];
    Dl_info info;
    if (!path[0] && dladdr((void *)(uintptr_t)library, &info) && info.dli_fname && strlen(info.dli_fname) < sizeof path)
        strcpy(path, info.dli_fname);
    return path;
}

__attribute__((constructor)) static void learn(void)
{
    library();
}

/* The entry of an environment that has us preloaded, -1 when none has. */
static int entry(char *const *env)
{
    const char *own = library();
    for (int i = 0; env && *own && i < MOST && env[i]; i++)
        if (!strncmp(env[i], VARIABLE, sizeof VARIABLE - 1) && strstr(env[i], own))
            return i;
    return -1;
}

static int count(char *const *env)
{
    int many = 0;
    while (env && env[many])
        many++;
    return many;
}

/* `entry` without us in `out` (LONGEST bytes): what else is preloaded. */
static void without(const char *from, char *out)
{
    const char *own = library();
    size_t length = strlen(own), to = sizeof VARIABLE - 1;
    memcpy(out, VARIABLE, to + 1);
    for (const char *at = from + to; *at && to < LONGEST - 2;) {
        size_t piece = strcspn(at, ": ");
        if (piece && !(piece == length && !strncmp(at, own, piece)) && to + piece < LONGEST - 2) {
            if (to > sizeof VARIABLE - 1)
                out[to++] = ':';
            memcpy(out + to, at, piece);
            to += piece;
        }
        at += piece;
        while (*at == ':' || *at == ' ')
            at++;
    }
    out[to] = 0;
}

/* Where a program without a slash in its name is found on PATH, as execvp would; "" when nowhere. */
static void look_up(const char *name, char *out)
{
    const char *path = getenv("PATH");
    size_t length = strlen(name);
    out[0] = 0;
    for (const char *at = path ? path : "/bin:/usr/bin"; length < 256; at++) {
        size_t piece = strcspn(at, ":");
        if (piece + length + 2 < 1024) {
            memcpy(out, at, piece);
            out[piece] = '/';
            memcpy(out + (piece ? piece + 1 : 0), name, length + 1);
            if (kernel(SYS_faccessat, AT_FDCWD, out, X_OK) == 0)
                return;
        }
        out[0] = 0;
        at += piece;
        if (!*at)
            return;
    }
}

/* What is to be known before a program is started. */
struct start {
    int at;     /* the entry of the environment that has to be changed, or -1 */
    int length; /* entries in it */
};

static struct start look(const char *name, char *const *env, bool search)
{
    struct start start = {-1, 0};
    char found[1024];
    if (!preload_on() || !name || !env)
        return start;
    int kept = errno;
    const char *path = name;
    if (search && !strchr(name, '/')) {
        look_up(name, found);
        path = found;
    }
    const char *why = path[0] ? program_obstacle(path) : NULL;
    int at = entry(env);
    if (changed_user && why && !*why && kernel(SYS_faccessat, AT_FDCWD, library(), R_OK) != 0)
        why = "it runs as another user, who may not read the library";
    else if (changed_user && why && !*why && kernel(SYS_faccessat, AT_FDCWD, journal_folder(), W_OK) != 0)
        why = "it runs as another user, who may not write the journal";
    if (why && *why) {
        bool deep = getenv("LINEAL_DEEP") != NULL;
        if (!deep) {
            char text[128] = ": ";
            strncat(text, why, sizeof text - 3);
            tell_note("not observed inside: ", name, text);
        }
        start.at = program_bears(why) ? -1 : at;
        start.length = count(env);
    } else if (why && at < 0) {
        tell_note("not observed inside: ", name, ": it was started without the environment that Lineal gave");
    }
    errno = kept;
    return start;
}

/* Run `call` with `env` as it is, or as a copy without us where the program cannot load us. */
#define WITH(name, env, search, call)                                                         \
    struct start start = look(name, env, search);                                             \
    if (start.at < 0 || start.length >= MOST)                                                 \
        return call;                                                                          \
    char changed[LONGEST], *copy[start.length + 1];                                           \
    memcpy(copy, env, ((size_t)start.length + 1) * sizeof *copy);                             \
    without(env[start.at], changed);                                                          \
    copy[start.at] = changed;                                                                 \
    env = copy;                                                                               \
    return call;

/* A file without a first line that names an interpreter is no program to the kernel: a shell then runs it by itself. */
static int executed(const char *path, char *const argv[], char *const *env)
{
    int result = REAL(execve)(path, argv, env);
    if (errno == ENOEXEC && preload_on()) {
        tell_code(path);
        errno = ENOEXEC;
    }
    return result;
}

SHOWN int execve(const char *path, char *const argv[], char *const given[])
{
    char *const *env = given;
    WITH(path, env, false, executed(path, argv, env))
}

SHOWN int execv(const char *path, char *const argv[])
{
    char *const *env = environ;
    WITH(path, env, false, executed(path, argv, env))
}

SHOWN int execvp(const char *name, char *const argv[])
{
    char *const *env = environ;
    WITH(name, env, true, REAL(execvpe)(name, argv, env))
}

SHOWN int execvpe(const char *name, char *const argv[], char *const given[])
{
    char *const *env = given;
    WITH(name, env, true, REAL(execvpe)(name, argv, env))
}

/* ---- files that are opened for a program as it is started ----------------------------------------------------------- */

#define OPENS 32 /* remembered at a time, in the order of their making */

static struct {
    const void *actions; /* whose they are; NULL: free */
    int flags;
    char path[PATH_MAX];
} opens[OPENS];

SHOWN int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *restrict actions, int fd, const char *restrict path, int flags,
                                           mode_t mode)
{
    int result = REAL(posix_spawn_file_actions_addopen)(actions, fd, path, flags, mode);
    if (result || !preload_on() || !path || strlen(path) >= PATH_MAX)
        return result;
    for (int i = 0; i < OPENS; i++) {
        const void *none = NULL;
        if (__atomic_compare_exchange_n(&opens[i].actions, &none, actions, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
            opens[i].flags = flags;
            strcpy(opens[i].path, path);
            return 0;
        }
    }
    return 0;
}

SHOWN int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
    for (int i = 0; i < OPENS; i++) {
        const void *own = actions;
        __atomic_compare_exchange_n(&opens[i].actions, &own, NULL, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    }
    return REAL(posix_spawn_file_actions_destroy)(actions);
}

static void about_opens(const void *actions, void (*tell)(const char *path, int flags))
{
    int kept = errno;
    for (int i = 0; actions && preload_on() && i < OPENS; i++)
        if (__atomic_load_n(&opens[i].actions, __ATOMIC_ACQUIRE) == actions)
            tell(opens[i].path, opens[i].flags);
    errno = kept;
}

/* `spawn` starts a program; what it opens for that is told when it was started. */
#define SPAWNED(spawn)                                                                        \
    ({                                                                                        \
        about_opens(actions, opens_for_another);                                              \
        int result = spawn;                                                                   \
        if (!result)                                                                          \
            about_opens(actions, opened_for_another);                                         \
        result;                                                                               \
    })

SHOWN int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *how,
                      char *const argv[], char *const given[])
{
    char *const *env = given;
    WITH(path, env, false, SPAWNED(REAL(posix_spawn)(pid, path, actions, how, argv, env)))
}

SHOWN int posix_spawnp(pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *how,
                       char *const argv[], char *const given[])
{
    char *const *env = given;
    WITH(name, env, true, SPAWNED(REAL(posix_spawnp)(pid, name, actions, how, argv, env)))
}

/* A process became another user: where that one may not read the library, the dynamic loader would complain on the stderr of
 * every program that the C library starts by itself (`system`, `popen`), so the environment goes without us. */
static void as_another(void)
{
    if (!preload_on())
        return;
    bool loads = kernel(SYS_faccessat, AT_FDCWD, library(), R_OK) == 0;
    unseen_shells = !loads || kernel(SYS_faccessat, AT_FDCWD, journal_folder(), W_OK) != 0;
    int at = loads ? -1 : entry(environ);
    char changed[LONGEST];
    if (at >= 0 && strlen(environ[at]) < LONGEST) {
        without(environ[at], changed);
        strcpy(environ[at], changed); /* never longer than before */
    }
}

static void about_shell(void)
{
    int kept = errno;
    if (unseen_shells)
        tell_note("not observed inside: what ", journal_program(), " starts as another user, who may not be recorded here");
    unseen_shells = false;
    errno = kept;
}

SHOWN int system(const char *command)
{
    about_shell();
    return REAL(system)(command);
}

SHOWN FILE *popen(const char *command, const char *how)
{
    about_shell();
    return REAL(popen)(command, how);
}

/* A process that becomes another user may not be able to open its journal afterwards, so it does before. */
#define CHANGE_USER(name, parameters, arguments)                                              \
    SHOWN int name parameters                                                                 \
    {                                                                                         \
        int kept = errno;                                                                     \
        if (preload_on() && !changed_user) {                                                  \
            changed_user = true;                                                              \
            journal_open_now();                                                               \
        }                                                                                     \
        errno = kept;                                                                         \
        int result = REAL(name) arguments;                                                    \
        kept = errno;                                                                         \
        if (result == 0)                                                                      \
            as_another();                                                                     \
        errno = kept;                                                                         \
        return result;                                                                        \
    }

CHANGE_USER(setuid, (uid_t user), (user))
CHANGE_USER(seteuid, (uid_t user), (user))
CHANGE_USER(setreuid, (uid_t user, uid_t now), (user, now))
CHANGE_USER(setresuid, (uid_t user, uid_t now, uid_t saved), (user, now, saved))

/* The words of an `execl` call as an array; `first` is the first of them. */
#define WORDS(first, last)                                                                    \
    va_list words;                                                                            \
    int many = 1;                                                                             \
    va_start(words, last);                                                                    \
    while (first && va_arg(words, char *))                                                    \
        many++;                                                                               \
    va_end(words);                                                                            \
    char *argv[many + 1];                                                                     \
    argv[0] = (char *)(uintptr_t)first;                                                       \
    va_start(words, last);                                                                    \
    for (int i = 1; i <= many && first; i++)                                                  \
        argv[i] = va_arg(words, char *);

SHOWN int execl(const char *path, const char *first, ...)
{
    WORDS(first, first)
    va_end(words);
    return execv(path, argv);
}

SHOWN int execlp(const char *name, const char *first, ...)
{
    WORDS(first, first)
    va_end(words);
    return execvp(name, argv);
}

SHOWN int execle(const char *path, const char *first, ...)
{
    WORDS(first, first)
    char *const *env = va_arg(words, char *const *);
    va_end(words);
    return execve(path, argv, env);
}
