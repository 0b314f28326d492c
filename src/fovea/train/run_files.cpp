#include "fovea/train/run_files.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

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

/// Writes `text` to a file at `offset`, which becomes its end. Errors: io.
void write_at(const std::filesystem::path& path, uint64_t offset, std::string_view text) {
  const auto fail = [&](int code) {
    return Error(ErrorKind::io,
                 fmt::format("cannot write {}: {}", path.string(), std::strerror(code)));
  };
  const Descriptor file(
      uninterrupted([&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666); }));
  if (file.get() < 0) throw fail(errno);
  const auto size = static_cast<off_t>(offset);
  if (uninterrupted([&] { return ::ftruncate(file.get(), size); }) != 0 ||
      ::lseek(file.get(), size, SEEK_SET) != size) {
    throw fail(errno);
  }
  write_all(file.get(), std::as_bytes(std::span(text)), path);
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

void RunFiles::attempt(const std::string& name, const Write& write,
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
  attempt(
      name, [&] { save_model(path, file); },
      [&]() -> Write {
        for (auto& [array, values] : file.weights) values = values.clone();
        return [path, file = std::move(file)] { save_model(path, file); };
      });
}

void RunFiles::text(const std::string& name, const std::string& text) {
  file(name, [path = folder_ / name, text] { replace_file(path, text); });
}

void RunFiles::file(const std::string& name, const std::function<void()>& write) {
  attempt(name, write, [&] { return write; });
}

void RunFiles::append(const std::string& name, std::string_view bytes) {
  End& end = ends_[name];
  end.pending += bytes;
  file(name, [path = folder_ / name, &end] {
    write_at(path, end.written, end.pending);
    end.written += end.pending.size();
    end.pending.clear();
  });
}

void RunFiles::remove_epochs(int64_t keep) {
  file("files of epochs", [folder = folder_, keep] { remove_epoch_files(folder, keep); });
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
