#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "fovea/formats/model_file.h"
#include "fovea/runtime/state.h"

namespace fovea::train {

/// Writes the files of a run's folder. Training does not end because a disk is full or fails for a
/// while: a file that cannot be written is kept in memory, and tried again whenever another one is
/// written. Only at the end of the run is it an error.
class RunFiles {
 public:
  using Say = std::function<void(const std::string&)>;

  /// `say` gets a line for each file that could not be written, and one when it was written later.
  RunFiles(std::filesystem::path folder, Say say);

  /// A model file; the weights may be shared with the State. They are copied if they have to be
  /// kept.
  void model(const std::string& name, ModelFile file);
  void text(const std::string& name, const std::string& text);
  /// Any other file: `write` is called now, and again later if it cannot write.
  void file(const std::string& name, const std::function<void()>& write);
  /// Appends to a file that only this run writes, without flushing it to disk. What could not be
  /// written is part of the next attempt, at the place where it belongs.
  void append(const std::string& name, std::string_view bytes);
  /// What is appended to an existing file begins at `size`: anything after that is dropped.
  void append_from(const std::string& name, uint64_t size) { ends_[name] = {size, ""}; }
  /// Removes the files of epochs but for the latest `keep`.
  void remove_epochs(int64_t keep);
  /// A checkpoint (see save_checkpoint); false if it could not be written. It is not kept: a later
  /// one is as good.
  bool checkpoint(State& state, const std::map<std::string, std::string>& progress);

  /// Writes what is still missing. Errors: io.
  void finish();

 private:
  using Write = std::function<void()>;

  /// Calls `write`; if that fails, `kept` makes what is tried again.
  void attempt(const std::string& name, const Write& write, const std::function<Write()>& kept);
  void retry();

  std::filesystem::path folder_;
  Say say_;
  std::map<std::string, Write> missing_;
  /// The end of a file that is appended to.
  struct End {
    uint64_t written = 0;
    std::string pending;
  };
  std::map<std::string, End> ends_;
};

}  // namespace fovea::train
