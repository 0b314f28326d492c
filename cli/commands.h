#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "console.h"
#include "fovea/core/arguments.h"

namespace fovea::cli {

/// The program's commands. Each declares its flags to CLI11 and what to run after parsing.
class Commands {
 public:
  /// Does the command's work and returns the exit code. Errors: whatever it throws.
  using Run = std::function<int(Console&)>;

  explicit Commands(CLI::App& root);

  /// A command under `parent`, with the common flags --json, --quiet and --threads.
  CLI::App& add(CLI::App& parent, const std::string& name, const std::string& help, Run run);
  /// A group of commands: `data`, `bench`.
  CLI::App& group(const std::string& name, const std::string& help);
  CLI::App& root() { return root_; }

  /// Parses the command line and runs the command. Errors: usage for unknown names, with the
  /// nearest ones; whatever the command throws. `watched` is the result of watch_signals().
  int run(int argc, char** argv, Console& console, bool watched);

 private:
  struct Command {
    CLI::App* app;
    Run run;
  };
  const Command& chosen() const;
  void refuse_extras(const CLI::App& app) const;

  CLI::App& root_;
  std::vector<Command> commands_;
  bool json_ = false, quiet_ = false;
  int threads_ = 0;
};

/// A flag for an integer from `minimum` to `maximum`; the help shows `value` as its default.
CLI::Option* add_count(CLI::App& app, const std::string& flag, int64_t& value,
                       const std::string& help, int64_t minimum = 1, int64_t maximum = 1'000'000);

/// A flag whose text is parsed by its Argument; `type` is the placeholder in the help.
CLI::Option* add_argument(CLI::App& app, const std::string& flag, std::string& text,
                          ArgumentType type, const std::string& help);

/// --max-pixels, for commands that read pictures.
CLI::Option* add_max_pixels(CLI::App& app, int64_t& value);

/// A flag for one of several words; the help shows them and the default.
CLI::Option* add_choice(CLI::App& app, const std::string& flag, std::string& value,
                        const std::string& help, const std::vector<std::string>& words);

void add_train(Commands& commands);
void add_eval(Commands& commands);
void add_predict(Commands& commands);
void add_convert(Commands& commands);
void add_parity(Commands& commands);
void add_summary(Commands& commands);
void add_plan(Commands& commands);
void add_recipes(Commands& commands);
void add_models(Commands& commands);
void add_layers(Commands& commands);
void add_data(Commands& commands);
void add_data_get(Commands& commands, CLI::App& group);
void add_weights(Commands& commands);
void add_data_transforms(Commands& commands, CLI::App& group);
void add_bench(Commands& commands);
void add_filter(Commands& commands);
void add_selftest(Commands& commands);

}  // namespace fovea::cli
