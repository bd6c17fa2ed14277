/* Appending frames to a journal of this process alone, as journal/append.py does for the interpreter. */
#include "record.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "crc.h"
#include "sha256.h"

#define ROOMS 128 /* so many threads may tell something at once; who finds none is counted */
#define FILES 16
#define LARGEST (256LL << 20) /* bytes of one journal */
#define TRIES 8

/* A journal that was opened: whose, and what stands at its descriptor unless the program closed it. */
struct file {
    int pid, fd;
    uint64_t dev, ino;
    int64_t bytes;
    bool full;
};

static struct room rooms[ROOMS];
static struct file files[FILES];
static unsigned current, next;
static int crowded; /* accesses that found no room since it was last told */
static int failed_pid, failures, first_pid;
static enum layer layer;
static char run[33], folder[PATH_MAX - 64], parent[16], boot[40], who[80], host[65], name[64], program[512];
static size_t name_length;
static char script[1024]; /* the text this program was started to run, where its file is one, or its first word names a file */
static bool is_program; /* whether that text is the program itself, which names its interpreter in its first line */

/* ---- set up ------------------------------------------------------------------------------------------------------ */

static long read_line(const char *path, char *out, size_t size)
{
    int fd = (int)kernel(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    long got = kernel(SYS_read, fd, out, size - 1);
    kernel(SYS_close, fd);
    while (got > 0 && out[got - 1] == '\n')
        got--;
    out[got > 0 ? got : 0] = 0;
    return got > 0 ? got : 0;
}

static void copy(char *out, size_t size, const char *text)
{
    size_t length = text ? strnlen(text, size - 1) : 0;
    if (length)
        memcpy(out, text, length);
    out[length] = 0;
}

/* Who this process is; remembered, since a program may clear its environment. */
static void introduce(void)
{
    struct utsname system;
    if (kernel(SYS_uname, &system) == 0)
        copy(host, sizeof host, system.nodename);
    const char *user = getenv("USER");
    if (!user || !*user)
        user = getenv("LOGNAME");
    if (user && *user)
        copy(who, sizeof who, user);
    else
        digits(who, (uint64_t)kernel(SYS_getuid));
    char path[PATH_MAX];
    int length = link_of("/proc/self", "exe", -1, path);
    if (length > 0) {
        copy(program, sizeof program, path);
        const char *last = strrchr(program, '/');
        copy(name, sizeof name, last ? last + 1 : program);
        name_length = strlen(name);
    }
}

static bool same_file(const char *one, const char *other)
{
    struct state a, b;
    return state_at(AT_FDCWD, one, 0, &a, NULL) && state_at(AT_FDCWD, other, 0, &b, NULL) && a.ino == b.ino && a.dev == b.dev;
}

/* What this program was started to run. The kernel keeps the name that was given to `execve`: of a text with a first line that
 * names an interpreter it is the text's. */
static void look_for_script(void)
{
    char words[1024], path[PATH_MAX];
    mode_t mode;
    struct state state;
    const char *given = (const char *)getauxval(AT_EXECFN);
    is_program = given && *given && !same_file(given, "/proc/self/exe");
    if (!is_program) {
        int fd = (int)kernel(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
        long got = fd < 0 ? -1 : kernel(SYS_read, fd, words, sizeof words - 1);
        if (fd >= 0)
            kernel(SYS_close, fd);
        if (got <= 0)
            return;
        words[got] = 0;
        given = words + strlen(words) + 1;
        while (given < words + got && *given == '-')
            given += strlen(given) + 1;
        if (given >= words + got)
            return;
    }
    if (state_at(AT_FDCWD, given, 0, &state, &mode) && S_ISREG(mode) && path_absolute("/proc/self", AT_FDCWD, given, path))
        copy(script, sizeof script, path);
}

/* Take the run and the folder of journals; false when they are not such. Called once, before anything is told. */
bool journal_configure(enum layer as, const char *run_id, const char *journals, const char *wrapper)
{
    if (!run_id || strlen(run_id) != 32 || !journals || journals[0] != '/' || strlen(journals) >= sizeof folder)
        return false;
    copy(folder, sizeof folder, journals);
    copy(parent, sizeof parent, wrapper);
    layer = as;
    first_pid = (int)kernel(SYS_getpid);
    introduce();
    if (as == PRELOAD)
        look_for_script();
    paths_own(folder);
    copy(run, sizeof run, run_id);
    return true;
}

bool journal_wanted(void)
{
    return run[0] != 0;
}

const char *journal_folder(void)
{
    return folder;
}

void tell_as(const char *who_does)
{
    copy(name, sizeof name, who_does);
    name_length = strlen(name);
}

const char *journal_program(void)
{
    return name;
}

struct room *room_take(void)
{
    for (int i = 0; i < ROOMS; i++) {
        int free = 0;
        if (__atomic_compare_exchange_n(&rooms[i].busy, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return &rooms[i];
    }
    __atomic_fetch_add(&crowded, 1, __ATOMIC_RELAXED);
    return NULL;
}

void room_leave(struct room *room)
{
    __atomic_store_n(&room->busy, 0, __ATOMIC_RELEASE);
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

struct text {
    char *to;
    size_t at, size;
};

static void put(struct text *text, const char *piece, size_t length)
{
    if (text->at + length <= text->size)
        memcpy(text->to + text->at, piece, length);
    text->at += length;
}

static void put_unit(struct text *text, unsigned unit)
{
    static const char hex[] = "0123456789abcdef";
    char out[6] = {'\\', 'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15], hex[unit >> 4 & 15], hex[unit & 15]};
    put(text, out, 6);
}

/* How many bytes of UTF-8 stand at `at`, and which character; 0 when they are none. */
static int utf8(const unsigned char *at, unsigned *character)
{
    int more = at[0] >= 0xF0 && at[0] < 0xF5 ? 3 : at[0] >= 0xE0 && at[0] < 0xF0 ? 2 : at[0] >= 0xC2 && at[0] < 0xE0 ? 1 : 0;
    if (!more)
        return 0;
    unsigned found = at[0] & (0x3Fu >> more);
    for (int i = 1; i <= more; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        found = found << 6 | (at[i] & 0x3Fu);
    }
    static const unsigned least[] = {0, 0x80, 0x800, 0x10000};
    if (found < least[more] || found > 0x10FFFF || (found >= 0xD800 && found < 0xE000))
        return 0;
    *character = found;
    return more + 1;
}

/* A JSON string, ASCII; bytes that are no UTF-8 as Python writes them in file names. */
static void put_string(struct text *text, const char *value)
{
    put(text, "\"", 1);
    for (const unsigned char *at = (const unsigned char *)value; *at;) {
        unsigned character = 0;
        int length;
        if (*at == '"' || *at == '\\' || *at < 0x20 || *at == 0x7F) {
            put_unit(text, *at++);
        } else if (*at < 0x80) {
            put(text, (const char *)at++, 1);
        } else if ((length = utf8(at, &character)) == 0) {
            put_unit(text, 0xDC00u + *at++);
        } else {
            at += length;
            if (character >= 0x10000) {
                put_unit(text, 0xD800u + ((character - 0x10000) >> 10));
                put_unit(text, 0xDC00u + ((character - 0x10000) & 0x3FF));
            } else {
                put_unit(text, character);
            }
        }
    }
    put(text, "\"", 1);
}

static void put_plain(struct text *text, const char *piece)
{
    put(text, piece, strlen(piece));
}

static void put_number(struct text *text, int64_t value)
{
    char out[24];
    if (value < 0)
        put(text, "-", 1);
    put(text, out, digits(out, value < 0 ? (uint64_t)-value : (uint64_t)value));
}

static void put_field(struct text *text, const char *key, const char *value)
{
    put_plain(text, ",\"");
    put_plain(text, key);
    put_plain(text, "\":");
    put_string(text, value);
}

static void put_count(struct text *text, const char *key, int64_t value)
{
    put_plain(text, ",\"");
    put_plain(text, key);
    put_plain(text, "\":");
    put_number(text, value);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* The 22nd word of a process's stat: when it began, in ticks since boot. */
static int64_t started(void)
{
    char line[1024];
    read_line("/proc/self/stat", line, sizeof line);
    const char *at = strrchr(line, ')');
    for (int word = 2; at && word < 22; word++)
        at = strchr(at + 1, ' ');
    int64_t value = 0;
    for (at = at ? at + 1 : ""; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (*at - '0');
    return value;
}

/* The record every journal begins with; `out` has FRAME_MAX bytes. Its length, 0 when it does not fit. */
static size_t first_frame(char *out, int pid)
{
    char cwd[PATH_MAX];
    int ppid = (int)kernel(SYS_getppid);
    struct text text = {out + 8, 0, FRAME_MAX - 8};
    char of_parent[16];
    digits(of_parent, (uint64_t)ppid);
    read_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    put_plain(&text, "J{\"t\":\"open\"");
    put_count(&text, "at", now_us());
    put_field(&text, "run", run);
    put_count(&text, "pid", pid);
    put_count(&text, "ppid", ppid);
    put_count(&text, "start", started());
    put_field(&text, "boot", boot);
    put_field(&text, "host", host);
    put_field(&text, "user", who);
    put_field(&text, "executable", program);
    put_field(&text, "cwd", link_of("/proc/self", "cwd", -1, cwd) > 0 ? cwd : "");
    put_field(&text, "layer", layer == PRELOAD ? "preload" : "supervisor");
    if (*script)
        put_field(&text, is_program ? "script" : "word", script);
    put_plain(&text, pid != first_pid ? ",\"forked\":true" : ",\"forked\":false");
    put_plain(&text, pid == first_pid && !strcmp(parent, of_parent) ? ",\"direct\":true}" : ",\"direct\":false}");
    if (text.at > text.size)
        return 0;
    uint32_t head[2] = {(uint32_t)text.at, crc32_of(0, out + 8, text.at)};
    memcpy(out, head, 8);
    return text.at + 8;
}

/* The same open file at a number that programs do not reach; itself when there is none. */
static int move_up(int fd)
{
    static const int bases[] = {960, 200, 100};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        int higher = (int)kernel(SYS_fcntl, fd, F_DUPFD_CLOEXEC, bases[i]);
        if (higher >= 0) {
            kernel(SYS_close, fd);
            return higher;
        }
    }
    return fd;
}

/* Whether a file of so many bytes is allowed: writing one that is not would end the program by a signal. */
static bool allowed(int64_t bytes)
{
    struct rlimit limit;
    return kernel(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
           (uint64_t)bytes <= limit.rlim_cur;
}

static struct file *open_file(int pid, char *buffer)
{
    if (failed_pid == pid && failures >= TRIES)
        return NULL;
    char path[PATH_MAX];
    unsigned char random[16];
    size_t at = strlen(folder);
    if (kernel(SYS_getrandom, random, sizeof random, 0) != sizeof random)
        return NULL;
    memcpy(path, folder, at);
    path[at++] = '/';
    for (int i = 0; i < 16; i++) {
        path[at++] = "0123456789abcdef"[random[i] >> 4];
        path[at++] = "0123456789abcdef"[random[i] & 15];
    }
    memcpy(path + at, ".lj", 4);
    int fd = (int)kernel(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    struct stat found;
    if (fd < 0 || kernel(SYS_newfstatat, fd, "", &found, AT_EMPTY_PATH)) {
        failures = failed_pid == pid ? failures + 1 : 1;
        failed_pid = pid;
        return NULL;
    }
    fd = move_up(fd);
    size_t length = first_frame(buffer, pid);
    if (!allowed((int64_t)length + 8))
        length = 0;
    struct iovec pieces[2] = {{(void *)(uintptr_t)"LINEALJ1", 8}, {buffer, length}};
    if (!length || kernel(SYS_writev, fd, pieces, 2) != (long)(length + 8)) {
        kernel(SYS_unlinkat, AT_FDCWD, path, 0);
        kernel(SYS_close, fd);
        failures = TRIES;
        failed_pid = pid;
        return NULL;
    }
    unsigned slot = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % FILES;
    files[slot] = (struct file){pid, fd, found.st_dev, found.st_ino, (int64_t)length + 8, false};
    __atomic_store_n(&current, slot, __ATOMIC_RELEASE);
    return &files[slot];
}

/* Whether the journal's descriptor still is what we opened: a program may have closed it and opened a file of its own there. */
static bool intact(const struct file *file)
{
    struct stat found;
    return kernel(SYS_newfstatat, file->fd, "", &found, AT_EMPTY_PATH) == 0 && found.st_dev == file->dev &&
           found.st_ino == file->ino;
}

/* The journal of this very process (after fork and vfork another one), opened if need be. */
static struct file *file_now(char *buffer)
{
    int pid = (int)kernel(SYS_getpid);
    struct file *file = &files[__atomic_load_n(&current, __ATOMIC_ACQUIRE)];
    for (int i = 0; file->pid != pid && i < FILES; i++)
        file = &files[i];
    if (file->pid == pid && file->fd && intact(file))
        return file;
    if ((file = open_file(pid, buffer)) != NULL)
        return file;
    for (int i = 0; i < FILES; i++) /* whoever may not open one goes on in that of the process it was forked from */
        if (files[i].fd && intact(&files[i]))
            return &files[i];
    return NULL;
}

static void write_frame(struct file *file, struct iovec *pieces, int count)
{
    size_t size = 0;
    uint32_t head[2] = {0, 0};
    for (int i = 0; i < count; i++) {
        size += pieces[i].iov_len;
        head[1] = crc32_of(head[1], pieces[i].iov_base, pieces[i].iov_len);
    }
    head[0] = (uint32_t)size;
    struct iovec all[5] = {{head, 8}};
    memcpy(all + 1, pieces, (size_t)count * sizeof *pieces);
    if (!allowed(file->bytes + (int64_t)size + 8)) {
        file->full = true;
        return;
    }
    long written = kernel(SYS_writev, file->fd, all, count + 1);
    if (written == (long)size + 8) {
        __atomic_fetch_add(&file->bytes, written, __ATOMIC_RELAXED);
        return;
    }
    if (written > 0) /* the disk is full: take the piece back, so that the file stays whole */
        (void)!kernel(SYS_ftruncate, file->fd, kernel(SYS_lseek, file->fd, 0, SEEK_CUR) - written);
    file->full = true;
}

static void write_json(struct file *file, struct text *text)
{
    if (text->at > text->size)
        return;
    struct iovec piece = {text->to, text->at};
    write_frame(file, &piece, 1);
}

/* Where to write, or NULL. Says once when a journal has grown too large, and then no more. */
static struct file *file_for(struct room *room)
{
    struct file *file = file_now(room->frame);
    if (!file || file->full)
        return NULL;
    if (file->bytes > LARGEST) {
        file->full = true;
        struct text text = {room->frame, 0, FRAME_MAX};
        put_plain(&text, "J{\"t\":\"note\"");
        put_count(&text, "at", now_us());
        put_field(&text, "level", "warning");
        put_field(&text, "text", "a process opened more files than a journal holds (256 MiB); what came after is not recorded");
        put_plain(&text, "}");
        write_json(file, &text);
        return NULL;
    }
    return file;
}

void journal_open_now(void)
{
    struct room *room = room_take();
    if (!room)
        return;
    file_now(room->frame);
    room_leave(room);
}

/* ---- records ----------------------------------------------------------------------------------------------------- */

struct __attribute__((packed)) body {
    uint8_t kind, op, layer;
    int64_t at;
    struct state state;
    uint16_t length;
};

/* Tell how many accesses went without a record because too many threads had something to tell. */
static void tell_crowd(void)
{
    char many[24];
    int found = __atomic_exchange_n(&crowded, 0, __ATOMIC_RELAXED);
    if (!found)
        return;
    digits(many, (uint64_t)found);
    tell_note("not observed: ", many, " accesses to files by threads that were too many at once");
}

void tell_file(enum op op, const char *path, const struct state *state)
{
    if (__atomic_load_n(&crowded, __ATOMIC_RELAXED))
        tell_crowd();
    struct room *room = room_take();
    if (!room)
        return;
    struct file *file = file_for(room);
    if (file) {
        struct body body = {'F', (uint8_t)op, (uint8_t)layer, now_us(), {-1, 0, 0, 0, 0}, 0};
        if (state)
            body.state = *state;
        body.length = (uint16_t)name_length;
        struct iovec pieces[3] = {{&body, sizeof body}, {name, body.length}, {(void *)(uintptr_t)path, strlen(path)}};
        write_frame(file, pieces, 3);
    }
    room_leave(room);
}

static void put_state(struct text *text, const struct state *state)
{
    put_plain(text, ",\"stat\":[");
    put_number(text, state->size), put(text, ",", 1), put_number(text, state->mtime), put(text, ",", 1);
    put_number(text, state->ctime), put(text, ",", 1), put_number(text, (int64_t)state->ino), put(text, ",", 1);
    put_number(text, (int64_t)state->dev);
    put(text, "]", 1);
}

static bool is_in(int fd, const struct state *state)
{
    struct state now;
    return state_at(fd, "", AT_EMPTY_PATH, &now, NULL) && !memcmp(&now, state, sizeof now);
}

/* Tell the digest of the file at `room->path`, which is in `state` and about to lose that content. */
void tell_digest(struct room *room, const struct state *state)
{
    char digest[65];
    struct sha256 sum;
    int fd = (int)kernel(SYS_openat, AT_FDCWD, room->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0)
        return;
    long got = -1;
    sha256_begin(&sum);
    if (is_in(fd, state))
        while ((got = kernel(SYS_read, fd, room->frame, FRAME_MAX)) > 0)
            sha256_add(&sum, (unsigned char *)room->frame, (uint64_t)got);
    bool whole = got == 0 && is_in(fd, state);
    kernel(SYS_close, fd);
    struct file *file = whole ? file_for(room) : NULL;
    if (!file)
        return;
    sha256_end(&sum, digest);
    struct text text = {room->frame, 0, FRAME_MAX};
    put_plain(&text, "J{\"t\":\"hash\"");
    put_count(&text, "at", now_us());
    put_field(&text, "path", room->path);
    put_field(&text, "sha256", digest);
    put_state(&text, state);
    put_plain(&text, "}");
    write_json(file, &text);
}

void tell_move(struct room *room, const char *src, const char *dst, const struct state *state, const char *how, mode_t mode)
{
    struct file *file = file_for(room);
    if (!file)
        return;
    struct text text = {room->frame, 0, FRAME_MAX};
    put_plain(&text, "J{\"t\":\"mv\"");
    put_count(&text, "at", now_us());
    put_field(&text, "src", src);
    put_field(&text, "dst", dst);
    put_field(&text, "layer", layer == PRELOAD ? "preload" : "supervisor");
    if (how)
        put_field(&text, "how", how);
    if (S_ISDIR(mode) || S_ISLNK(mode))
        put_field(&text, "kind", S_ISDIR(mode) ? "directory" : "link");
    if (state)
        put_state(&text, state);
    put_plain(&text, "}");
    write_json(file, &text);
}

void tell_code(const char *path)
{
    struct room *room = room_take();
    if (!room)
        return;
    struct file *file = path_absolute("/proc/self", AT_FDCWD, path, room->path) ? file_for(room) : NULL;
    if (file) {
        struct text text = {room->frame, 0, FRAME_MAX};
        put_plain(&text, "J{\"t\":\"code\"");
        put_count(&text, "at", now_us());
        put_field(&text, "path", room->path);
        put_plain(&text, "}");
        write_json(file, &text);
    }
    room_leave(room);
}

void tell_note(const char *before, const char *subject, const char *after)
{
    struct room *room = room_take();
    if (!room)
        return;
    struct file *file = file_for(room);
    if (file) {
        struct text said = {room->path, 0, sizeof room->path - 1};
        put_plain(&said, before), put_plain(&said, subject), put_plain(&said, after);
        room->path[said.at < said.size ? said.at : said.size] = 0;
        struct text text = {room->frame, 0, FRAME_MAX};
        put_plain(&text, "J{\"t\":\"note\"");
        put_count(&text, "at", now_us());
        put_field(&text, "level", "warning");
        put_field(&text, "text", room->path);
        put_plain(&text, "}");
        write_json(file, &text);
    }
    room_leave(room);
}
