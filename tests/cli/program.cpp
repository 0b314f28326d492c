#include "program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "commands.h"
#include "temporary_folder.h"

namespace fovea::cli_test {
namespace {

/// What was written to a captured stream.
std::string read_back(int descriptor) {
  std::string text(static_cast<size_t>(::lseek(descriptor, 0, SEEK_END)), '\0');
  EXPECT_EQ(::pread(descriptor, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  return text;
}

int output_of(const Surroundings& surroundings, int captured) {
  if (!surroundings.output.empty()) return ::open(surroundings.output.c_str(), O_WRONLY);
  if (!surroundings.closed_output) return captured;
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  ::close(ends[0]);
  return ends[1];
}

[[noreturn]] void become(const Arguments& arguments, const Surroundings& surroundings, int out,
                         int err) {
  ::dup2(output_of(surroundings, out), STDOUT_FILENO);
  ::dup2(surroundings.errors.empty() ? err : ::open(surroundings.errors.c_str(), O_WRONLY),
         STDERR_FILENO);
  if (surroundings.no_errors) ::close(STDERR_FILENO);
  if (!surroundings.input.empty()) {
    ::dup2(::open(surroundings.input.c_str(), O_RDONLY), STDIN_FILENO);
  }
  if (!surroundings.folder.empty() && ::chdir(surroundings.folder.c_str()) != 0) ::_exit(99);
  if (surroundings.largest_file > 0) {
    const rlimit limit{surroundings.largest_file, surroundings.largest_file};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  if (surroundings.memory > 0) {
    const rlimit limit{surroundings.memory, surroundings.memory};
    ::setrlimit(RLIMIT_AS, &limit);
  }
  if (surroundings.processes > 0) {  // no such limit holds for root
    if (::geteuid() == 0 && ::setuid(54321) != 0) ::_exit(98);
    const rlimit limit{surroundings.processes, surroundings.processes};
    ::setrlimit(RLIMIT_NPROC, &limit);
  }
  for (const std::string& variable : surroundings.set)
    ::putenv(const_cast<char*>(variable.c_str()));
  std::vector<char*> words{const_cast<char*>(FOVEA_PROGRAM)};
  for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execv(FOVEA_PROGRAM, words.data());
  ::_exit(99);
}

/// The two ends of a new terminal of 80 columns.
struct Terminal {
  Terminal() : ours(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    ::grantpt(ours);
    ::unlockpt(ours);
    program = ::open(::ptsname(ours), O_RDWR | O_NOCTTY | O_CLOEXEC);
    const winsize size{24, 80, 0, 0};
    ::ioctl(program, TIOCSWINSZ, &size);
  }
  int ours, program;
};

/// All that a program wrote to its terminal; ends when it has.
std::string screen(int terminal) {
  std::string text;
  char some[4096];
  for (ssize_t n; (n = ::read(terminal, some, sizeof some)) > 0;)
    text.append(some, static_cast<size_t>(n));
  return text;
}

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
  return bytes;
}

void write_split(const std::filesystem::path& folder, const std::string& name, int count,
                 int side) {
  std::string images = big_endian(2051) + big_endian(static_cast<uint32_t>(count)) +
                       big_endian(static_cast<uint32_t>(side)) +
                       big_endian(static_cast<uint32_t>(side));
  std::string labels = big_endian(2049) + big_endian(static_cast<uint32_t>(count));
  uint32_t noise = 1;
  for (int i = 0; i < count; ++i) {
    const int label = i * 7 % 10, block = side / 4;
    labels += static_cast<char>(label);
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        noise = noise * 1664525 + 1013904223;
        const bool bright = y / block == label / 4 && x / block == label % 4;
        images += static_cast<char>((noise >> 24) % 100 + (bright ? 150 : 0));
      }
    }
  }
  put(folder / (name + "-images-idx3-ubyte"), images);
  put(folder / (name + "-labels-idx1-ubyte"), labels);
}

}  // namespace

nlohmann::json Outcome::json() const {
  const nlohmann::json document = nlohmann::json::parse(out, nullptr, false);
  EXPECT_FALSE(document.is_discarded()) << "not JSON: " << out << "\n" << err;
  return document;
}

Running::Running(const Arguments& arguments, const Surroundings& surroundings)
    : out_(::memfd_create("out", 0)), err_(::memfd_create("err", 0)) {
  if (!surroundings.terminal) {
    pid_ = ::fork();
    if (pid_ == 0) become(arguments, surroundings, out_, err_);
    return;
  }
  const Terminal terminal;
  terminal_ = terminal.ours;
  pid_ = ::fork();
  if (pid_ == 0) become(arguments, surroundings, out_, terminal.program);
  ::close(terminal.program);
}

Running::~Running() {
  if (pid_ > 0) {
    signal(SIGKILL);
    wait();
  }
  ::close(out_);
  ::close(err_);
  if (terminal_ >= 0) ::close(terminal_);
}

void Running::signal(int number) const { ::kill(pid_, number); }

std::string Running::name() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

void Running::await(const std::filesystem::path& path) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!std::filesystem::exists(path)) {
    siginfo_t state{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &state, WEXITED | WNOHANG | WNOWAIT);
    ASSERT_EQ(state.si_pid, 0) << "ended before " << path << ": " << read_back(err_);
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "no " << path;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

namespace {
double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}
}  // namespace

Outcome Running::wait() {
  int status = 0;
  const std::string shown = terminal_ >= 0 ? screen(terminal_) : "";
  rusage used{};
  ::wait4(pid_, &status, 0, &used);
  pid_ = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), read_back(out_),
          terminal_ >= 0 ? shown : read_back(err_),
          static_cast<size_t>(used.ru_maxrss) * 1024,  // it is in kB
          seconds_of(used.ru_utime) + seconds_of(used.ru_stime)};
}

Outcome fovea(const Arguments& arguments, const Surroundings& surroundings) {
  return Running(arguments, surroundings).wait();
}

Outcome fovea_here(const Arguments& arguments) {
  cli::Console console;
  console.quiet = true;
  cli::Commands commands("", "");
  for (const auto add : {cli::add_train, cli::add_eval, cli::add_predict, cli::add_convert,
                         cli::add_summary, cli::add_models})
    add(commands);
  std::vector<std::string> words = arguments;
  words.insert(words.begin(), "fovea");
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  console.json = std::ranges::count(arguments, "--json") > 0;
  Outcome outcome;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  try {
    outcome.code = commands.run(static_cast<int>(pointers.size()), pointers.data(), console, true);
  } catch (const Error& error) {
    console.failure(error);
    outcome.code = error.exit_code();
  }
  console.flush();
  std::fflush(stdout);
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

void write_digits(const std::filesystem::path& folder, int train, int test, int side) {
  std::filesystem::create_directories(folder);
  write_split(folder, "train", train, side);
  write_split(folder, "t10k", test, side);
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace fovea::cli_test
