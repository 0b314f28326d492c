#include "waiting.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

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
  // By its path, as the process is named after that: `pkill fovea` should find it.
  constexpr const char* self = "/proc/self/exe";
  std::error_code unknown;
  const std::filesystem::path program = std::filesystem::read_symlink(self, unknown);
  if (!unknown) execv(program.c_str(), argv);
  execv(self, argv);  // the program's file has been removed; on failure, threads spin
}

}  // namespace fovea::cli
