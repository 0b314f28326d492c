#include "waiting.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace fovea::cli {
namespace {

/// Whether nothing is computed: starting the program twice would double the time that this takes.
bool only_prints(char** argv) {
  for (; *argv != nullptr; ++argv) {
    const std::string_view argument = *argv;
    if (argument == "--version" || argument == "--help" || argument == "-h") return true;
  }
  return false;
}

}  // namespace

void let_waiting_threads_sleep(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  if (only_prints(argv)) return;
  if (setenv("GOMP_SPINCOUNT", "10000", 1) != 0) return;
  execv("/proc/self/exe", argv);  // returns only on failure: then threads spin
}

}  // namespace fovea::cli
