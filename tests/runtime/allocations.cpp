#include "runtime/allocations.h"

#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FOVEA_COUNTS_ALLOCATIONS 0
#else
#define FOVEA_COUNTS_ALLOCATIONS 1
#endif

namespace {

std::atomic<bool> counting{false};
std::atomic<int> large{0};
std::atomic<size_t> most{0};

[[maybe_unused]] void note(size_t bytes) {
  if (bytes <= 4096 || !counting) return;
  ++large;
  if (bytes > most) most = bytes;
}

}  // namespace

namespace fovea::runtime_test {

LargeAllocations::LargeAllocations() {
  large = 0;
  most = 0;
  counting = true;
}
LargeAllocations::~LargeAllocations() { counting = false; }
int LargeAllocations::count() const { return large; }
size_t LargeAllocations::largest() const { return most; }
bool allocations_are_counted() { return FOVEA_COUNTS_ALLOCATIONS; }

}  // namespace fovea::runtime_test

#if FOVEA_COUNTS_ALLOCATIONS
// The program's own definitions stand before the C library's, for operator new and all libraries.
extern "C" {

void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* data, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

void* malloc(size_t bytes) {
  note(bytes);
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  note(count * bytes);
  return __libc_calloc(count, bytes);
}
void* realloc(void* data, size_t bytes) {
  note(bytes);
  return __libc_realloc(data, bytes);
}
void* memalign(size_t alignment, size_t bytes) {
  note(bytes);
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** data, size_t alignment, size_t bytes) {
  *data = memalign(alignment, bytes);
  return *data == nullptr ? ENOMEM : 0;
}

}  // extern "C"
#endif
