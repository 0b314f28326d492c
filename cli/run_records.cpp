#include "run_records.h"

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

}  // namespace fovea::cli
