#pragma once

#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fovea::cli_test {

using Arguments = std::vector<std::string>;

/// The outcome of running the program: its exit code, or 1000 + the signal that ended it.
struct Outcome {
  int code = -1;
  std::string out, err;
  size_t peak_bytes = 0;   ///< the most memory it had, and at least what this process has
  double cpu_seconds = 0;  ///< of all its threads, also in the kernel

  /// Standard output as JSON; fails the test when it is not one document.
  nlohmann::json json() const;
};

struct Surroundings {
  std::filesystem::path folder = {};  ///< where it runs; empty: here
  std::string output = {};            ///< a file for standard output instead of a captured one
  bool closed_output = false;         ///< standard output is a pipe that nobody reads
  size_t largest_file = 0;            ///< RLIMIT_FSIZE in bytes; 0: none
  size_t memory = 0;                  ///< RLIMIT_AS in bytes; 0: none
  std::string input = {};             ///< a file for standard input instead of ours
  std::string errors = {};            ///< a file for standard error instead of a captured one
  bool no_errors = false;             ///< standard error is closed
  size_t processes = 0;               ///< RLIMIT_NPROC, as a user without privileges; 0: none
  bool terminal = false;              ///< standard error is a terminal of 80 columns
  std::vector<std::string> set = {};  ///< "NAME=VALUE" of the environment; "NAME" removes it
};

/// A running program.
class Running {
 public:
  explicit Running(const Arguments& arguments, const Surroundings& surroundings = {});
  /// Kills it if nobody waited.
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void signal(int number) const;
  /// As `top` and `pkill` call it.
  std::string name() const;
  /// Waits until `path` exists; fails the test after 30 seconds or when the program has ended.
  void await(const std::filesystem::path& path);
  Outcome wait();

 private:
  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
  int terminal_ = -1;  ///< our end of the terminal, where there is one
};

/// Runs the program to its end.
Outcome fovea(const Arguments& arguments, const Surroundings& surroundings = {});

/// Runs one of the commands train, eval, predict, convert, summary and models in this process,
/// which knows what a test added to the registries. Exceptions become the outcome that the program
/// would have.
Outcome fovea_here(const Arguments& arguments);

/// Writes a data set in MNIST's four files into `folder`: images of side x side, 10 classes that
/// differ in where a bright square lies, so that little training tells them apart.
void write_digits(const std::filesystem::path& folder, int train, int test, int side);

/// The bytes of a file; fails the test when there is none.
std::string contents(const std::filesystem::path& path);

}  // namespace fovea::cli_test
