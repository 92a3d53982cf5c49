// LD_PRELOAD shim: logs, in order, what a process does to the files of $POWER_CUT_DIR, so that a test can cut the power
// anywhere in that order. One lock around call and log entry keeps both in the same order. Built by test/system/power-cut.test.ts.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OP_WRITE = 1, OP_TRUNCATE, OP_SYNC, OP_UNLINK, OP_RENAME, OP_CREATE };
enum { MAX_FD = 4096 };
struct entry { uint32_t op, name_length, data_length, unused; int64_t offset; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *names[MAX_FD];
static int log_fd = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int in_directory(const char *path) {
  const char *directory = getenv("POWER_CUT_DIR");
  return directory && path && strncmp(path, directory, strlen(directory)) == 0;
}

static void put(const void *data, size_t length) {
  static ssize_t (*real_write)(int, const void *, size_t);
  if (!real_write) real_write = REAL(write);
  for (size_t done = 0; done < length;) {
    ssize_t n = real_write(log_fd, (const char *)data + done, length - done);
    if (n <= 0) abort();
    done += n;
  }
}

static void record(uint32_t op, const char *name, int64_t offset, const void *data, size_t length) {
  if (log_fd < 0) log_fd = REAL(open)(getenv("POWER_CUT_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  struct entry entry = {op, strlen(name), length, 0, offset};
  put(&entry, sizeof entry);
  put(name, entry.name_length);
  put(data, length);
}

static const char *name_of(int fd) { return fd >= 0 && fd < MAX_FD ? names[fd] : NULL; }

static int remember(int fd, const char *path, int is_new) {
  if (fd < 0 || fd >= MAX_FD || !in_directory(path)) return fd;
  free(names[fd]);
  names[fd] = strdup(path);
  if (is_new) record(OP_CREATE, path, 0, "", 0);
  return fd;
}

#define WITH_MODE mode_t mode = 0; va_list list; va_start(list, flags); if (flags & O_CREAT) mode = va_arg(list, mode_t); va_end(list)
#define OPEN(function) \
  int function(const char *path, int flags, ...) { \
    WITH_MODE; \
    pthread_mutex_lock(&lock); \
    int is_new = (flags & O_CREAT) && in_directory(path) && access(path, F_OK) != 0; \
    int fd = remember(REAL(function)(path, flags, mode), path, is_new); \
    pthread_mutex_unlock(&lock); \
    return fd; \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  pthread_mutex_lock(&lock);
  if (name_of(fd)) free(names[fd]), names[fd] = NULL;
  int result = REAL(close)(fd);
  pthread_mutex_unlock(&lock);
  return result;
}

#define LOGGED(call, condition, ...) \
  pthread_mutex_lock(&lock); \
  __typeof__(call) result = (call); \
  if (condition) record(__VA_ARGS__); \
  pthread_mutex_unlock(&lock); \
  return result

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  LOGGED(REAL(pwrite64)(fd, data, length, offset), result > 0 && name_of(fd), OP_WRITE, name_of(fd), offset, data, result);
}
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

ssize_t write(int fd, const void *data, size_t length) {
  if (!name_of(fd)) return REAL(write)(fd, data, length);
  LOGGED(REAL(write)(fd, data, length), result > 0, OP_WRITE, name_of(fd), lseek(fd, 0, SEEK_CUR) - result, data, result);
}

// Nothing writes our files with these: say so instead of missing it.
ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (name_of(fd)) abort();
  return REAL(writev)(fd, parts, count);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  if (name_of(fd)) abort();
  return REAL(pwritev)(fd, parts, count, offset);
}
int truncate64(const char *path, off64_t length) {
  if (in_directory(path)) abort();
  return REAL(truncate64)(path, length);
}

int ftruncate64(int fd, off64_t length) {
  LOGGED(REAL(ftruncate64)(fd, length), result == 0 && name_of(fd), OP_TRUNCATE, name_of(fd), length, "", 0);
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }
int fsync(int fd) { LOGGED(REAL(fsync)(fd), result == 0 && name_of(fd), OP_SYNC, name_of(fd), 0, "", 0); }
int fdatasync(int fd) { LOGGED(REAL(fdatasync)(fd), result == 0 && name_of(fd), OP_SYNC, name_of(fd), 0, "", 0); }
int unlink(const char *path) { LOGGED(REAL(unlink)(path), result == 0 && in_directory(path), OP_UNLINK, path, 0, "", 0); }
int rename(const char *from, const char *to) {
  LOGGED(REAL(rename)(from, to), result == 0 && in_directory(to), OP_RENAME, from, 0, to, strlen(to));
}
