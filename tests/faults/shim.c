/* A disk that fails and forgets, for LD_PRELOAD: cc -shared -fPIC -O1 -o shim.so shim.c -ldl
 *
 * M436_DISK     only what is below this folder is touched or noted
 * M436_FAILS    a mapped file: u32 what fails (1 write, 2 fsync, 4 open for writing, 8 rename, 16 half of a write is
 *               done first), u32 errno, u32 of a million calls
 * M436_JOURNAL  what happened to files, in order, one line each, fields separated by tabs; whoever cuts the power reads
 *               from it what a disk need not have kept:
 *                 C inode path         a file was made
 *                 R inode old new shadow   renamed; "-" or a link to the file that was there
 *                 U inode path shadow  removed; a link to it
 *                 F inode size         synced          B inode size   a sync failed, and what was dirty is lost
 *                 D path               a folder was synced
 *                 T inode size         cut short       P inode offset bytes   written again in place
 * M436_SHADOWS  a folder on the same file system for the links
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WRITE = 1, FSYNC = 2, OPEN = 4, RENAME = 8, HALF = 16 };
struct fails { volatile uint32_t what, error, chance; };
static struct fails none, *fails = &none;
static const char *disk, *shadows;
static int journal = -1;
static unsigned dice;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("M436_FAILS");
    disk = getenv("M436_DISK");
    shadows = getenv("M436_SHADOWS");
    dice = getpid();
    if (path) {
        int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
        if (fd >= 0) {
            void *mapped = mmap(0, sizeof *fails, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
            if (mapped != MAP_FAILED) fails = mapped;
            syscall(SYS_close, fd);
        }
    }
    path = getenv("M436_JOURNAL");
    if (path) journal = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

#define REAL(name) ({ static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); real; })

static int on_disk(const char *path) { return disk && path && !strncmp(path, disk, strlen(disk)); }

static int is_on_disk(int fd, char *path) {
    char link[64];
    if (!disk) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return on_disk(path);
}

static int fail(uint32_t what) {
    if (!(fails->what & what) || (uint32_t)(rand_r(&dice) % 1000000) >= fails->chance) return 0;
    errno = fails->error;
    return 1;
}

static void note(const char *format, ...) {
    char line[3 * PATH_MAX];
    int kept = errno;
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    if (journal >= 0 && length > 0) syscall(SYS_write, journal, line, length);
    errno = kept;
}

static unsigned long long inode(const char *path) {
    struct stat found;
    return path && !lstat(path, &found) && S_ISREG(found.st_mode) ? found.st_ino : 0;
}

/* A link to what is about to lose its name, or "-". */
static const char *shadow(const char *path, char *made) {
    static unsigned count;
    int kept = errno;
    snprintf(made, PATH_MAX, "%s/%d-%u", shadows ? shadows : "", getpid(), ++count);
    if (!shadows || !inode(path) || linkat(AT_FDCWD, path, AT_FDCWD, made, 0)) strcpy(made, "-");
    errno = kept;
    return made;
}

ssize_t write(int fd, const void *data, size_t size) {
    char path[PATH_MAX];
    if (fails->what & WRITE && is_on_disk(fd, path) && fail(WRITE)) {
        if (fails->what & HALF && size > 1) return syscall(SYS_write, fd, data, size / 2);
        return -1;
    }
    return syscall(SYS_write, fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    char path[PATH_MAX];
    struct stat found;
    int ours = is_on_disk(fd, path);
    if (ours && fail(WRITE)) return -1;
    ssize_t written = syscall(SYS_pwrite64, fd, data, size, offset);
    if (ours && written > 0 && !fstat(fd, &found))
        note("P\t%llu\t%lld\t%lld\n", (unsigned long long)found.st_ino, (long long)offset, (long long)written);
    return written;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return pwrite64(fd, data, size, offset); }

static int sync_file(int fd, long call) {
    char path[PATH_MAX];
    struct stat found;
    if (!is_on_disk(fd, path) || fstat(fd, &found)) return syscall(call, fd);
    if (fail(FSYNC)) {
        if (S_ISREG(found.st_mode)) note("B\t%llu\t%lld\n", (unsigned long long)found.st_ino, (long long)found.st_size);
        return -1;
    }
    int done = syscall(call, fd); /* what came while it ran need not be in it: hence the size of before */
    if (!done && S_ISDIR(found.st_mode)) note("D\t%s\n", path);
    else if (!done) note("F\t%llu\t%lld\n", (unsigned long long)found.st_ino, (long long)found.st_size);
    return done;
}
int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

int ftruncate64(int fd, off64_t size) {
    char path[PATH_MAX];
    struct stat found;
    int done = syscall(SYS_ftruncate, fd, size);
    if (!done && is_on_disk(fd, path) && !fstat(fd, &found))
        note("T\t%llu\t%lld\n", (unsigned long long)found.st_ino, (long long)size);
    return done;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int open_file(int folder, const char *path, int flags, mode_t mode) {
    int ours = (flags & O_ACCMODE) != O_RDONLY && on_disk(path) && !(flags & __O_TMPFILE);
    if (ours && fail(OPEN)) return -1;
    int was = ours && inode(path);
    int fd = syscall(SYS_openat, folder, path, flags, mode);
    if (ours && fd >= 0 && !was) note("C\t%llu\t%s\n", inode(path), path);
    else if (ours && fd >= 0 && flags & O_TRUNC) note("T\t%llu\t0\n", inode(path));
    return fd;
}
#define MODE mode_t mode = 0; if (flags & (O_CREAT | __O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }
int open(const char *path, int flags, ...) { MODE return open_file(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return open_file(AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE return open_file(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE return open_file(folder, path, flags, mode); }

int rename(const char *old, const char *new) {
    char kept[PATH_MAX] = "-";
    if (!on_disk(new)) return REAL(rename)(old, new);
    if (fail(RENAME)) return -1;
    unsigned long long moved = inode(old);
    if (moved) shadow(new, kept);
    int done = REAL(rename)(old, new);
    if (!done && moved) note("R\t%llu\t%s\t%s\t%s\n", moved, old, new, kept);
    else if (kept[0] != '-') syscall(SYS_unlinkat, AT_FDCWD, kept, 0);
    return done;
}

int unlink(const char *path) {
    char kept[PATH_MAX] = "-";
    if (!on_disk(path)) return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    unsigned long long gone = inode(path);
    if (gone) shadow(path, kept);
    int done = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (!done && gone) note("U\t%llu\t%s\t%s\n", gone, path, kept);
    else if (kept[0] != '-') syscall(SYS_unlinkat, AT_FDCWD, kept, 0);
    return done;
}
