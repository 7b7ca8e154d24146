/* A disk that writes DISK_MB_PER_SECOND: what is written to a regular file takes so long. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static void take_as_long(int file, size_t bytes) {
    struct stat found;
    double seconds = bytes / (atof(getenv("DISK_MB_PER_SECOND")) * 1e6);
    struct timespec rest = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    if (fstat(file, &found) == 0 && S_ISREG(found.st_mode)) nanosleep(&rest, 0);
}

#define SLOW(name, offset_type)                                                     \
    ssize_t name(int file, const void *from, size_t bytes, offset_type at) {        \
        static ssize_t (*real)(int, const void *, size_t, offset_type);             \
        if (!real) real = dlsym(RTLD_NEXT, #name);                                  \
        take_as_long(file, bytes);                                                  \
        return real(file, from, bytes, at);                                         \
    }

SLOW(pwrite, off_t)
SLOW(pwrite64, off64_t)
