// Preloaded into a member: its wall clock is wrong by what a file says, and jumps when the file changes. Monotonic time is the
// kernel's. libfaketime would not do: it shifts timespec_get() and not cnd_timedwait(), so that librdkafka would wait for hours, or
// not at all, which no jump of a real clock does.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t kNone = 0;
static const volatile int64_t *shift_s = &kNone;  // seconds, in the file of TILLWATCH_CLOCK_SHIFT

__attribute__((constructor)) static void map_shift(void) {
  const char *const path = getenv("TILLWATCH_CLOCK_SHIFT");
  const int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) abort();
  void *const mapped = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) abort();
  close(file);
  shift_s = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  const int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (failed == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *shift_s;
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *also) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (also != NULL) *also = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
  if (base != TIME_UTC || clock_gettime(CLOCK_REALTIME, now) != 0) return 0;
  return base;
}

// Who computes a moment with the calls above waits for it on the kernel's clock. A jump while it waits changes nothing.
static struct timespec real(const struct timespec *until) {
  struct timespec moment = *until;
  moment.tv_sec -= *shift_s;
  return moment;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
  const struct timespec moment = real(until);
  return pthread_cond_clockwait(condition, mutex, CLOCK_REALTIME, &moment);
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until) {
  static int (*next)(cnd_t *, mtx_t *, const struct timespec *);
  if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, "cnd_timedwait");
  const struct timespec moment = real(until);
  return next(condition, mutex, &moment);
}
