#include "fovea/train/run_files.h"

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/train/checkpoint.h"
#include "fovea/train/run_folder.h"

namespace fovea::train {
namespace {

/// Whether `write` succeeded; `why` gets the message if not. Errors: any but io.
bool succeeds(const std::function<void()>& write, std::string& why) {
  try {
    write();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::io) throw;
    why = error.headline();
    return false;
  }
  return true;
}

}  // namespace

RunFiles::RunFiles(std::filesystem::path folder, Say say)
    : folder_(std::move(folder)), say_(std::move(say)) {}

void RunFiles::retry() {
  std::string ignored;
  for (auto it = missing_.begin(); it != missing_.end();) {
    if (!succeeds(it->second, ignored)) {
      ++it;
      continue;
    }
    say_(it->first + ": written now");
    it = missing_.erase(it);
  }
}

void RunFiles::write(const std::string& name, const Write& write,
                     const std::function<Write()>& kept) {
  std::string why;
  if (succeeds(write, why)) {
    missing_.erase(name);
    retry();
    return;
  }
  say_(why + ": training goes on, and this is tried again");
  missing_.insert_or_assign(name, kept());
}

void RunFiles::model(const std::string& name, ModelFile file) {
  const std::filesystem::path path = folder_ / name;
  write(
      name, [&] { save_model(path, file); },
      [&]() -> Write {
        for (auto& [array, values] : file.weights) values = values.clone();
        return [path, file = std::move(file)] { save_model(path, file); };
      });
}

void RunFiles::text(const std::string& name, const std::string& text) {
  const Write action = [path = folder_ / name, text] { replace_file(path, text); };
  write(name, action, [&] { return action; });
}

void RunFiles::remove_epochs(int64_t keep) {
  const Write action = [folder = folder_, keep] { remove_epoch_files(folder, keep); };
  write("files of epochs", action, [&] { return action; });
}

bool RunFiles::checkpoint(State& state, const std::map<std::string, std::string>& progress) {
  std::string why;
  if (!succeeds([&] { save_checkpoint(folder_, state, progress); }, why)) {
    say_(why + ": training goes on, and this is tried again");
    return false;
  }
  retry();
  return true;
}

void RunFiles::finish() {
  while (!missing_.empty()) {
    missing_.begin()->second();
    missing_.erase(missing_.begin());
  }
}

}  // namespace fovea::train
