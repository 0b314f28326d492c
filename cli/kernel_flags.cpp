#include "kernel_flags.h"

#include "fovea/kernels/deterministic.h"
#include "fovea/kernels/winograd.h"

namespace fovea::cli {

void KernelFlags::add(Command command) {
  command.flag("--no-winograd", no_winograd,
               "Compute all convolutions directly, without Winograd's algorithm");
  command.flag("--deterministic", deterministic,
               "Kernels that give the same bits for any number of threads");
  command.flag("--tune", tune,
               "Measure which kernels are the fastest on this machine, and keep that for later");
}

std::unique_ptr<TuningSession> KernelFlags::apply(Console& console) const {
  check_tuning(tune, deterministic);
  if (no_winograd) set_winograd(Winograd::never);
  set_deterministic(deterministic);
  if (!tune) return nullptr;
  return std::make_unique<TuningSession>([&](const std::string& text) { console.note(text); });
}

}  // namespace fovea::cli
