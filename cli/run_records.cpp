#include "run_records.h"

#include <fmt/format.h>

#include "fovea/core/files.h"

namespace fovea::cli {

std::string command_line() {
  std::string words;
  try {
    words = read_text("/proc/self/cmdline", ErrorKind::data);
  } catch (const Error&) {
    return "";
  }
  if (!words.empty() && words.back() == '\0') words.pop_back();
  std::vector<std::string> parts = split(words, '\0');
  parts[0] = "fovea";
  for (std::string& part : parts) part = shell_word(part);
  return join(parts, " ");
}

RunRecords::RunRecords(Console& console)
    : console_(console),
      recorder_(command_line()),
      store_path_(std::filesystem::absolute(records::Store::default_path())) {
  recorder_.changed = [this](const std::filesystem::path& run, const records::Record& record) {
    index(run, record);
  };
}

/// Updates the store. What goes wrong with it is no reason to disturb a run: after one warning only
/// its end is tried again.
void RunRecords::index(const std::filesystem::path& run, const records::Record& record) {
  if (!usable_ && record.status == "running") return;
  try {
    if (!store_) store_ = std::make_unique<records::Store>(store_path_, true);
    store_->put(run, record);
  } catch (const Error& error) {
    if (usable_) {
      console_.note(
          fmt::format("warning: this run is not in the store of runs: {}; its folder has "
                      "all that counts",
                      error.headline()));
    }
    usable_ = false;
  }
}

}  // namespace fovea::cli
