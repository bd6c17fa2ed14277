/* What the files of the preloaded library share. */
#ifndef LINEAL_PRELOAD_H
#define LINEAL_PRELOAD_H

#include <dlfcn.h>
#include <stdbool.h>

#define SHOWN __attribute__((visibility("default")))
#define CONTROL "\001lineal:"

/* The function that would have been called without us: the C library's, or that of another preloaded library. */
#define REAL(name)                                                                            \
    ({                                                                                        \
        static __typeof__(&name) real;                                                        \
        if (!real)                                                                            \
            real = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                                \
        real;                                                                                 \
    })

bool preload_on(void);

/* A file that is opened for a program as it is started: before that, and once the program was started. */
void opens_for_another(const char *path, int flags);
void opened_for_another(const char *path, int flags);

#endif
