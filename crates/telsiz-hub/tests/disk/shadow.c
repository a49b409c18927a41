/* Stands between a process and the files of $DISK_DIR (LD_PRELOAD). In $DISK_SHADOW it keeps what a
 * power cut leaves in the worst case: of each file (called by its inode) what it was when it was last
 * synced, and the names that the directory had when that was last synced ("names").
 *
 * Files in $DISK_SHADOW tell it what to do: the file whose name stands in "fail" cannot be
 * synced, and while there is one called "full" nothing can be written. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether `fd` is of the directory; `name` is what it is called there, "" for the directory itself. */
static int ours(int fd, char *name) {
    const char *dir = getenv("DISK_DIR");
    char link[64], path[PATH_MAX];
    if (dir == NULL)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    size_t prefix = strlen(dir);
    if (length < (ssize_t)prefix || strncmp(path, dir, prefix) != 0)
        return 0;
    path[length] = 0;
    if (path[prefix] != 0 && path[prefix] != '/')
        return 0;
    snprintf(name, NAME_MAX, "%s", path[prefix] == 0 ? "" : path + prefix + 1);
    return 1;
}

static void in_shadow(char *path, const char *name) {
    snprintf(path, PATH_MAX, "%s/%s", getenv("DISK_SHADOW"), name);
}

static int told(const char *what, char *text, size_t size) {
    char path[PATH_MAX];
    in_shadow(path, what);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    size_t length = fread(text, 1, size - 1, file);
    text[length] = 0;
    fclose(file);
    return 1;
}

/* A process that is killed meanwhile leaves what was there before. */
static FILE *begin(char *path, char *unfinished, const char *name) {
    in_shadow(path, name);
    snprintf(unfinished, PATH_MAX, "%.4000s.new", path);
    return fopen(unfinished, "w");
}

static void keep_file(int fd, const struct stat *found) {
    char name[64], path[PATH_MAX], unfinished[PATH_MAX], bytes[1 << 16];
    snprintf(name, sizeof name, "%lu", (unsigned long)found->st_ino);
    FILE *copy = begin(path, unfinished, name);
    ssize_t length;
    off_t at = 0;
    if (copy == NULL)
        abort();
    while ((length = pread(fd, bytes, sizeof bytes, at)) > 0) {
        fwrite(bytes, 1, length, copy);
        at += length;
    }
    if (fclose(copy) != 0 || rename(unfinished, path) != 0)
        abort();
}

static void keep_names(void) {
    char path[PATH_MAX], unfinished[PATH_MAX];
    FILE *names = begin(path, unfinished, "names");
    DIR *dir = opendir(getenv("DISK_DIR"));
    struct dirent *entry;
    if (names == NULL || dir == NULL)
        abort();
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_type == DT_REG)
            fprintf(names, "%lu %s\n", (unsigned long)entry->d_ino, entry->d_name);
    closedir(dir);
    if (fclose(names) != 0 || rename(unfinished, path) != 0)
        abort();
}

static int keep(int fd) {
    char name[NAME_MAX], failing[NAME_MAX];
    struct stat found;
    if (!ours(fd, name))
        return 0;
    if (told("fail", failing, sizeof failing) && strcmp(name, failing) == 0) {
        errno = EIO;
        return -1;
    }
    if (fstat(fd, &found) != 0)
        return -1;
    if (S_ISDIR(found.st_mode))
        keep_names();
    else if (found.st_nlink > 0)
        keep_file(fd, &found);
    return 0;
}

int fsync(int fd) { return keep(fd); }

int fdatasync(int fd) { return keep(fd); }

static int full(int fd) {
    char name[NAME_MAX], text[8];
    return ours(fd, name) && told("full", text, sizeof text);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    static ssize_t (*next)(int, const void *, size_t, off64_t);
    if (next == NULL)
        next = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    if (full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return next(fd, bytes, size, at);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    static ssize_t (*next)(int, const void *, size_t);
    if (next == NULL)
        next = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return next(fd, bytes, size);
}
