#pragma once

#include <memory>
#include <string>
#include <vector>

#include "console.h"
#include "fovea/records/recorder.h"
#include "fovea/records/store.h"
#include "fovea/records/tensorboard.h"

namespace fovea::cli {

/// What `fovea train` keeps of a run: the callbacks that write it into the run's folder, and its
/// row in the store of runs.
class RunRecords {
 public:
  explicit RunRecords(Console& console);

  /// To be the last ones of the run.
  std::vector<train::Callback*> callbacks() { return {&recorder_, &tensorboard_}; }
  void failed(const std::string& why) { recorder_.failed(why); }

 private:
  void index(const std::filesystem::path& run, const records::Record& record);

  Console& console_;
  records::Recorder recorder_;
  records::TensorBoard tensorboard_;
  std::filesystem::path store_path_;  ///< absolute from the start: the program may change folders
  std::unique_ptr<records::Store> store_;
  bool usable_ = true;
};

/// The command line of this process, for a shell; "" where the system does not say.
std::string command_line();

}  // namespace fovea::cli
