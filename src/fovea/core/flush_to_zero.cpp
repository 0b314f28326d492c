#include "fovea/core/flush_to_zero.h"

#include <xmmintrin.h>

#include "fovea/core/parallel.h"

namespace fovea {
namespace {

void set_on_each_thread(unsigned control) {
  on_each_thread([control] { _mm_setcsr(control); });
}

}  // namespace

FlushToZero::FlushToZero() : before_(_mm_getcsr()) {
  constexpr unsigned results = 0x8000, inputs = 0x0040;
  set_on_each_thread(before_ | results | inputs);
}

FlushToZero::~FlushToZero() { set_on_each_thread(before_); }

}  // namespace fovea
