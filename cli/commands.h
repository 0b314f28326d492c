#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "command.h"
#include "console.h"

namespace fovea::cli {

/// The program's commands. Each declares its flags, and what to run after parsing.
class Commands {
 public:
  /// Does the command's work and returns the exit code. Errors: whatever it throws.
  using Run = std::function<int(Console&)>;

  /// `version` is what --version prints.
  Commands(const std::string& about, const std::string& version);
  ~Commands();

  /// A command under `parent`, with the common flags --json, --quiet and --threads.
  Command add(Command parent, const std::string& name, const std::string& help, Run run);
  /// A group of commands: `data`, `bench`.
  Command group(const std::string& name, const std::string& help);
  Command root() const { return Command(*root_); }

  /// Parses the command line and runs the command. Errors: usage for unknown names, with the
  /// nearest ones; whatever the command throws. `watched` is the result of watch_signals().
  int run(int argc, char** argv, Console& console, bool watched);

 private:
  struct Action {
    const CLI::App* app;
    Run run;
  };
  std::vector<std::string> arguments(int argc, char** argv) const;
  const Action& chosen() const;
  void refuse_extras(const CLI::App& app) const;

  std::unique_ptr<CLI::App> root_;
  std::vector<Action> actions_;
  bool json_ = false, quiet_ = false;
  int threads_ = 0;
};

void add_train(Commands& commands);
void add_eval(Commands& commands);
void add_predict(Commands& commands);
void add_convert(Commands& commands);
void add_parity(Commands& commands);
void add_summary(Commands& commands);
void add_plan(Commands& commands);
void add_recipes(Commands& commands);
void add_runs(Commands& commands);
void add_lr_find(Commands& commands);
void add_doctor(Commands& commands);
void add_runs_watch(Commands& commands, Command group);
void add_models(Commands& commands);
void add_layers(Commands& commands);
void add_data(Commands& commands);
void add_data_get(Commands& commands, Command group);
void add_weights(Commands& commands);
void add_data_check(Commands& commands, Command group);
void add_data_transforms(Commands& commands, Command group);
void add_bench(Commands& commands);
void add_explain(Commands& commands);
void add_report(Commands& commands);
void add_filter(Commands& commands);
void add_selftest(Commands& commands);

}  // namespace fovea::cli
