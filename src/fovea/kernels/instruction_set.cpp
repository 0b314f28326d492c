#include "fovea/kernels/instruction_set.h"

#include <fmt/format.h>
#include <hwy/highway.h>

#include <cstdlib>
#include <string_view>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/kernels/amx/tiles.h"
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

/// Highway's targets for which no kernel is compiled: they count as what the CPU does not have.
int64_t uncompiled_targets() {
  int64_t left_out = 0;
  for (const Limit& limit : limits) left_out |= limit.target & ~HWY_TARGETS;
  if ((left_out & HWY_AVX3) != 0) left_out |= HWY_AVX3 - 1;  // and what includes it
  return left_out;
}

/// The sets for which kernels are compiled.
std::string compiled() {
  std::string names;
  for (const Limit& limit : limits) {
    if ((limit.target & HWY_TARGETS) == 0) continue;
    if (!names.empty()) names += ", ";
    names += limit.name;
  }
  return names;
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
  if ((limit.target & HWY_TARGETS) == 0 || limit.target < best_target()) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: this CPU or this build does not have {}", variable, limit.name))
        .with("the best", hwy::TargetName(best_target()))
        .with("compiled", compiled())
        .with("try", "unset it; cmake --preset release compiles all");
  }
  if (!limit_onednn(limit.set)) {
    throw Error(ErrorKind::usage,
                fmt::format("{}: oneDNN cannot be limited to {}", variable, limit.name))
        .with("cause",
              "the application has used oneDNN before Fovea, or this oneDNN is built without "
              "limits");
  }
  hwy::DisableTargets(uncompiled_targets() | (limit.target - 1));  // instead of those before
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace

void limit_instruction_set() {
  static const bool done = [] {
    hwy::DisableTargets(uncompiled_targets());
    if (const char* text = std::getenv(variable); text != nullptr && *text != 0) apply(parse(text));
    return true;
  }();
  (void)done;
}

std::string instruction_set() {
  limit_instruction_set();
  const std::string name = hwy::TargetName(best_target());
  return amx::available() ? name + "+AMX" : name;
}

}  // namespace fovea
