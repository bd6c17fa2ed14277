/* What the layers below the interpreter share: how an access to a file becomes a frame of a journal.
 *
 * Nothing here allocates, takes a lock, or calls anything but the kernel, so all of it may run in signal handlers, between
 * vfork and exec, and in a process whose heap is broken. The frames are those of journal/frames.py.
 */
#ifndef LINEAL_RECORD_H
#define LINEAL_RECORD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum op { READ = 1, WRITE = 2, REMOVED = 3, READ_WRITE = 4, MODIFY = 7, CLOSED = 8, EMPTIED = 9, DIGEST = 100 /* never in a frame */ };
enum layer { PRELOAD = 5, SUPERVISOR = 6 };

#define FRAME_MAX 16384

/* What tells two states of a file apart. Times in nanoseconds. */
struct state {
    int64_t size, mtime, ctime;
    uint64_t ino, dev;
};

/* Work space for one access; there are few, and whoever finds none goes without a record. */
struct room {
    int busy;
    char path[PATH_MAX], other[PATH_MAX];
    char frame[FRAME_MAX];
};

/* ---- journal.c ---- */
bool journal_configure(enum layer layer, const char *run, const char *folder, const char *parent);
bool journal_wanted(void);
const char *journal_folder(void);
void journal_open_now(void); /* before the right to open it is given away */
struct room *room_take(void);
void room_leave(struct room *room);
void tell_file(enum op op, const char *path, const struct state *state);
void tell_move(struct room *room, const char *src, const char *dst, const struct state *state, const char *how, mode_t mode);
void tell_digest(struct room *room, const struct state *state);
void tell_code(const char *path); /* a text that a program was given to run */
void tell_note(const char *text, const char *subject, const char *more);
void tell_as(const char *who_does); /* the name of the program that the next accesses are by */

const char *journal_program(void);

/* ---- paths.c ---- */
/* A system call; -1 to -4095 for an error. Not the C library's `syscall`, which the preloaded library stands for. */
long kernel(long number, ...);
size_t path_absolute(const char *process, int dirfd, const char *path, char *out);
bool path_quiet(const char *path);
void paths_own(const char *folder);
size_t digits(char *out, uint64_t number);
int link_of(const char *process, const char *kind, int number, char *out);
bool state_at(int dirfd, const char *path, int flags, struct state *state, mode_t *mode);
struct state state_of(const struct stat *found);

/* ---- program.c ---- */
/* Why a program could not be seen by the library, "" when it can, NULL when it cannot be told. */
const char *program_obstacle(const char *path);
/* Whether a program with that obstacle may be started with the library all the same: it does no harm, and those it starts are seen. */
bool program_bears(const char *why);

#endif
