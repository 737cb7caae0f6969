/* A disk that fails, for a process that this is loaded into (LD_PRELOAD): it decides by the files in CONTROL. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int wanted_in(const char *fault, const char *part, int descriptor)
{
    char link[64], path[PATH_MAX + 1], control[PATH_MAX + 1];
    int saved = errno;
    snprintf(control, sizeof control, "%s/%s", CONTROL, fault);
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = access(control, F_OK) == 0 ? readlink(link, path, PATH_MAX) : 0;
    errno = saved;
    if (length <= 0)
        return 0;
    path[length] = 0;
    return strstr(path, part) != NULL;
}

static int wanted(const char *fault, int descriptor)
{
    return wanted_in(fault, "/audit", descriptor);
}

ssize_t pwrite64(int descriptor, const void *data, size_t count, off_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
    if (wanted_in("full", "/fuin.db", descriptor)) {
        errno = ENOSPC;
        return -1;
    }
    return real(descriptor, data, count, offset);
}

ssize_t pwrite(int descriptor, const void *data, size_t count, off_t offset)
{
    return pwrite64(descriptor, data, count, offset);
}

int fsync(int descriptor)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    if (wanted("sync", descriptor)) {
        errno = EIO;
        return -1;
    }
    return real(descriptor);
}

int fdatasync(int descriptor)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    while (wanted("hang", descriptor))
        usleep(50 * 1000);
    if (wanted("sync", descriptor)) {
        errno = EIO;
        return -1;
    }
    return real(descriptor);
}

ssize_t write(int descriptor, const void *data, size_t count)
{
    ssize_t (*real)(int, const void *, size_t) = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (wanted("write", descriptor)) {
        errno = EIO;
        return -1;
    }
    return real(descriptor, data, count);
}
