#include "fovea/kernels/tuning_session.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cctype>
#include <chrono>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/core/process.h"
#include "fovea/core/text.h"

namespace fovea {
namespace {

using Clock = std::chrono::steady_clock;

std::string header() { return fmt::format("Fovea {}, {}", FOVEA_VERSION, cpu_model()); }

std::string file_name(std::string text) {
  for (char& c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.') c = '-';
  }
  return text;
}

/// Reports every few seconds what is being measured.
class Progress {
 public:
  explicit Progress(TuningSession::Say say) : say_(std::move(say)) {}

  void operator()(const std::string& problem) {
    constexpr std::chrono::seconds interval(5);
    ++count_;
    const Clock::time_point now = Clock::now();
    if (now - last_ < interval) return;
    last_ = now;
    say_(fmt::format("tuning: problem {}: {}", count_, problem));
  }

 private:
  TuningSession::Say say_;
  Clock::time_point last_ = Clock::now();
  int count_ = 0;
};

/// Adds what is known to the file, which other processes may be doing too.
void add_to_file(const Tuning& known, const std::filesystem::path& path) {
  std::filesystem::create_directories(path.parent_path());
  const std::filesystem::path lock = path.string() + ".lock";
  const Descriptor file(
      uninterrupted([&] { return ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); }));
  if (file.get() >= 0) {  // without locks, the last one wins
    (void)uninterrupted([&] { return ::flock(file.get(), LOCK_EX); });
  }
  Tuning all;
  all.add(known.text());
  try {
    if (exists(path, ErrorKind::data)) read_tuning(all, path);
  } catch (const Error&) {
    // It is replaced.
  }
  replace_file(path, tuning_file_text(all));
}

}  // namespace

std::string tuning_file_text(const Tuning& tuning) { return header() + "\n" + tuning.text(); }

void read_tuning(Tuning& tuning, const std::filesystem::path& path) {
  const std::string text = read_text(path, ErrorKind::data);
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string first = text.substr(0, end);
  if (first != header()) {
    throw Error(ErrorKind::data, fmt::format("it begins with \"{}\" instead of \"{}\"",
                                             printable(first), printable(header())));
  }
  tuning.add(std::string_view(text).substr(end));
}

std::filesystem::path tuning_file() {
  return cache_folder() / "tuning" / (file_name(cpu_model() + "-" + FOVEA_VERSION) + ".txt");
}

void check_tuning(bool tune, bool deterministic) {
  if (!tune || !deterministic) return;
  throw Error(ErrorKind::usage, "--deterministic and --tune contradict each other")
      .with("because", "which kernels are the fastest depends on the number of threads")
      .with("try", "one of them");
}

TuningSession::TuningSession(Say say, std::filesystem::path file)
    : say_(std::move(say)),
      file_(std::move(file)),
      tuning_(std::make_shared<Tuning>(Progress(say_))),
      scope_(tuning_) {
  try {
    if (exists(file_, ErrorKind::data)) read_tuning(*tuning_, file_);
  } catch (const Error& error) {
    say_(fmt::format("tuning: {} is ignored: {}", file_.string(), error.headline()));
  }
}

TuningSession::~TuningSession() {
  try {
    finish();
  } catch (const std::exception&) {
    // Nobody can be told.
  }
}

void TuningSession::finish() {
  if (finished_) return;
  finished_ = true;
  tuning_->stop_measuring();
  tuning_->forget_unused();
  const size_t measured = tuning_->measured();
  std::string where;
  try {
    if (measured > 0) add_to_file(*tuning_, file_);
  } catch (const std::exception& error) {
    where = fmt::format(", not kept: {}", error.what());
  }
  say_(fmt::format("tuning: {} {} measured, {} known from {}{}", measured,
                   measured == 1 ? "problem" : "problems", tuning_->size() - measured,
                   file_.string(), where));
}

}  // namespace fovea
