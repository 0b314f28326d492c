#include <fmt/format.h>

#include <memory>

#include "commands.h"
#include "fovea/core/process.h"
#include "fovea/train/trainer.h"
#include "model.h"
#include "settings_flags.h"
#include "signals.h"

namespace fovea::cli {
namespace {

struct Flags {
  SettingsFlags settings;
  std::string out, resume;
};

std::string plan_text(const train::Start& start) {
  const train::Settings& s = start.settings;
  const std::string trained =
      start.trainable == start.parameters ? "" : " (" + grouped(start.trainable) + " trained)";
  std::string text =
      fmt::format("model     {}, {} parameters{}, input {}, {} classes\n", s.model,
                  grouped(start.parameters), trained, sizes_text(start.input), start.classes);
  text += fmt::format("data      {}: {} to train, {} to validate, {} to test\n", s.data,
                      grouped(start.train_images), grouped(start.val_images),
                      grouped(start.test_images));
  text += "settings ";
  for (const train::Setting& setting : train::settings_table()) {
    const std::string value = setting.get(s);
    if (setting.name == "data" || setting.name == "model" || value.empty() || value == "false")
      continue;
    text += fmt::format(" {}={}", setting.name, value);
  }
  return text + fmt::format("\nrun       {}", start.folder.string());
}

std::string epoch_header() {
  return fmt::format("{:>7}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>9}", "epoch", "lr", "loss",
                     "accuracy", "val loss", "val acc.", "images/s");
}

std::string epoch_text(const train::EpochRecord& record, int64_t epochs) {
  const auto optional = [](const std::optional<double>& value) {
    return value ? fmt::format("{:8.4f}", *value) : fmt::format("{:>8}", "-");
  };
  return fmt::format(
      "{:>7}  {:8.5f}  {:8.4f}  {:8.4f}  {}  {}  {:>9}", fmt::format("{}/{}", record.epoch, epochs),
      record.lr, record.train_loss, record.train_accuracy, optional(record.val_loss),
      optional(record.val_accuracy), grouped(static_cast<int64_t>(record.images_per_second)));
}

std::string progress_text(const train::Progress& p) {
  return fmt::format("epoch {}/{}  loss {:.4f}  acc {:.4f}  {} images/s  {} left", p.epoch,
                     p.epochs, p.loss, p.accuracy,
                     grouped(static_cast<int64_t>(p.images_per_second)),
                     duration_text(p.seconds_left));
}

/// `start` is kept for what is said at the end.
train::Watch watch(Console& console, train::Start& start) {
  train::Watch watch;
  watch.on_start = [&](const train::Start& given) {
    finish_first();  // until now there was nothing to save
    start = given;
    console.note(plan_text(start));
  };
  watch.on_batch = [&](const train::Progress& p) {
    console.status(static_cast<double>(p.batch) / static_cast<double>(p.batches), progress_text(p));
  };
  watch.on_epoch = [&, headed = false](const train::EpochRecord& record, bool best) mutable {
    if (!headed) console.note("\n" + epoch_header());
    headed = true;
    console.note(epoch_text(record, start.settings.epochs) +
                 (best && record.val_accuracy ? console.green("  best", true) : ""));
  };
  watch.on_message = [&](const std::string& text) { console.note(text); };
  return watch;
}

Json to_json(const train::EpochRecord& r) {
  const auto optional = [](const std::optional<double>& v) { return v ? Json(*v) : Json(nullptr); };
  return {{"epoch", r.epoch},
          {"lr", r.lr},
          {"train_loss", r.train_loss},
          {"train_accuracy", r.train_accuracy},
          {"val_loss", optional(r.val_loss)},
          {"val_accuracy", optional(r.val_accuracy)},
          {"seconds", r.seconds},
          {"images_per_second", r.images_per_second}};
}

Json to_json(const train::Result& result, const train::Start& start) {
  Json document{{"epochs", result.epochs}, {"stopped", result.stopped}};
  const bool validated = start.val_images > 0 && result.best_epoch > 0;
  document["best"] = {{"epoch", result.best_epoch},
                      {"val_accuracy", validated ? Json(result.best_val_accuracy) : nullptr}};
  if (!result.stopped) {
    document["test"] = {{"accuracy", result.test.accuracy()}, {"loss", result.test.loss()}};
  }
  document["seconds"] = result.seconds;
  document["images_per_second"] = result.images_per_second;
  document["peak_memory_bytes"] = peak_resident_bytes();
  document["out"] = result.folder.string();
  document["frozen"] = {{"count", result.frozen}, {"changed", result.frozen_changed}};
  document["history"] = Json::array();
  for (const train::EpochRecord& record : result.history) {
    document["history"].push_back(to_json(record));
  }
  return document;
}

std::string result_text(const train::Result& result, const train::Start& start) {
  std::string text = fmt::format("best epoch     {}", result.best_epoch);
  if (start.val_images > 0) {
    text += fmt::format(", validation accuracy {:.4f}", result.best_val_accuracy);
  }
  return text + fmt::format(
                    "\ntest accuracy  {:.4f}, loss {:.4f}, {} images\n"
                    "training       {:.1f} s, {} images/s\n"
                    "run folder     {}\n",
                    result.test.accuracy(), result.test.loss(), grouped(result.test.count),
                    result.seconds, grouped(static_cast<int64_t>(result.images_per_second)),
                    result.folder.string());
}

int report(const train::Result& result, const train::Start& start, Console& console) {
  console.document(to_json(result, start));
  const std::string folder = shell_word(result.folder.string());
  if (result.stopped) {
    console.note("go on with: fovea train --resume " + folder);
    return 128 + signal_received();
  }
  console.note("");
  console.result(result_text(result, start));
  const std::string model = shell_word((result.folder / "best.safetensors").string());
  console.note("\nnext\n  fovea eval --model " + model + " --data " +
               shell_word(start.settings.data) + "\n  fovea predict --model " + model +
               " IMAGE...\n  fovea summary --model " + model);
  return 0;
}

int run(const Flags& flags, Console& console) {
  train::Start start;
  const train::Watch watched = watch(console, start);
  if (flags.resume.empty()) {
    const train::Settings settings = flags.settings.read();
    return report(train::train(settings, flags.out, watched, stop_token()), start, console);
  }
  if (!flags.out.empty()) {
    throw Error(ErrorKind::usage,
                "--resume writes into the folder of the run, --out cannot be given with it");
  }
  return report(train::resume(flags.resume, watched, stop_token(), flags.settings.changes()), start,
                console);
}

}  // namespace

void add_train(Commands& commands) {
  const auto flags = std::make_shared<Flags>();
  CLI::App& app = commands.add(commands.root(), "train", "Train a model on a data set",
                               [flags](Console& console) { return run(*flags, console); });
  flags->settings.add(app);
  app.add_option("--out", flags->out, "Folder of the run; runs/MODEL-DATA-NNN by default")
      ->type_name("DIR");
  app.add_option(
         "--resume", flags->resume,
         "Go on with the run in this folder; --epochs, --data, --threads and --workers may change")
      ->type_name("DIR");
}

}  // namespace fovea::cli
