#include <new>
#include <string_view>

#include "commands.h"
#include "signals.h"
#include "waiting.h"

namespace fovea::cli {
namespace {

/// Runs `action` and reports what it throws. Returns the exit code.
int guarded(Console& console, const std::function<int()>& action) {
  const auto failed = [&](const Error& error) {
    console.failure(error);
    return error.exit_code();
  };
  try {
    return action();
  } catch (const Error& error) {
    return failed(error);
  } catch (const std::bad_alloc&) {
    return failed(
        Error(ErrorKind::memory, "not enough memory").with("try", "a smaller --batch or --input"));
  } catch (const std::exception& error) {
    return failed(Error(ErrorKind::internal, error.what()));
  }
}

int run(int argc, char** argv, bool watched) {
  Console console;
  // Before parsing, since parsing can fail.
  for (int i = 1; i < argc; ++i) console.json |= std::string_view(argv[i]) == "--json";

  Commands commands("Trains, explains and ships convolutional neural networks.",
                    "fovea " FOVEA_VERSION);
  add_train(commands);
  add_eval(commands);
  add_predict(commands);
  add_convert(commands);
  add_parity(commands);
  add_summary(commands);
  add_plan(commands);
  add_recipes(commands);
  add_runs(commands);
  add_lr_find(commands);
  add_doctor(commands);
  add_models(commands);
  add_weights(commands);
  add_layers(commands);
  add_data(commands);
  add_bench(commands);
  add_explain(commands);
  add_report(commands);
  add_filter(commands);
  add_selftest(commands);

  const int code = guarded(console, [&] { return commands.run(argc, argv, console, watched); });
  const int written = guarded(console, [&] {
    console.flush();
    return 0;
  });
  return code != 0 ? code : written;
}

}  // namespace
}  // namespace fovea::cli

int main(int argc, char** argv) {
  fovea::cli::keep_standard_descriptors();
  fovea::cli::let_waiting_threads_sleep(argv);
  return fovea::cli::run(argc, argv, fovea::cli::watch_signals());
}
