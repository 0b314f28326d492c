#include "fovea/kernels/instruction_set.h"

#include <fmt/format.h>
#include <hwy/highway.h>

#include <cstdlib>
#include <string_view>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/kernels/kernel.h"
#include "fovea/kernels/rules.h"

namespace fovea {
namespace {

constexpr const char* variable = "FOVEA_ISA";

struct Limit {
  std::string_view name;
  InstructionSet set;
  int64_t target;  ///< Highway's: a lower bit is a better target
};

constexpr Limit limits[] = {{"sse4", InstructionSet::sse4, HWY_SSE4},
                            {"avx2", InstructionSet::avx2, HWY_AVX2},
                            {"avx512", InstructionSet::avx512, HWY_AVX3}};

int64_t best_target() {
  const int64_t supported = hwy::SupportedTargets();
  return supported & -supported;
}

/// Where no kernel is compiled for one of the three, it counts as one that the CPU does not have.
void leave_out_uncompiled() {
  int64_t left_out = 0;
  for (const Limit& limit : limits) left_out |= limit.target & ~HWY_TARGETS;
  if ((left_out & HWY_AVX3) != 0) left_out |= HWY_AVX3 - 1;  // and what includes it
  hwy::DisableTargets(left_out);
}

Limit parse(std::string_view text) {
  for (const Limit& limit : limits) {
    if (limit.name == text) return limit;
  }
  throw Error(ErrorKind::usage,
              fmt::format("{}: unknown instruction set \"{}\"", variable, printable(text)))
      .with("known", "sse4, avx2, avx512")
      .with("try", "unset it to use all that this CPU has");
}

void apply(const Limit& limit) {
  if (limit.target < best_target()) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: this CPU does not have {}", variable, limit.name))
        .with("its best", hwy::TargetName(best_target()))
        .with("try", "unset it to use all that this CPU has");
  }
  if (!limit_onednn(limit.set)) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: oneDNN cannot be limited to {}", variable, limit.name))
        .with("cause",
              "the application has used oneDNN before Fovea, or this oneDNN is built without "
              "limits");
  }
  hwy::DisableTargets(limit.target - 1);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace

void limit_instruction_set() {
  static const bool done = [] {
    leave_out_uncompiled();
    if (const char* text = std::getenv(variable); text != nullptr && *text != 0) apply(parse(text));
    return true;
  }();
  (void)done;
}

std::string instruction_set() {
  limit_instruction_set();
  return hwy::TargetName(best_target());
}

}  // namespace fovea
