#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "fovea/kernels/tuning.h"

namespace fovea {

/// Files of what a Tuning knows: a line that names the version of Fovea and the CPU, then its text.
std::string tuning_file_text(const Tuning& tuning);
/// Adds what is in such a file. Errors: data when it cannot be read, is broken, or is of another
/// version or CPU.
void read_tuning(Tuning& tuning, const std::filesystem::path& path);

/// Where --tune keeps what it measured: cache_folder()/tuning/CPU-VERSION.txt.
std::filesystem::path tuning_file();

/// Errors: usage when both are asked for.
void check_tuning(bool tune, bool deterministic);

/// While it lives, kernels are chosen by measurement, as --tune does: it begins with what earlier
/// processes wrote to `file` and ends by adding what was measured.
class TuningSession {
 public:
  using Say = std::function<void(const std::string& message)>;

  /// `say` is told why the file is ignored, if it is, about progress every few seconds, and the
  /// result.
  explicit TuningSession(Say say, std::filesystem::path file = tuning_file());
  ~TuningSession();  ///< finishes
  TuningSession(const TuningSession&) = delete;
  TuningSession& operator=(const TuningSession&) = delete;

  /// Ends measuring, forgets what was not asked for, and writes the file. One that cannot be
  /// written is only reported.
  void finish();

  const Tuning& tuning() const { return *tuning_; }

 private:
  Say say_;
  std::filesystem::path file_;
  std::shared_ptr<Tuning> tuning_;
  TuningScope scope_;
  bool finished_ = false;
};

}  // namespace fovea
