/* Which programs cannot load the library: told from the first bytes of their files, before they are executed. */
#include "record.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define MACHINE EM_X86_64
#elif defined __aarch64__
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE
#endif

#define HEADERS 24
static const char STATIC[] = "it is linked statically", GO[] = "it is made by Go, which calls the kernel itself";

static long take(int fd, void *into, size_t size, uint64_t at)
{
    return kernel(SYS_pread64, fd, into, size, at);
}

/* Where the loaded address `address` stands in the file; 0 when nowhere. */
static uint64_t offset_of(const Elf64_Phdr *headers, int count, uint64_t address)
{
    for (int i = 0; i < count; i++)
        if (headers[i].p_type == PT_LOAD && address >= headers[i].p_vaddr &&
            address < headers[i].p_vaddr + headers[i].p_filesz)
            return address - headers[i].p_vaddr + headers[i].p_offset;
    return 0;
}

/* Whether a library that the program needs is the run-time of a sanitizer, which insists on being loaded first. */
static bool sanitized(int fd, const Elf64_Phdr *headers, int count, const Elf64_Phdr *dynamic)
{
    Elf64_Dyn entries[64];
    uint64_t names = 0;
    long size = (long)dynamic->p_filesz < (long)sizeof entries ? (long)dynamic->p_filesz : (long)sizeof entries;
    long got = take(fd, entries, (size_t)size, dynamic->p_offset);
    int many = got > 0 ? (int)((size_t)got / sizeof *entries) : 0;
    for (int i = 0; i < many && entries[i].d_tag != DT_NULL; i++)
        if (entries[i].d_tag == DT_STRTAB)
            names = offset_of(headers, count, entries[i].d_un.d_ptr);
    for (int i = 0; names && i < many && entries[i].d_tag != DT_NULL; i++) {
        char name[16];
        if (entries[i].d_tag != DT_NEEDED || take(fd, name, sizeof name, names + entries[i].d_un.d_val) < 8)
            continue;
        if (!strncmp(name, "libasan.", 8) || !strncmp(name, "libtsan.", 8) || !strncmp(name, "liblsan.", 8) ||
            !strncmp(name, "libmsan.", 8) || !strncmp(name, "libhwasan.", 10))
            return true;
    }
    return false;
}

/* Whether a note of the file says that Go made it: such a program asks the kernel itself, and no library sees that. */
static bool made_by_go(int fd, const Elf64_Phdr *headers, int count)
{
    for (int i = 0; i < count; i++) {
        char notes[1024];
        size_t size = headers[i].p_filesz < sizeof notes ? headers[i].p_filesz : sizeof notes;
        if (headers[i].p_type != PT_NOTE || take(fd, notes, size, headers[i].p_offset) != (long)size)
            continue;
        for (size_t at = 0; at + sizeof(Elf64_Nhdr) + 4 <= size;) {
            Elf64_Nhdr note;
            memcpy(&note, notes + at, sizeof note);
            if (note.n_namesz == 4 && !memcmp(notes + at + sizeof note, "Go\0", 4))
                return true;
            at += sizeof note + (((size_t)note.n_namesz + 3) & ~(size_t)3) + (((size_t)note.n_descsz + 3) & ~(size_t)3);
        }
    }
    return false;
}

static const char *elf_obstacle(int fd, const Elf64_Ehdr *head)
{
    Elf64_Phdr headers[HEADERS];
    if (head->e_ident[EI_CLASS] != ELFCLASS64)
        return "it is a 32-bit program";
    if (head->e_machine != MACHINE)
        return "it is a program for another processor";
    int count = head->e_phnum < HEADERS ? head->e_phnum : HEADERS;
    if (head->e_phentsize != sizeof *headers ||
        take(fd, headers, (size_t)count * sizeof *headers, head->e_phoff) != (long)((size_t)count * sizeof *headers))
        return NULL;
    const Elf64_Phdr *loader = NULL, *dynamic = NULL;
    for (int i = 0; i < count; i++) {
        if (headers[i].p_type == PT_INTERP)
            loader = &headers[i];
        if (headers[i].p_type == PT_DYNAMIC)
            dynamic = &headers[i];
    }
    if (!loader || !dynamic)
        return STATIC;
    char name[64] = "";
    if (take(fd, name, sizeof name - 1, loader->p_offset) <= 0)
        return NULL;
    name[loader->p_filesz < sizeof name ? loader->p_filesz : sizeof name - 1] = 0;
    if (!strstr(name, "ld-linux"))
        return "it uses another C library";
    if (sanitized(fd, headers, count, dynamic))
        return "it was built with a sanitizer";
    return made_by_go(fd, headers, count) ? GO : "";
}

/* The interpreter that a script's first line names, in `out`; false when there is no such line. */
static bool shebang(const char *head, long length, char *out, size_t size)
{
    if (length < 3 || head[0] != '#' || head[1] != '!')
        return false;
    long at = 2;
    size_t to = 0;
    while (at < length && (head[at] == ' ' || head[at] == '\t'))
        at++;
    while (at < length && to < size - 1 && head[at] != ' ' && head[at] != '\n' && head[at] != '\t')
        out[to++] = head[at++];
    out[to] = 0;
    return to > 0;
}

static const char *obstacle(const char *path, int depth)
{
    union {
        Elf64_Ehdr elf;
        char text[128];
    } head;
    char interpreter[120];
    struct stat found;
    if (kernel(SYS_newfstatat, AT_FDCWD, path, &found, 0) || !S_ISREG(found.st_mode))
        return NULL;
    if ((found.st_mode & S_ISUID && found.st_uid != geteuid()) || (found.st_mode & S_ISGID && found.st_gid != getegid()))
        return "it runs with the rights of another user";
    int fd = (int)kernel(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    long got = take(fd, &head, sizeof head, 0);
    const char *why = NULL;
    if (got >= (long)sizeof head.elf && !memcmp(head.elf.e_ident, ELFMAG, SELFMAG))
        why = elf_obstacle(fd, &head.elf);
    else if (depth < 2 && shebang(head.text, got, interpreter, sizeof interpreter))
        why = obstacle(interpreter, depth + 1);
    kernel(SYS_close, fd);
    return why;
}

bool program_bears(const char *why)
{
    return why == STATIC || why == GO;
}

const char *program_obstacle(const char *path)
{
    return obstacle(path, 0);
}
